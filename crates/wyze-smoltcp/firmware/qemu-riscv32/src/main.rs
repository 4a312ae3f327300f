//! The firmware on QEMU's `virt` machine.
#![no_std]
#![no_main]

mod machine;
mod net;

use riscv_rt::entry;

#[entry]
fn main() -> ! {
    firmware_common::main(&mut machine::Uart, machine::Machine::new)
}
