//! The whole stack against itself and against recordings.

mod asked;
mod commands;
mod common;
mod day;
mod endings;
mod errors;
mod evening;
mod every;
mod film;
mod layered;
#[cfg(all(feature = "log", feature = "keylog"))]
mod logged;
mod network;
mod outdoor;
mod over;
mod parity;
mod plain;
mod recorded;
mod replay;
mod shown;
mod stay;
mod talk;
mod viewer;
