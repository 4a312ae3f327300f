//! Tests of the public interface.

mod assembler;
mod common;
mod pair;
mod reassembly;
mod vectors;
