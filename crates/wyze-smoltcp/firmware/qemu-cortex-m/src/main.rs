//! The firmware on QEMU's `mps2-an386` board: start, console, arguments, exit code.
#![no_std]
#![no_main]

mod machine;
mod net;

use core::fmt::Write;

use cortex_m_rt::entry;
use firmware_common::{Arguments, Failure};
use machine::{Machine, Uart};
use semihosting::process;

#[entry]
fn main() -> ! {
    let mut uart = Uart::new();
    match start() {
        Ok(()) => {
            let _ = writeln!(uart, "# PASS");
            process::exit(0)
        }
        Err(failure) => {
            let _ = writeln!(uart, "# FAIL: {failure}");
            process::exit(1)
        }
    }
}

fn start() -> Result<(), Failure> {
    let words = semihosting::experimental::env::args::<256>();
    let words = words.map_err(|_| Failure::Argument("list"))?;
    let arguments = Arguments::parse((&words).filter_map(Result::ok))?;
    let mut machine = Machine::new().ok_or(Failure::Step("there is no network device"))?;
    firmware_common::run(&mut machine, &arguments)
}
