//! The whole stack against itself and against recordings.

mod commands;
mod common;
mod endings;
mod errors;
mod evening;
mod film;
mod network;
mod plain;
mod replay;
mod stay;
mod talk;
