//! Tests of the public interface.

mod again;
mod assembler;
mod common;
mod counters;
mod errors;
mod limits;
mod lossless;
mod lossy;
mod pair;
mod plain;
mod reassembly;
mod vectors;
mod xiaomi;
