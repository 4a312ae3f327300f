//! Tests of the public interface.

mod again;
mod assembler;
mod common;
mod counters;
mod errors;
mod limits;
mod lossless;
mod lossy;
// By its path: as a dependency it would have the whole stack built again for each mutant.
#[path = "../../../tutk-testkit/src/reassembly.rs"]
mod model;
mod pair;
mod plain;
mod reassembly;
mod vectors;
mod xiaomi;
