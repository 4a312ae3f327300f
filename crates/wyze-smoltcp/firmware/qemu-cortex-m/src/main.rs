//! The firmware on QEMU's `mps2-an386` board.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use qemu_cortex_m::{Machine, Uart};

#[entry]
fn main() -> ! {
    firmware_common::main(&mut Uart::new(), Machine::new)
}
