//! The whole stack against itself and against recordings.

mod commands;
mod common;
mod network;
mod replay;
