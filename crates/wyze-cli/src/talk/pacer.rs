//! When which frame goes out.

use std::time::Duration;

use wyze_std::session::Instant;

/// More than this is not caught up: the frames that come late would all be played at once.
const MOST_LATE: Duration = Duration::from_millis(100);

/// What counts as late.
const LATE: Duration = Duration::from_millis(5);

/// Frames on an absolute schedule: each is due as long after the first as the frames before it play. A late frame makes
/// no other one late, so nothing adds up.
#[derive(Debug)]
pub(super) struct Pacer {
    /// Samples a second.
    rate: u32,
    /// When the first frame went out.
    start: Option<Instant>,
    /// What the frames so far play.
    samples: u64,
    /// The latest that a frame went out.
    pub(super) worst: Duration,
    /// Frames that went out more than [`LATE`] behind their time.
    pub(super) late: u32,
    /// How often the schedule was put off, because the frames did not come in time.
    pub(super) put_off: u32,
}

impl Pacer {
    pub(super) const fn new(rate: u32) -> Self {
        Self {
            rate,
            start: None,
            samples: 0,
            worst: Duration::ZERO,
            late: 0,
            put_off: 0,
        }
    }

    /// How long the frames so far play.
    pub(super) fn played(&self) -> Duration {
        let micros = u128::from(self.samples) * 1_000_000 / u128::from(self.rate.max(1));
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// When the next frame is due: that is also when all frames so far have been played.
    pub(super) fn due(&self) -> Option<Instant> {
        Some(self.start? + self.played())
    }

    /// How long until the next frame is due; zero when it is.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.due().map_or(Duration::ZERO, |due| due.since(now))
    }

    /// A frame of `samples` goes out now. When it was due, which is what its time stamp should say.
    pub(super) fn send(&mut self, now: Instant, samples: u32) -> Instant {
        let due = *self.start.get_or_insert(now) + self.played();
        let late = now.since(due);
        self.samples += u64::from(samples);
        if late > MOST_LATE {
            self.start = self.start.map(|start| start + late);
            self.put_off += 1;
            return now;
        }
        self.worst = self.worst.max(late);
        self.late += u32::from(late > LATE);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look random, the same in every run.
    struct Noise(u64);

    impl Noise {
        /// Below `limit`.
        fn up_to(&mut self, limit: Duration) -> Duration {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let micros = u64::try_from(limit.as_micros()).unwrap();
            Duration::from_micros((self.0 >> 33) % micros)
        }
    }

    const MS: Duration = Duration::from_millis(1);

    /// Sends a minute of frames on a virtual clock whose waits last longer than they should. When each frame went out,
    /// and after how many samples.
    fn a_minute(rate: u32, frame: u32, noise: &mut Noise) -> Vec<(Instant, u64)> {
        let mut now = Instant::ZERO + noise.up_to(1000 * MS);
        let (mut pacer, mut sent, mut samples) = (Pacer::new(rate), Vec::new(), 0);
        while samples < u64::from(rate) * 60 {
            let left = pacer.wait(now);
            if left.is_zero() {
                pacer.send(now, frame);
                sent.push((now, samples));
                samples += u64::from(frame);
                now += noise.up_to(MS); // encryption, other work
            } else if noise.up_to(3 * MS) < MS {
                now += noise.up_to(left); // a datagram
            } else {
                now += left + noise.up_to(MS);
            }
        }
        assert!(pacer.worst < 5 * MS && pacer.late == 0 && pacer.put_off == 0);
        sent
    }

    #[test]
    fn a_minute_is_paced_within_five_milliseconds_of_real_time() {
        for (rate, frame) in [
            (8_000, 160),
            (16_000, 160),
            (16_000, 320),
            (16_000, 1024),
            (44_100, 1024),
            (48_000, 960),
            (11_025, 512),
        ] {
            for seed in 0..50 {
                let sent = a_minute(rate, frame, &mut Noise(seed));
                let (start, _) = sent[0];
                for (at, samples) in &sent {
                    // In exact arithmetic, apart from the pacer's.
                    let ideal = *samples as f64 / f64::from(rate);
                    let off = (*at - start).as_secs_f64() - ideal;
                    assert!(
                        (-2e-6..0.005).contains(&off),
                        "{rate}/{frame}, seed {seed}: {off} s after {ideal} s"
                    );
                }
            }
        }
    }

    #[test]
    fn a_short_delay_is_caught_up() {
        let mut pacer = Pacer::new(8_000);
        let start = Instant::from_millis(500);
        assert_eq!(pacer.wait(start), Duration::ZERO);
        assert_eq!(pacer.send(start, 160), start);
        assert_eq!(pacer.wait(start), 20 * MS);
        assert_eq!(pacer.wait(start + 12 * MS), 8 * MS);
        // 70 ms go by: three more frames are due, with the times they should have had.
        let now = start + 70 * MS;
        for n in 1..=3 {
            assert_eq!(pacer.wait(now), Duration::ZERO);
            assert_eq!(pacer.send(now, 160), start + 20 * n * MS);
        }
        assert_eq!(pacer.wait(now), 10 * MS);
        assert_eq!((pacer.worst, pacer.late, pacer.put_off), (50 * MS, 3, 0));
    }

    #[test]
    fn a_long_delay_puts_the_rest_off_instead_of_playing_it_at_once() {
        let mut pacer = Pacer::new(8_000);
        let start = Instant::from_millis(500);
        pacer.send(start, 160);
        let now = start + Duration::from_secs(10);
        assert_eq!(pacer.send(now, 160), now);
        assert_eq!(pacer.wait(now), 20 * MS);
        assert_eq!(pacer.due(), Some(now + 20 * MS));
        assert_eq!((pacer.worst, pacer.put_off), (Duration::ZERO, 1));
    }
}
