//! From what a camera writes into FRAMEINFO to a timeline.

use core::time::Duration;

use tutk_core::Instant;

use crate::FrameInfo;

/// Seconds below this are what a camera shows that never learnt the time (`docs/protocol.md` §2.8).
const FIRST_SANE_SECOND: u32 = 1_591_069_888;
const SECOND: u64 = 1_000_000;
/// A clock that gains more than this on ours between two frames was set, not running.
const STEP: u64 = 5 * SECOND;

/// Turns the timestamps of one stream into microseconds that never go backwards.
///
/// With a sane clock the timeline is Unix time, so audio and video line up. Without one it starts at the arrival of the
/// first frame and advances by the microsecond field, which wraps every second; how many seconds a gap skipped is then
/// read off the arrival times. A clock that is set while the stream runs does not break the timeline: the step is
/// replaced by the time that passed.
#[derive(Debug, Clone, Default)]
pub struct MediaClock {
    last: Option<Last>,
}

#[derive(Debug, Clone)]
struct Last {
    arrival: Instant,
    stamp: Stamp,
    number: u32,
    micros: u64,
}

#[derive(Debug, Clone, Copy)]
enum Stamp {
    /// Microseconds since 1970.
    Unix(u64),
    /// Microseconds within a second.
    Fraction(u32),
    /// The 16-byte form: milliseconds since the sender began.
    Millis(u32),
}

impl Stamp {
    fn of(info: &FrameInfo) -> Self {
        let fraction = info.micros % SECOND as u32;
        if usize::from(info.size) == FrameInfo::TALK {
            Self::Millis(info.unix_seconds)
        } else if info.unix_seconds >= FIRST_SANE_SECOND {
            Self::Unix(u64::from(info.unix_seconds) * SECOND + u64::from(fraction))
        } else {
            Self::Fraction(fraction)
        }
    }

    /// Microseconds within the second.
    fn fraction(self) -> u64 {
        match self {
            Self::Unix(micros) => micros % SECOND,
            Self::Fraction(micros) => micros.into(),
            Self::Millis(millis) => u64::from(millis % 1000) * 1000,
        }
    }
}

impl MediaClock {
    /// A clock that has seen no frame.
    pub const fn new() -> Self {
        Self { last: None }
    }

    /// The moment of the next frame, in microseconds: Unix time from a camera that knows it, else counted from the
    /// arrival of the first frame. `arrival` is when the frame was complete.
    pub fn timestamp(&mut self, arrival: Instant, info: &FrameInfo) -> u64 {
        let stamp = Stamp::of(info);
        let micros = match &self.last {
            Some(last) => last
                .micros
                .saturating_add(last.elapsed(arrival, stamp, info)),
            None => match stamp {
                Stamp::Unix(micros) => micros,
                Stamp::Fraction(_) | Stamp::Millis(_) => arrival.as_micros(),
            },
        };
        self.last = Some(Last {
            arrival,
            stamp,
            number: info.number,
            micros,
        });
        micros
    }
}

impl Last {
    fn elapsed(&self, arrival: Instant, stamp: Stamp, info: &FrameInfo) -> u64 {
        let waited = micros(arrival - self.arrival);
        match (self.stamp, stamp) {
            (Stamp::Unix(before), Stamp::Unix(after)) => match after.checked_sub(before) {
                Some(elapsed) if elapsed <= waited.saturating_add(STEP) => elapsed,
                _ => waited,
            },
            (Stamp::Millis(before), Stamp::Millis(after)) => {
                match u64::from(after.wrapping_sub(before)) * 1000 {
                    elapsed if elapsed <= waited.saturating_add(STEP) => elapsed,
                    // A step back is a leap of 49 days forward.
                    _ => waited,
                }
            }
            (before, after) => {
                let fraction = (SECOND + after.fraction() - before.fraction()) % SECOND;
                // Neighbours are less than a second apart, however late the network brought them; but not at one frame
                // a second, where the fraction hardly moves.
                let follows = info.number != 0 && info.number == self.number.wrapping_add(1);
                if follows && info.fps != 1 {
                    return fraction;
                }
                let whole = (waited.saturating_sub(fraction) + SECOND / 2) / SECOND;
                fraction + whole * SECOND
            }
        }
    }
}

