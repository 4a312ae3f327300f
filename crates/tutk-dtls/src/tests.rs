//! Both roles against each other over a network with its own clock, and against recordings of other implementations.

mod counters;
mod errors;
mod lossy;
mod noise;
mod packing;
mod states;
mod vectors;
mod wire;
mod world;
