//! Ctrl-C and SIGTERM: the first one asks the program to finish what it writes, the second one ends it at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::failure::{Exit, Failure};

/// What takes longest is the goodbye of a talk that the camera does not answer, 6 s. Whatever is not done then is blocked
/// for good, such as by a pipe that nobody reads.
const GRACE: Duration = Duration::from_secs(8);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on a signal sets a flag; returns the flag.
pub(crate) fn install() -> Result<&'static AtomicBool, Failure> {
    ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            exit();
        }
        thread::spawn(|| {
            thread::sleep(GRACE);
            exit();
        });
    })
    .map_err(|e| Failure::new(Exit::Internal, format!("cannot listen for ctrl-C: {e}")))?;
    Ok(&INTERRUPTED)
}

fn exit() -> ! {
    std::process::exit(Exit::Interrupted.code().into())
}
