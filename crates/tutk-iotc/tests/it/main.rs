//! Tests of both roles through their public interface.
#![cfg(all(feature = "cc51", feature = "plain"))]

mod authentic;
mod common;
mod errors;
mod goodbye;
mod hostile;
mod pair;
mod repeats;
mod sessions;
mod vectors;
