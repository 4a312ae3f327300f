//! The clock the caller lends us.

use core::ops::{Add, AddAssign, Sub};
use core::time::Duration;

/// A moment: microseconds since one the caller chose, usually program start.
///
/// It must never go backwards between two calls on the same object; a small step back only delays timers.
/// Durations are [`core::time::Duration`]. All arithmetic saturates, so a hostile or broken clock cannot panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Instant {
    micros: u64,
}

impl Instant {
    /// The caller's origin of time.
    pub const ZERO: Self = Self { micros: 0 };

    /// The moment `micros` microseconds after the caller's origin.
    pub const fn from_micros(micros: u64) -> Self {
        Self { micros }
    }

    /// The moment `millis` milliseconds after the caller's origin.
    pub const fn from_millis(millis: u64) -> Self {
        Self {
            micros: millis.saturating_mul(1000),
        }
    }

    /// Microseconds since the caller's origin.
    pub const fn as_micros(self) -> u64 {
        self.micros
    }

    /// Whole milliseconds since the caller's origin.
    pub const fn as_millis(self) -> u64 {
        self.micros / 1000
    }

    /// Time since `earlier`; zero when `earlier` lies in the future.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.micros.saturating_sub(earlier.micros))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        // Not `as_micros`: 128 bits are several hundred bytes of code on a microcontroller.
        let seconds = rhs.as_secs().saturating_mul(1_000_000);
        let micros = seconds.saturating_add(rhs.subsec_micros().into());
        Self {
            micros: self.micros.saturating_add(micros),
        }
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, rhs: Self) -> Duration {
        self.since(rhs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        let end = Instant::from_micros(u64::MAX);
        assert_eq!(end + Duration::MAX, end);
        assert_eq!(Instant::ZERO - end, Duration::ZERO);
        assert_eq!(
            Instant::from_millis(3) - Instant::from_micros(1),
            Duration::from_micros(2999)
        );
    }
}
