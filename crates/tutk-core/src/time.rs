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
        divide(self.micros).0
    }

    /// Time since `earlier`; zero when `earlier` lies in the future.
    pub const fn since(self, earlier: Self) -> Duration {
        let (millis, micros) = divide(self.micros.saturating_sub(earlier.micros));
        let (seconds, millis) = divide(millis);
        Duration::new(seconds, (millis * 1000 + micros) * 1000)
    }
}

/// A number divided by 1000, and the rest, by long division: a microcontroller has no division of 64 bits, and the
/// compiler's is a kilobyte of code.
const fn divide(n: u64) -> (u64, u32) {
    let (high, low) = ((n >> 32) as u32, n as u32);
    // Digits of 16 bits: what is carried over is below 1000, so it and a digit fit 32 bits.
    let middle = (high % 1000) << 16 | low >> 16;
    let last = (middle % 1000) << 16 | low & 0xffff;
    let quotient = ((high / 1000) as u64) << 32 | ((middle / 1000) as u64) << 16;
    (quotient | (last / 1000) as u64, last % 1000)
}

impl Add<Duration> for Instant {
    type Output = Self;

    #[inline(never)] // dozens of calls: a copy of this arithmetic in each is half a kilobyte of flash
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
    fn long_division_is_division() {
        let edges = [0, 1, 999, 1000, 0xffff, 0x1_0000, 1 << 32, u64::MAX];
        let near = edges
            .iter()
            .flat_map(|&n| [n.wrapping_sub(1), n, n.wrapping_add(1)]);
        let spread = (0..10_000u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (i % 64));
        for n in near.chain(spread) {
            assert_eq!(divide(n), (n / 1000, (n % 1000) as u32), "{n}");
            assert_eq!(
                Instant::from_micros(n) - Instant::ZERO,
                Duration::from_micros(n)
            );
        }
    }

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
