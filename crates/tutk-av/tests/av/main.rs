//! Tests of the public interface.

mod assembler;
mod common;
mod errors;
mod lossless;
mod lossy;
mod pair;
mod plain;
mod reassembly;
mod vectors;