fn micros(d: Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Codec;

    fn info(seconds: u32, micros: u32, number: u32) -> FrameInfo {
        FrameInfo {
            micros,
            unix_seconds: seconds,
            number,
            ..FrameInfo::video(Codec::H264, 20, 0)
        }
    }

    const SANE: u32 = 1_767_239_680;

    #[test]
    fn a_sane_clock_is_unix_time_across_gaps_and_wraps() {
        let mut clock = MediaClock::new();
        let base = u64::from(SANE) * SECOND;
        let at = Instant::from_millis;
        assert_eq!(
            clock.timestamp(at(0), &info(SANE, 950_000, 1)),
            base + 950_000
        );
        assert_eq!(
            clock.timestamp(at(50), &info(SANE + 1, 0, 2)),
            base + SECOND
        );
        // three seconds missing
        assert_eq!(
            clock.timestamp(at(3100), &info(SANE + 4, 50_000, 62)),
            base + 4 * SECOND + 50_000
        );
    }

    #[test]
    fn a_sane_clock_is_believed_whatever_the_network_does() {
        let mut clock = MediaClock::new();
        let base = u64::from(SANE) * SECOND;
        // Each frame is 50 ms after the one before; the second comes late, the others behind it in a burst.
        for (i, arrival) in [0, 900, 900, 901].into_iter().enumerate() {
            let info = info(SANE, 50_000 * i as u32, i as u32 + 1);
            let stamp = clock.timestamp(Instant::from_millis(arrival), &info);
            assert_eq!(stamp, base + 50_000 * i as u64);
        }
    }

    #[test]
    fn a_clock_that_gains_more_than_five_seconds_was_set() {
        for (gain, after) in [(5_000_000, 5_050_000), (5_000_001, 50_000)] {
            let mut clock = MediaClock::new();
            let base = u64::from(SANE) * SECOND;
            clock.timestamp(Instant::ZERO, &info(SANE, 0, 1));
            let leap = info(SANE + 5, gain + 50_000 - 5_000_000, 2);
            assert_eq!(
                clock.timestamp(Instant::from_millis(50), &leap),
                base + after
            );
        }
    }

    #[test]
    fn a_sender_that_changes_the_form_of_its_stamps_keeps_its_fraction() {
        let mut clock = MediaClock::new();
        let talk = FrameInfo {
            size: 16,
            ..info(1250, 0, 0)
        };
        let at = Instant::from_millis;
        assert_eq!(clock.timestamp(at(0), &talk), 0);
        assert_eq!(clock.timestamp(at(40), &info(0, 300_000, 1)), 50_000);
    }

    #[test]
    fn without_a_clock_the_fraction_wraps_and_gaps_come_from_arrival() {
        let mut clock = MediaClock::new();
        let start = 7_000_000;
        let at = |ms: u64| Instant::from_micros(start + ms * 1000);
        assert_eq!(clock.timestamp(at(0), &info(0, 900_000, 1)), start);
        assert_eq!(clock.timestamp(at(60), &info(0, 0, 3)), start + 100_000);
        // 2.3 s later by the camera; the network added 120 ms of jitter
        assert_eq!(
            clock.timestamp(at(2520), &info(0, 300_000, 49)),
            start + 2_400_000
        );
        // arrived in a burst
        assert_eq!(
            clock.timestamp(at(2520), &info(0, 350_000, 51)),
            start + 2_450_000
        );
    }

    #[test]
    fn a_stall_of_the_network_is_no_gap_between_neighbours() {
        let mut clock = MediaClock::new();
        clock.timestamp(Instant::ZERO, &info(0, 0, 1));
        let after = clock.timestamp(Instant::from_millis(4000), &info(0, 50_000, 2));
        assert_eq!(after, 50_000);
    }

    #[test]
    fn a_clock_that_is_set_does_not_break_the_timeline() {
        let mut clock = MediaClock::new();
        let at = Instant::from_millis;
        clock.timestamp(at(0), &info(5, 0, 1));
        assert_eq!(clock.timestamp(at(50), &info(SANE, 50_000, 2)), 50_000);
        assert_eq!(clock.timestamp(at(100), &info(SANE, 100_000, 3)), 100_000);
        // an hour forwards, an hour back: what passed here counts
        assert_eq!(clock.timestamp(at(150), &info(SANE + 3600, 0, 4)), 150_000);
        assert_eq!(clock.timestamp(at(200), &info(SANE, 0, 5)), 200_000);
    }

    #[test]
    fn talk_counts_milliseconds() {
        let mut clock = MediaClock::new();
        let talk = |millis| FrameInfo {
            size: 16,
            ..info(millis, 0, 0)
        };
        let at = Instant::from_millis;
        assert_eq!(clock.timestamp(at(10), &talk(u32::MAX - 19)), 10_000);
        assert_eq!(clock.timestamp(at(99), &talk(0)), 30_000);
        assert_eq!(clock.timestamp(at(99), &talk(64)), 94_000);
    }

    #[test]
    fn a_step_back_of_a_talk_clock_is_what_passed_here() {
        let mut clock = MediaClock::new();
        let talk = |millis| FrameInfo {
            size: 16,
            ..info(millis, 0, 0)
        };
        let at = Instant::from_millis;
        assert_eq!(clock.timestamp(at(0), &talk(1000)), 0);
        assert_eq!(clock.timestamp(at(20), &talk(999)), 20_000);
        assert_eq!(clock.timestamp(at(40), &talk(1019)), 40_000);
    }

    #[test]
    fn one_frame_a_second_advances_without_a_clock() {
        let mut clock = MediaClock::new();
        for second in 0..10u32 {
            let slow = FrameInfo {
                fps: 1,
                ..info(0, 500_000, second + 1)
            };
            // The network is late every other time.
            let arrival = second * 1000 + second % 2 * 200;
            let stamp = clock.timestamp(Instant::from_millis(arrival.into()), &slow);
            assert_eq!(stamp, u64::from(second) * SECOND);
        }
    }

    #[test]
    fn never_goes_backwards_whatever_comes() {
        let mut clock = MediaClock::new();
        let mut last = 0;
        let mut x = 12345u64;
        for i in 0..10_000u64 {
            x = x.wrapping_mul(6364136223846793005).wrapping_add(1);
            let mut info = info((x >> 33) as u32, (x >> 11) as u32, (x >> 40) as u32 % 4);
            info.size = if x & 1 == 0 { 16 } else { 40 };
            let t = clock.timestamp(Instant::from_micros(i * (x >> 50)), &info);
            assert!(t >= last || i == 0);
            last = t;
        }
    }
}
