//! From the camera's clock to the time of a file.
//!
//! The camera stamps every frame with its wall clock. Three things happen to that clock that a file must survive: it
//! stands still or steps back a little (frames stay in order), frames are missing (the gap stays), and it is set, by
//! years (the time goes on as if nothing had happened).

/// A step back beyond this, in microseconds, means that the clock was set.
const SET_BACK_US: i64 = 1_000_000;
/// A step forward beyond this means that the clock was set; a shorter one is a gap.
const SET_FORWARD_US: i64 = 24 * 3600 * 1_000_000;
/// If one stream's clock was set, the other one follows within this.
const FOLLOW_US: i64 = 5_000_000;

/// Which stream of the [`Clock`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Video,
    Audio,
}

/// Maps the camera's clock to microseconds since the start of the file, the same way for both streams.
#[derive(Debug)]
pub(super) struct Clock {
    video: Mapping,
    audio: Mapping,
}

#[derive(Debug, Clone, Copy)]
struct Mapping {
    /// What to add to the camera's time.
    shift: i64,
    last: Option<i64>,
}

impl Clock {
    /// `origin_us` of the camera is 0 of the file.
    pub(super) fn new(origin_us: u64) -> Self {
        let mapping = Mapping {
            shift: signed(origin_us).saturating_neg(),
            last: None,
        };
        Self {
            video: mapping,
            audio: mapping,
        }
    }

    /// File time of a frame. `nominal_us` is how long the frame before it lasts if all is well.
    pub(super) fn map(&mut self, stream: Stream, camera_us: u64, nominal_us: u64) -> u64 {
        let other_shift = match stream {
            Stream::Video => self.audio.shift,
            Stream::Audio => self.video.shift,
        };
        let mapping = match stream {
            Stream::Video => &mut self.video,
            Stream::Audio => &mut self.audio,
        };
        let camera = signed(camera_us);
        let mut time = camera.saturating_add(mapping.shift);
        // Before its first frame a stream stands at the start of the file.
        let last = mapping.last.unwrap_or(0);
        if !(-SET_BACK_US..=SET_FORWARD_US).contains(&(time.saturating_sub(last))) {
            let follow = camera.saturating_add(other_shift);
            time = if (0..=FOLLOW_US).contains(&follow.saturating_sub(last)) {
                follow
            } else {
                last.saturating_add(signed(nominal_us))
            };
            mapping.shift = time.saturating_sub(camera);
        }
        mapping.last = Some(time);
        time.max(0) as u64
    }
}

fn signed(us: u64) -> i64 {
    // Half of the range is 292 000 years.
    i64::try_from(us).unwrap_or(i64::MAX)
}

/// Decoding times of one track in its own time scale: strictly rising.
#[derive(Debug)]
pub(super) struct Ticks {
    pub(super) timescale: u32,
    /// Within this of the expected time a frame is put exactly there. Zero for video; for audio it takes out the
    /// jitter of the camera's stamps, since every frame says how long it lasts.
    slack: u64,
    last: Option<(u64, u64)>,
}

impl Ticks {
    pub(super) fn video(timescale: u32) -> Self {
        Self {
            timescale,
            slack: 0,
            last: None,
        }
    }

    pub(super) fn audio(timescale: u32) -> Self {
        Self {
            timescale,
            // 40 ms out of step cannot be heard or seen; beyond that, frames were lost.
            slack: u64::from(timescale) / 25,
            last: None,
        }
    }

    /// The decoding time of a frame at `time_us` of the file that lasts `duration` ticks.
    pub(super) fn place(&mut self, time_us: u64, duration: u64) -> u64 {
        let wanted = self.at(time_us);
        let time = match self.last {
            None => wanted,
            Some((last, last_duration)) => {
                let expected = last + last_duration;
                if wanted.abs_diff(expected) <= self.slack {
                    expected
                } else {
                    wanted
                }
                .max(last + 1)
            }
        };
        self.last = Some((time, duration));
        time
    }

    fn at(&self, time_us: u64) -> u64 {
        let ticks = (u128::from(time_us) * u128::from(self.timescale) + 500_000) / 1_000_000;
        // Leaves room for sums.
        ticks.min(1 << 62) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEARS: u64 = 50 * 365 * 86_400 * 1_000_000;

    #[test]
    fn gaps_of_hours_survive() {
        let mut clock = Clock::new(1_000);
        assert_eq!(clock.map(Stream::Video, 1_000, 50_000), 0);
        let hours = 5 * 3600 * 1_000_000;
        assert_eq!(clock.map(Stream::Video, 1_000 + hours, 50_000), hours);
    }

    #[test]
    fn setting_the_clock_leaves_no_gap_and_keeps_the_streams_together() {
        let mut clock = Clock::new(0);
        clock.map(Stream::Video, 100_000, 50_000);
        clock.map(Stream::Audio, 110_000, 64_000);
        assert_eq!(clock.map(Stream::Video, YEARS + 150_000, 50_000), 150_000);
        assert_eq!(clock.map(Stream::Audio, YEARS + 174_000, 64_000), 174_000);
        // And back.
        assert_eq!(clock.map(Stream::Audio, 240_000, 64_000), 238_000);
        assert_eq!(clock.map(Stream::Video, 200_000, 50_000), 198_000);
    }

    #[test]
    fn small_steps_back_stay_in_order() {
        let mut ticks = Ticks::video(90_000);
        assert_eq!(ticks.place(50_000, 4500), 4500);
        assert_eq!(ticks.place(40_000, 4500), 4501);
        assert_eq!(ticks.place(40_000, 4500), 4502);
        assert_eq!(ticks.place(100_000, 4500), 9000);
    }

    #[test]
    fn audio_jitter_is_taken_out_and_lost_frames_are_not() {
        let mut ticks = Ticks::audio(16_000);
        assert_eq!(ticks.place(0, 1024), 0);
        assert_eq!(ticks.place(70_000, 1024), 1024);
        assert_eq!(ticks.place(125_000, 1024), 2048);
        // One of 64 ms is missing.
        assert_eq!(ticks.place(256_000, 1024), 4096);
    }

    #[test]
    fn extreme_times_do_not_overflow() {
        let mut clock = Clock::new(u64::MAX);
        let mut ticks = Ticks::video(u32::MAX);
        for time in [u64::MAX, 0, u64::MAX, 1, u64::MAX / 2] {
            let file = clock.map(Stream::Video, time, u64::MAX);
            ticks.place(file, 10);
        }
    }
}
