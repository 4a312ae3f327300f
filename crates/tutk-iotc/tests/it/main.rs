//! Tests of both roles through their public interface.
#![cfg(feature = "cc51")]

mod authentic;
mod common;
mod errors;
mod hostile;
mod pair;
mod repeats;
mod sessions;
mod vectors;
