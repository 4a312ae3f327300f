//! The whole stack against itself and against recordings.

mod asked;
mod commands;
mod common;
mod endings;
mod errors;
mod evening;
mod every;
mod film;
mod layered;
mod network;
mod outdoor;
mod parity;
mod plain;
mod replay;
mod shown;
mod stay;
mod talk;
