//! Both roles against each other over a network with its own clock, and against recordings of other implementations.

mod counters;
mod errors;
mod hostile;
mod lossy;
mod noise;
mod packing;
mod restarts;
mod states;
mod vectors;
mod wire;
mod world;
