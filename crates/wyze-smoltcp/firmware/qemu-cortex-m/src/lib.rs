//! QEMU's `mps2-an386` board: console, network, and a [`firmware_common::Board`].
#![no_std]

mod machine;
mod net;

pub use machine::{Machine, Uart};
pub use net::{MAC, Net};
