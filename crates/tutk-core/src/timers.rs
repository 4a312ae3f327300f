//! Deadlines as a table, and repetition that slows down.

use core::time::Duration;

use rand_core::Rng;

use crate::Instant;

/// A fixed table of optional deadlines, indexed by a layer's own timer enum (`as usize`).
///
/// `handle_timeout` asks for each timer in turn whether it has [`expired`](Self::expired); `poll_timeout` is
/// [`next`](Self::next). Spurious calls are free.
///
/// ```
/// use tutk_core::{Instant, Timers};
/// enum Timer { Resend, Deadline }
/// let mut timers = Timers::<2>::new();
/// timers.set(Timer::Resend as usize, Instant::from_millis(300));
/// timers.set(Timer::Deadline as usize, Instant::from_millis(5000));
/// assert_eq!(timers.next(), Some(Instant::from_millis(300)));
/// assert!(timers.expired(Timer::Resend as usize, Instant::from_millis(300)));
/// assert_eq!(timers.next(), Some(Instant::from_millis(5000))); // an expired timer is stopped
/// ```
#[derive(Debug, Clone)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Timers<const N: usize>([Instant; N]);

/// Stands for a timer that does not run: no clock gets there, and arithmetic saturates there.
const NEVER: Instant = Instant::from_micros(u64::MAX);

impl<const N: usize> Timers<N> {
    /// A table in which nothing runs.
    pub const fn new() -> Self {
        Self([NEVER; N])
    }

    /// Starts timer `t`, or moves it. An index outside of the table is ignored.
    pub fn set(&mut self, t: usize, at: Instant) {
        if let Some(slot) = self.0.get_mut(t) {
            *slot = at;
        }
    }

    /// Stops timer `t`.
    pub fn stop(&mut self, t: usize) {
        self.set(t, NEVER);
    }

    /// Stops every timer.
    pub fn stop_all(&mut self) {
        stop(&mut self.0);
    }

    /// When timer `t` will expire, if it runs.
    pub fn get(&self, t: usize) -> Option<Instant> {
        self.0.get(t).copied().filter(|&at| at != NEVER)
    }

    /// Whether timer `t` is due at `now`; if so it is stopped.
    pub fn expired(&mut self, t: usize, now: Instant) -> bool {
        self.0.get_mut(t).is_some_and(|slot| expired(slot, now))
    }

    /// The earliest deadline; `None` when nothing runs.
    pub fn next(&self) -> Option<Instant> {
        earliest(&self.0)
    }
}

#[inline(never)]
fn stop(slots: &mut [Instant]) {
    slots.fill(NEVER);
}

#[inline(never)] // each layer has several timers, and asks each of them
fn expired(slot: &mut Instant, now: Instant) -> bool {
    let due = *slot <= now && *slot != NEVER;
    if due {
        *slot = NEVER;
    }
    due
}

/// The earlier of two deadlines, where there are any.
#[inline(never)] // every layer asks those inside of it
pub fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}

#[inline(never)] // one copy for all layers
fn earliest(slots: &[Instant]) -> Option<Instant> {
    slots.iter().min().copied().filter(|&at| at != NEVER)
}

impl<const N: usize> Default for Timers<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// Intervals that double from `first` to `cap`, each lengthened by up to an eighth at random so that many devices on
/// one network do not fall into step.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Backoff {
    first: Duration,
    next: Duration,
    cap: Duration,
}

impl Backoff {
    /// Starts at `first`, never exceeds `cap` (before jitter).
    pub const fn new(first: Duration, cap: Duration) -> Self {
        Self {
            first,
            next: first,
            cap,
        }
    }

    /// The next interval; the one after it is twice as long.
    pub fn advance(&mut self, rng: &mut (impl Rng + ?Sized)) -> Duration {
        let base = self.next.min(self.cap);
        self.next = base.saturating_add(base);
        // No interval is longer than an hour. `as_micros` and `Duration * 2` divide by more than 32 bits.
        let seconds = u32::try_from(base.as_secs()).unwrap_or(u32::MAX);
        let span = seconds
            .saturating_mul(1_000_000)
            .saturating_add(base.subsec_micros())
            / 8;
        let jitter = if span == 0 { 0 } else { rng.next_u32() % span };
        let (seconds, micros) = (jitter / 1_000_000, jitter % 1_000_000);
        base.saturating_add(Duration::new(seconds.into(), micros * 1000))
    }

    /// Begins again at `first`: something has answered.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn backoff_doubles_to_its_cap_with_bounded_jitter() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut backoff = Backoff::new(Duration::from_millis(300), Duration::from_millis(1000));
        for base in [300u64, 600, 1000, 1000] {
            let d = backoff.advance(&mut rng);
            let base = Duration::from_millis(base);
            assert!(d >= base && d <= base + base / 8, "{d:?} for {base:?}");
        }
        backoff.reset();
        assert!(backoff.advance(&mut rng) < Duration::from_millis(340));
    }

    #[test]
    fn the_end_of_time_is_a_timer_that_does_not_run() {
        let mut timers = Timers::<2>::new();
        let end = Instant::from_micros(u64::MAX);
        assert!(!timers.expired(0, end));
        timers.set(0, Instant::ZERO + Duration::MAX);
        assert_eq!((timers.next(), timers.get(0)), (None, None));
        timers.set(1, Instant::ZERO);
        assert_eq!(timers.next(), Some(Instant::ZERO));
        timers.stop(1);
        assert_eq!((timers.next(), timers.get(1)), (None, None));
    }

    #[test]
    fn a_deadline_is_earlier_than_none() {
        let (one, two) = (Some(Instant::from_millis(1)), Some(Instant::from_millis(2)));
        for (a, b, first) in [
            (one, two, one),
            (two, one, one),
            (two, None, two),
            (None, two, two),
            (None, None, None),
        ] {
            assert_eq!(earlier(a, b), first);
        }
    }

    #[test]
    fn index_outside_of_the_table_is_ignored() {
        let mut timers = Timers::<1>::new();
        timers.set(7, Instant::ZERO);
        assert_eq!(timers.next(), None);
        assert!(!timers.expired(7, Instant::ZERO));
    }
}
