//! Behind the header: placing samples in time and closing fragments.

use std::io::{self, Write};

use super::Fragments;
use super::boxes::{self, FragmentSample, FragmentTrack};
use super::stored::{AudioTrack, Queued};
use super::timeline::{Clock, Stream, Ticks};
use crate::nal::ParameterSets;
use crate::{SinkError, SinkStats, VideoCodec};

/// What a fragment holds at most, in file time and bytes.
const FRAGMENT_US: u64 = 1_000_000;
const FRAGMENT_BYTES: usize = 4 << 20;

/// The header is written; fragments follow.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) codec: VideoCodec,
    /// Those in force.
    pub(super) sets: ParameterSets,
    clock: Clock,
    video: TrackWriter,
    audio: Option<(AudioTrack, TrackWriter)>,
    /// How many have been written.
    fragments: u32,
    fragment_start_us: Option<u64>,
}

/// The samples of one track that wait for their fragment.
#[derive(Debug)]
struct TrackWriter {
    id: u32,
    ticks: Ticks,
    /// What a sample lasts whose successor is not known, in ticks.
    nominal: u64,
    last_time: Option<u64>,
    samples: Vec<Pending>,
    data: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    time: u64,
    size: u32,
    key: bool,
}

impl Writing {
    /// `origin_us` of the camera's clock is the start of the file; the scales are the tracks' ticks per second.
    pub(super) fn new(
        codec: VideoCodec,
        sets: ParameterSets,
        origin_us: u64,
        video_timescale: u32,
        audio: Option<AudioTrack>,
    ) -> Self {
        Self {
            codec,
            sets,
            clock: Clock::new(origin_us),
            video: TrackWriter::new(1, Ticks::video(video_timescale)),
            audio: audio.map(|audio| (audio, TrackWriter::new(2, Ticks::audio(audio.timescale())))),
            fragments: 0,
            fragment_start_us: None,
        }
    }

    /// Is `track` the audio track of this file?
    pub(super) fn holds(&self, track: AudioTrack) -> bool {
        self.audio
            .as_ref()
            .is_some_and(|(known, _)| *known == track)
    }

    /// Takes the next frame, and closes a fragment where one ends.
    pub(super) fn push(
        &mut self,
        queued: Queued,
        fragments: Fragments,
        out: &mut impl Write,
        stats: &mut SinkStats,
    ) -> Result<(), SinkError> {
        let is_video = queued.stream == Stream::Video;
        let track = match &mut self.audio {
            Some((_, audio)) if !is_video => audio,
            None if !is_video => return Ok(()),
            _ => &mut self.video,
        };
        let nominal_us = track.nominal * 1_000_000 / u64::from(track.ticks.timescale);
        let file_us = self.clock.map(queued.stream, queued.time_us, nominal_us);
        let duration = if is_video {
            track.nominal
        } else {
            u64::from(queued.duration)
        };
        let time = track.ticks.place(file_us, duration);
        if self.cut_before(queued.key && is_video, file_us) {
            self.cut(is_video.then_some(time), out, stats)?;
        }
        self.fragment_start_us.get_or_insert(file_us);
        match &mut self.audio {
            Some((_, audio)) if !is_video => audio.push(time, duration, &queued)?,
            _ => self.video.push_video(time, &queued)?,
        }
        if fragments == Fragments::EveryFrame {
            self.cut(None, out, stats)?;
        }
        Ok(())
    }

    fn cut_before(&self, key_frame: bool, file_us: u64) -> bool {
        let Some(start_us) = self.fragment_start_us else {
            return false;
        };
        let audio_bytes = self.audio.as_ref().map_or(0, |(_, t)| t.data.len());
        key_frame && !self.video.samples.is_empty()
            || file_us.abs_diff(start_us) >= FRAGMENT_US
            || self.video.data.len() + audio_bytes >= FRAGMENT_BYTES
    }

    /// Writes a fragment of all that waits. `next_video` is the time of the next picture, if it is known.
    pub(super) fn cut(
        &mut self,
        next_video: Option<u64>,
        out: &mut impl Write,
        stats: &mut SinkStats,
    ) -> Result<(), SinkError> {
        self.fragment_start_us = None;
        let mut tracks = Vec::with_capacity(2);
        tracks.extend(self.video.fragment(next_video));
        if let Some((_, audio)) = &self.audio {
            tracks.extend(audio.fragment(None));
        }
        if tracks.is_empty() {
            return Ok(());
        }
        self.fragments = self.fragments.wrapping_add(1);
        let bytes = boxes::fragment(self.fragments, &tracks).map_err(unencodable)?;
        emit(out, &bytes, stats)?;
        self.video.clear();
        if let Some((_, audio)) = &mut self.audio {
            audio.clear();
        }
        Ok(())
    }
}

impl TrackWriter {
    fn new(id: u32, ticks: Ticks) -> Self {
        Self {
            id,
            // Twenty frames a second until two frames say better.
            nominal: u64::from(ticks.timescale / 20),
            ticks,
            last_time: None,
            samples: Vec::new(),
            data: Vec::new(),
        }
    }

    fn push_video(&mut self, time: u64, queued: &Queued) -> Result<(), SinkError> {
        // A longer distance is a gap and says nothing of the frame rate.
        let nominal = self
            .last_time
            .map(|last| time - last)
            .filter(|&distance| distance < u64::from(self.ticks.timescale))
            .unwrap_or(self.nominal);
        self.push(time, nominal, queued)
    }

    fn push(&mut self, time: u64, nominal: u64, queued: &Queued) -> Result<(), SinkError> {
        let size = u32::try_from(queued.data.len())
            .map_err(|_| SinkError::Io(io::Error::other("a frame beyond 4 GiB")))?;
        self.nominal = nominal;
        self.last_time = Some(time);
        self.samples.push(Pending {
            time,
            size,
            key: queued.key,
        });
        self.data.extend_from_slice(&queued.data);
        Ok(())
    }

    fn fragment(&self, next: Option<u64>) -> Option<FragmentTrack<'_>> {
        let first = self.samples.first()?;
        let last = self.samples.last()?;
        let end = next.unwrap_or(last.time + self.nominal);
        let ends = self.samples.iter().skip(1).map(|s| s.time).chain([end]);
        Some(FragmentTrack {
            track_id: self.id,
            time: first.time,
            samples: self
                .samples
                .iter()
                .zip(ends)
                .map(|(sample, end)| FragmentSample {
                    // Longer gaps are in the start time of the next fragment.
                    duration: u32::try_from(end - sample.time).unwrap_or(u32::MAX),
                    size: sample.size,
                    key: sample.key,
                })
                .collect(),
            data: &self.data,
        })
    }

    fn clear(&mut self) {
        self.samples.clear();
        self.data.clear();
    }
}

/// Writes one whole piece: a header or a fragment.
pub(super) fn emit(
    out: &mut impl Write,
    bytes: &[u8],
    stats: &mut SinkStats,
) -> Result<(), SinkError> {
    out.write_all(bytes)?;
    out.flush()?;
    stats.bytes += bytes.len() as u64;
    Ok(())
}

/// What the MP4 crate refuses to encode.
pub(super) fn unencodable(error: shiguredo_mp4::Error) -> SinkError {
    SinkError::Io(io::Error::other(error.reason))
}
