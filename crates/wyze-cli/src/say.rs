//! Lines for people. A reader that has gone away, such as `| head`, has what it wanted, and is no reason to stop or to fail.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::sync::Mutex;

use crate::failure::{Exit, Failure};

/// Why a line did not get to standard output.
static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

/// A line on standard output, in place of `println!`, which panics when nobody reads it.
macro_rules! say {
    ($($text:tt)*) => { $crate::say::line(format_args!($($text)*)) };
}

/// A line on standard error, in place of `eprintln!`.
macro_rules! note {
    ($($text:tt)*) => { $crate::say::aside(format_args!($($text)*)) };
}

pub(crate) use {note, say};

pub(crate) fn line(text: Arguments<'_>) {
    if let Err(e) = writeln!(io::stdout(), "{text}")
        && e.kind() != ErrorKind::BrokenPipe
        && let Ok(mut failed) = FAILED.lock()
    {
        failed.get_or_insert(e);
    }
}

pub(crate) fn aside(text: Arguments<'_>) {
    // There is nobody left to complain to.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Tells whether all lines were said, or nobody wanted them.
///
/// # Errors
/// Standard output could not be written, such as a file on a disk that is full.
pub(crate) fn end() -> Result<(), Failure> {
    match FAILED.lock().ok().and_then(|mut failed| failed.take()) {
        None => Ok(()),
        Some(e) => Err(Failure::new(
            Exit::Output,
            format!("standard output cannot be written: {e}"),
        )),
    }
}
