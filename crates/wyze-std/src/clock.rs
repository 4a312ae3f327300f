//! Time and randomness of the operating system.

use getrandom::SysRng;
use rand_core::UnwrapErr;
use wyze_session::{Cx, Instant};

/// The operating system's random number generator. It panics when the system has no randomness to give, which Linux,
/// macOS and Windows do not do after boot.
pub type OsRng = UnwrapErr<SysRng>;

/// A session clock over [`std::time::Instant`], with its randomness.
#[derive(Debug, Clone)]
pub struct Clock {
    start: std::time::Instant,
    rng: OsRng,
}

impl Clock {
    /// A clock that shows zero now.
    pub fn new() -> Self {
        Self {
            start: std::time::Instant::now(),
            rng: UnwrapErr(SysRng),
        }
    }

    /// Microseconds since the clock was made.
    pub fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }

    /// The present moment and randomness, for one call.
    pub fn cx(&mut self) -> Cx<'_> {
        Cx::new(Instant::ZERO + self.start.elapsed(), &mut self.rng)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
