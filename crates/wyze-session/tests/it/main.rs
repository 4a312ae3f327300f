//! The whole stack against itself and against recordings.

mod common;
mod network;
mod replay;
