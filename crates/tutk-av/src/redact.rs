//! `Debug` without contents: pictures, sound, commands and logins do not belong into logs.

use core::fmt;

/// Shows how many bytes there are, and none of them.
pub(crate) struct Len<'a>(pub(crate) &'a [u8]);

impl fmt::Debug for Len<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}
