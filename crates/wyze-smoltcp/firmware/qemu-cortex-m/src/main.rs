//! The firmware on QEMU's `mps2-an386` board.
#![no_std]
#![no_main]

mod machine;
mod net;

use cortex_m_rt::entry;

#[entry]
fn main() -> ! {
    firmware_common::main(&mut machine::Uart::new(), machine::Machine::new)
}
