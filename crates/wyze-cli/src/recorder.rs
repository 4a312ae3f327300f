//! Frames into a file, with limits, counters and a report: what `stream` and `demo` have in common.

use std::path::{Path, PathBuf};
use std::time::Duration;

use wyze_media::{
    AudioCodec, AudioFormat, AudioFrame, Format, Output, Sink, SinkError, VideoCodec, VideoFrame,
};
use wyze_std::session::{Cause, Dropped, Frame, Stream};

use crate::failure::{Exit, Failure};
use crate::ledger::Ledger;
use crate::meter::Meter;
use crate::report::Report;
use crate::step::Step;
use crate::watch::{End, Flow, Repairs, Viewer};

/// When a recording is long enough.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Limits {
    /// Time since the first video frame; since the first audio frame when only audio is written.
    pub(crate) duration: Option<Duration>,
    /// Video frames; audio frames when only audio is written.
    pub(crate) frames: Option<u64>,
}

/// Writes what it sees.
pub(crate) struct Recorder {
    output: Output,
    path: PathBuf,
    format: Format,
    limits: Limits,
    ledger: Option<Ledger>,
    pub(crate) meter: Meter,
    pub(crate) report: Report,
}

/// A recording that was written as it should be.
pub(crate) struct Recorded {
    pub(crate) meter: Meter,
    pub(crate) report: Report,
    /// Why it ended, in one word.
    pub(crate) cause: &'static str,
    /// What the file holds.
    pub(crate) written: wyze_media::SinkStats,
}

impl Recorder {
    /// Opens the output, before anything is sent to a camera.
    pub(crate) fn open(
        path: &Path,
        format: Format,
        audio: bool,
        limits: Limits,
        report: Report,
    ) -> Result<Self, Failure> {
        Ok(Self {
            output: Output::open(path, Some(format), audio)?,
            path: path.to_owned(),
            format,
            limits,
            ledger: None,
            meter: Meter::new(matches!(format, Format::Audio(_))),
            report,
        })
    }

    /// Also writes down every frame.
    pub(crate) fn set_ledger(&mut self, ledger: Option<Ledger>) {
        self.ledger = ledger;
    }

    /// Closes the file. Whatever ended the recording, what it holds is playable; a file without a frame is removed.
    pub(crate) fn conclude(mut self, end: Result<End, Failure>) -> Result<Recorded, Failure> {
        let finished = self.output.finish();
        let nothing = matches!(finished, Err(SinkError::NothingWritten));
        let written = self.output.stats();
        drop(self.output);
        let cause = match end {
            Ok(End::Interrupted) => "interrupted",
            _ => "enough",
        };
        let failure = match end {
            Err(failure) => Some(failure),
            Ok(End::Closed(cause)) => Some(cause.into()),
            Ok(End::Interrupted) if nothing => Some(Failure::new(
                Exit::Interrupted,
                "interrupted before anything was written; no file is left",
            )),
            Ok(End::Interrupted | End::Enough) => None,
        };
        let failure = failure
            .map(|f| {
                if written.bytes > 0 {
                    keep_note(f, &self.path, &self.meter)
                } else {
                    f
                }
            })
            .or_else(|| finished.err().map(Failure::from))
            .or_else(|| self.ledger.map(Ledger::finish)?.err());
        match failure {
            Some(failure) => {
                self.report
                    .end(cause, Some(&failure), self.meter.totals(), None);
                Err(failure)
            }
            None => Ok(Recorded {
                meter: self.meter,
                report: self.report,
                cause,
                written,
            }),
        }
    }

    fn write(&mut self, frame: &Frame<'_>) -> Result<(), Failure> {
        let code = u16::from(frame.info.codec);
        match frame.stream {
            Stream::Video => {
                let Some(codec) = VideoCodec::from_frame_info(code) else {
                    return Err(Failure::new(
                        Exit::Output,
                        format!(
                            "the camera's video is {:?}, which cannot be stored; try another --quality",
                            frame.info.codec
                        ),
                    ));
                };
                self.output.write_video(VideoFrame {
                    codec,
                    time_us: frame.timestamp,
                    key: frame.key,
                    data: frame.data,
                })?;
            }
            Stream::Audio => {
                if let Some(format) = audio_format(code, frame) {
                    self.output.write_audio(AudioFrame {
                        format,
                        time_us: frame.timestamp,
                        data: frame.data,
                    })?;
                }
            }
        }
        Ok(())
    }

    fn has_enough_frames(&self) -> bool {
        let stats = self.output.stats();
        let count = match self.format {
            Format::Audio(_) => stats.audio_frames,
            _ => self
                .meter
                .video_frames
                .saturating_sub(stats.before_key + stats.malformed),
        };
        self.limits.frames.is_some_and(|limit| count >= limit)
    }
}

impl Viewer for Recorder {
    fn step(&mut self, at: Duration, step: &Step) {
        self.report.step(at, step);
    }

    fn frame(&mut self, at: Duration, frame: &Frame<'_>) -> Result<Flow, Failure> {
        self.meter.frame(at, frame);
        if let Some(ledger) = &mut self.ledger {
            ledger.enter(frame.stream, frame.data);
        }
        self.write(frame)?;
        Ok(if self.has_enough_frames() {
            Flow::Enough
        } else {
            Flow::More
        })
    }

    fn dropped(&mut self, _: Duration, stream: Stream, frame: &Dropped) {
        self.meter.dropped += 1;
        self.report.dropped(stream, frame);
    }

    fn lost(&mut self, at: Duration, cause: Cause) {
        self.meter.losses += 1;
        self.report.lost(at, cause);
    }

    fn found(&mut self, at: Duration, away: Duration) {
        self.report.found(at, away);
    }

    fn tick(&mut self, at: Duration, repairs: Repairs) -> Flow {
        self.meter.repairs = repairs;
        self.report.progress(at, &mut self.meter);
        match (self.limits.duration, self.meter.since_first(at)) {
            (Some(limit), Some(elapsed)) if elapsed >= limit => Flow::Enough,
            _ => Flow::More,
        }
    }
}

/// The format of an audio frame, if it can be stored. Cameras say AAC's in the ADTS header only.
fn audio_format(code: u16, frame: &Frame<'_>) -> Option<AudioFormat> {
    let codec = AudioCodec::from_frame_info(code)?;
    let (sample_rate, channels) = frame
        .info
        .audio_format()
        .map_or((16_000, 1), |format| (format.sample_rate, format.channels));
    Some(AudioFormat {
        codec,
        sample_rate,
        channels,
    })
}

fn keep_note(mut failure: Failure, path: &Path, meter: &Meter) -> Failure {
    if path != Path::new("-") {
        failure.message += &format!(
            " ({:.1} s that came before are in {})",
            meter.running().as_secs_f64(),
            path.display()
        );
    }
    failure
}
