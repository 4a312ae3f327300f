//! What has come so far, and how fast.

use std::time::Duration;

use serde_json::{Map, Value, json};
use wyze_std::session::{Frame, Stream};

use crate::watch::Repairs;

/// Counts frames and measures rates.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// Sound alone is wanted: what is measured is audio instead of video.
    audio_only: bool,
    pub(crate) video_frames: u64,
    pub(crate) audio_frames: u64,
    /// Of both streams, without headers.
    pub(crate) bytes: u64,
    /// Frames that were given up, of both streams.
    pub(crate) dropped: u64,
    /// How often the camera was lost and searched for again.
    pub(crate) losses: u64,
    /// What lossless mode has done.
    pub(crate) repairs: Repairs,
    /// When the first and the last frame of the measured stream came.
    first: Option<Duration>,
    last: Duration,
    window: Window,
}

/// Where the present measurement began, and what the one before showed.
#[derive(Debug, Default)]
struct Window {
    start: Duration,
    frames: u64,
    bytes: u64,
    rates: Rates,
}

/// Rates over the last window.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Rates {
    pub(crate) fps: f64,
    pub(crate) kbit_per_second: f64,
}

impl Meter {
    /// One that measures video, or audio when that is all that is wanted.
    pub(crate) fn new(audio_only: bool) -> Self {
        Self {
            audio_only,
            ..Self::default()
        }
    }

    pub(crate) fn frame(&mut self, at: Duration, frame: &Frame<'_>) {
        self.count(at, frame.stream, frame.data.len());
    }

    fn count(&mut self, at: Duration, stream: Stream, len: usize) {
        match stream {
            Stream::Video => self.video_frames += 1,
            Stream::Audio => self.audio_frames += 1,
        }
        if self.audio_only == (stream == Stream::Audio) {
            if self.first.is_none() {
                self.first = Some(at);
                self.window.start = at;
            }
            self.last = at;
        }
        self.bytes += len as u64;
    }

    /// Frames of the measured stream.
    fn frames(&self) -> u64 {
        if self.audio_only {
            self.audio_frames
        } else {
            self.video_frames
        }
    }

    /// How long frames have been coming.
    pub(crate) fn running(&self) -> Duration {
        self.first
            .map_or(Duration::ZERO, |first| self.last.saturating_sub(first))
    }

    /// How long it is since the first frame.
    pub(crate) fn since_first(&self, now: Duration) -> Option<Duration> {
        Some(now.saturating_sub(self.first?))
    }

    /// Ends a measurement when `length` has passed since the last one ended; its rates then.
    pub(crate) fn measure(&mut self, now: Duration, length: Duration) -> Option<Rates> {
        self.first?;
        let elapsed = now.saturating_sub(self.window.start);
        if elapsed < length || elapsed.is_zero() {
            return None;
        }
        let seconds = elapsed.as_secs_f64();
        let frames = (self.frames() - self.window.frames) as f64;
        let bits = (self.bytes - self.window.bytes) as f64 * 8.0;
        let rates = Rates {
            fps: frames / seconds,
            kbit_per_second: bits / 1000.0 / seconds,
        };
        self.window = Window {
            start: now,
            frames: self.frames(),
            bytes: self.bytes,
            rates,
        };
        Some(rates)
    }

    /// Share of frames that did not arrive, in percent.
    pub(crate) fn loss(&self) -> f64 {
        let all = self.video_frames + self.audio_frames + self.dropped;
        if all == 0 {
            0.0
        } else {
            self.dropped as f64 * 100.0 / all as f64
        }
    }

    /// The progress line.
    pub(crate) fn line(&self) -> String {
        let Rates {
            fps,
            kbit_per_second,
        } = self.window.rates;
        format!(
            "{:7.1} s {:6} frames {fps:5.1} fps {kbit_per_second:6.0} kbit/s  loss {:.1} %",
            self.running().as_secs_f64(),
            self.frames(),
            self.loss(),
        )
    }

    /// The totals of `--json`.
    pub(crate) fn totals(&self) -> Map<String, Value> {
        let Value::Object(map) = json!({
            "seconds": round(self.running().as_secs_f64(), 1000.0),
            "video_frames": self.video_frames,
            "audio_frames": self.audio_frames,
            "bytes": self.bytes,
            "dropped": self.dropped,
            "losses": self.losses,
            "lossless": self.repairs.lossless,
            "repaired": self.repairs.repaired,
        }) else {
            return Map::new();
        };
        map
    }
}

impl Rates {
    pub(crate) fn add_to(self, map: &mut Map<String, Value>) {
        map.insert("fps".into(), round(self.fps, 10.0).into());
        map.insert(
            "kbit_per_second".into(),
            round(self.kbit_per_second, 1.0).into(),
        );
    }
}

fn round(value: f64, unit: f64) -> f64 {
    (value * unit).round() / unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_cover_one_window() {
        let mut meter = Meter::default();
        let ms = Duration::from_millis;
        assert_eq!(meter.measure(ms(500), ms(0)), None, "nothing came yet");
        for i in 0..20 {
            meter.count(ms(1000 + i * 50), Stream::Video, 1250);
        }
        assert_eq!(meter.measure(ms(1900), ms(1000)), None);
        let rates = meter.measure(ms(2000), ms(1000)).unwrap();
        assert_eq!((rates.fps, rates.kbit_per_second), (20.0, 200.0));
        assert_eq!(meter.measure(ms(3000), ms(1000)).unwrap(), Rates::default());
        assert_eq!(meter.running(), ms(950));
    }

    #[test]
    fn sound_alone_is_measured_without_a_picture() {
        let ms = Duration::from_millis;
        let mut meter = Meter::new(true);
        meter.count(ms(900), Stream::Video, 1);
        assert_eq!(meter.since_first(ms(1000)), None);
        for i in 0..10 {
            meter.count(ms(1000 + i * 100), Stream::Audio, 125);
        }
        assert_eq!(meter.since_first(ms(3000)), Some(ms(2000)));
        assert_eq!(meter.running(), ms(900));
        assert_eq!(meter.measure(ms(2000), ms(1000)).unwrap().fps, 10.0);
    }

    #[test]
    fn loss_is_a_share_of_all_frames() {
        let mut meter = Meter::default();
        assert_eq!(meter.loss(), 0.0);
        meter.count(Duration::ZERO, Stream::Video, 1);
        meter.count(Duration::ZERO, Stream::Audio, 1);
        meter.dropped = 2;
        assert_eq!(meter.loss(), 50.0);
    }
}
