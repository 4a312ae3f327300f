//! When which frame goes out.

use std::time::Duration;

use wyze_media::SoundFrame;
use wyze_std::session::Instant;

use super::feed::Next;
use crate::failure::Failure;

/// More than this is not caught up: the frames that come late would all be played at once.
const MOST_LATE: Duration = Duration::from_millis(100);

/// What counts as late.
pub(super) const LATE: Duration = Duration::from_millis(5);

/// How often it is looked whether a microphone has something to say.
const LOOK: Duration = Duration::from_millis(5);

/// Where frames go, and where time passes meanwhile.
pub(super) trait Line {
    /// Whether there is anybody to talk to, and anybody who wants to.
    fn goes_on(&mut self) -> Result<bool, Failure>;

    /// The time.
    fn now(&self) -> Instant;

    /// Lets the session go on until something has happened, at most for `limit`.
    fn step(&mut self, limit: Duration) -> Result<(), Failure>;

    /// Sends a frame that was due at `due`; with it, as much as `played` has been said.
    fn send(&mut self, frame: &SoundFrame, due: Instant, played: Duration) -> Result<(), Failure>;
}

/// Sends the frames that `next` has, each when it is due, until they end or the line does.
pub(super) fn pace(
    pacer: &mut Pacer,
    line: &mut impl Line,
    mut next: impl FnMut() -> Result<Next, Failure>,
) -> Result<(), Failure> {
    let mut frame = None;
    while line.goes_on()? {
        let Some(waiting) = frame.take() else {
            match next()? {
                Next::Frame(next) => frame = Some(next),
                Next::NotYet => line.step(LOOK)?,
                Next::End => break,
            }
            continue;
        };
        let now = line.now();
        let left = pacer.wait(now);
        if !left.is_zero() {
            frame = Some(waiting);
            line.step(left)?;
            continue;
        }
        let due = pacer.send(now, waiting.samples);
        line.send(&waiting, due, pacer.played())?;
    }
    Ok(())
}

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

    const MS: Duration = Duration::from_millis(1);

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
