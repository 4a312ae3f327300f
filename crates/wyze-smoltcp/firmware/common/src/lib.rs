//! What the firmware does, whatever the board: it watches a camera ([`viewer`]) or is one ([`camera`]), and writes down
//! every frame that went through it, one line each. `cargo xtask qemu` compares that with what the other side says.
#![no_std]
#![forbid(unsafe_code)]

mod arguments;
#[cfg(feature = "camera")]
mod camera;
mod ledger;
mod network;
#[cfg(not(feature = "camera"))]
mod viewer;

use core::fmt;

use semihosting::process;
use smoltcp::phy::Device;
use smoltcp::time::{Duration, Instant};

pub use arguments::{Address, Arguments};

/// A board: a network device with a clock and a console.
pub trait Board: Device + fmt::Write {
    /// Time since it was switched on.
    fn now(&mut self) -> Instant;

    /// Sleeps until the network device has something, or that time is over.
    fn sleep(&mut self, time: Option<Duration>);

    /// The address of its network device.
    fn mac(&self) -> [u8; 6];
}

/// Why the firmware gave up.
#[derive(Debug)]
pub enum Failure {
    /// An argument is missing or malformed.
    Argument(&'static str),
    /// It took longer than a minute.
    Timeout(&'static str),
    /// The session ended too early.
    #[cfg(not(feature = "camera"))]
    Closed(wyze_smoltcp::session::Cause),
    /// A step went otherwise than it should.
    Step(&'static str),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument(name) => write!(f, "no usable argument {name}"),
            Self::Timeout(what) => write!(f, "timed out: {what}"),
            #[cfg(not(feature = "camera"))]
            Self::Closed(cause) => write!(f, "the session ended: {cause}"),
            Self::Step(what) => f.write_str(what),
        }
    }
}

/// Everything, from the arguments to the exit code; `board` starts the board, whose console is `console` all along.
pub fn main<B: Board>(console: &mut impl fmt::Write, board: impl FnOnce() -> Option<B>) -> ! {
    let outcome = run(board);
    let _ = match &outcome {
        Ok(()) => writeln!(console, "# PASS"),
        Err(failure) => writeln!(console, "# FAIL: {failure}"),
    };
    process::exit(i32::from(outcome.is_err()))
}

fn run<B: Board>(board: impl FnOnce() -> Option<B>) -> Result<(), Failure> {
    let words = semihosting::experimental::env::args::<384>();
    let words = words.map_err(|_| Failure::Argument("list"))?;
    let arguments = Arguments::parse((&words).filter_map(Result::ok))?;
    let mut board = board().ok_or(Failure::Step("there is no network device"))?;
    #[cfg(feature = "camera")]
    return camera::run(&mut board, &arguments);
    #[cfg(not(feature = "camera"))]
    viewer::run(&mut board, &arguments)
}
