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

use smoltcp::phy::Device;
use smoltcp::time::{Duration, Instant};
use wyze_smoltcp::session::Cause;

pub use arguments::Arguments;

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
#[derive(Debug, Clone, Copy)]
pub enum Failure {
    /// An argument is missing or malformed.
    Argument(&'static str),
    /// It took longer than a minute.
    Timeout(&'static str),
    /// The session ended too early.
    Closed(Cause),
    /// A step went otherwise than it should.
    Step(&'static str),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument(name) => write!(f, "no usable argument {name}"),
            Self::Timeout(what) => write!(f, "timed out: {what}"),
            Self::Closed(cause) => write!(f, "the session ended: {cause}"),
            Self::Step(what) => f.write_str(what),
        }
    }
}

/// Everything, from the first packet to the report.
///
/// # Errors
/// What went wrong.
pub fn run<B: Board>(board: &mut B, arguments: &Arguments<'_>) -> Result<(), Failure> {
    #[cfg(feature = "camera")]
    return camera::run(board, arguments);
    #[cfg(not(feature = "camera"))]
    viewer::run(board, arguments)
}
