//! Frames in the shape in which MP4 stores them.

use super::timeline::Stream;
use crate::adts::{self, AacConfig};
use crate::codec::opus_samples;
use crate::nal::{self, NalKind, ParameterSets};
use crate::{AudioCodec, AudioFormat, AudioFrame, VideoFrame};

const OPUS_TIMESCALE: u32 = 48_000;

/// A frame in the shape in which MP4 stores it.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) stream: Stream,
    pub(super) time_us: u64,
    pub(super) key: bool,
    /// Ticks of its track; 0 for video.
    pub(super) duration: u32,
    pub(super) data: Vec<u8>,
}

/// What distinguishes audio tracks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AudioTrack {
    pub(super) format: AudioFormat,
    pub(super) aac: Option<AacConfig>,
}

/// A video frame taken apart.
pub(super) struct Unit {
    pub(super) key: bool,
    pub(super) has_picture: bool,
    pub(super) sets: ParameterSets,
    /// NAL units with four-byte lengths.
    pub(super) data: Vec<u8>,
}

impl Unit {
    /// `None` if it is no Annex B.
    pub(super) fn read(frame: &VideoFrame<'_>) -> Option<Self> {
        if !nal::starts_with_start_code(frame.data) {
            return None;
        }
        let mut unit = Self {
            key: frame.key,
            has_picture: false,
            sets: ParameterSets::collect(frame.codec, nal::nal_units(frame.data)),
            data: Vec::with_capacity(frame.data.len() + 16),
        };
        for nal in nal::nal_units(frame.data) {
            if let NalKind::Slice { key, .. } = nal::kind(frame.codec, nal) {
                unit.has_picture = true;
                unit.key |= key;
            }
            let length = u32::try_from(nal.len()).ok()?;
            unit.data.extend_from_slice(&length.to_be_bytes());
            unit.data.extend_from_slice(nal);
        }
        (!unit.data.is_empty()).then_some(unit)
    }
}

impl AudioTrack {
    /// Ticks per second.
    pub(super) fn timescale(&self) -> u32 {
        match self.format.codec {
            AudioCodec::Opus => OPUS_TIMESCALE,
            _ => self.format.sample_rate,
        }
    }
}

/// The frames that MP4 stores for one of the camera's. `None` if it is not what its codec says.
pub(super) fn store_audio(frame: &AudioFrame<'_>) -> Option<(AudioTrack, Vec<Queued>)> {
    let mut track = AudioTrack {
        format: frame.format,
        aac: None,
    };
    let mut queued = Vec::new();
    let mut push = |time_us, duration, data: &[u8]| {
        queued.push(Queued {
            stream: Stream::Audio,
            time_us,
            key: true,
            duration,
            data: data.to_vec(),
        });
    };
    match frame.format.codec {
        AudioCodec::Aac if adts::is_adts(frame.data) => {
            let mut rest = frame.data;
            let mut time_us = frame.time_us;
            while !rest.is_empty() {
                let adts = adts::split_first(rest)?;
                if track.aac.is_some_and(|known| known != adts.config) {
                    return None;
                }
                track.aac = Some(adts.config);
                push(time_us, adts::SAMPLES_PER_FRAME, adts.payload);
                let lasts = u64::from(adts::SAMPLES_PER_FRAME) * 1_000_000;
                time_us = time_us.saturating_add(lasts / u64::from(adts.config.sample_rate()));
                rest = adts.rest;
            }
        }
        AudioCodec::Aac => {
            track.aac = AacConfig::lc(frame.format.sample_rate, frame.format.channels);
            push(frame.time_us, adts::SAMPLES_PER_FRAME, frame.data);
        }
        AudioCodec::Opus => push(frame.time_us, opus_samples(frame.data)?, frame.data),
        codec @ (AudioCodec::Pcmu | AudioCodec::Pcma | AudioCodec::Pcm16) => {
            // The sample entry has 16 bits for the rate.
            u16::try_from(frame.format.sample_rate)
                .ok()
                .filter(|&rate| rate > 0)?;
            let atom = codec.bytes_per_sample()? * usize::from(frame.format.channels);
            let samples = frame.data.len().checked_div(atom)?;
            if !frame.data.len().is_multiple_of(atom) {
                return None;
            }
            push(frame.time_us, u32::try_from(samples).ok()?, frame.data);
        }
    }
    if frame.format.codec == AudioCodec::Aac {
        let config = track.aac?;
        track.format.sample_rate = config.sample_rate();
        track.format.channels = config.channels();
    }
    (!frame.data.is_empty()).then_some((track, queued))
}
