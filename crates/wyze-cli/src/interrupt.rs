//! Ctrl-C and SIGTERM: the first one asks the program to finish what it writes, the second one ends it at once.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::{Exit, Failure};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on a signal sets a flag; returns the flag.
pub(crate) fn install() -> Result<&'static AtomicBool, Failure> {
    ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Interrupted.code().into());
        }
    })
    .map_err(|e| Failure::new(Exit::Internal, format!("cannot listen for ctrl-C: {e}")))?;
    Ok(&INTERRUPTED)
}
