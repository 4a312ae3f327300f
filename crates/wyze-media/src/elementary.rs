//! Raw streams: video as Annex B, audio as ADTS or bare samples.

use std::io::Write;

use crate::adts::{self, AacConfig};
use crate::nal::{self, ParameterSets};
use crate::{AudioCodec, AudioFrame, Sink, SinkError, SinkStats, VideoCodec, VideoFrame};

/// Writes the video as it comes, from the first key frame with its parameter sets on, and nothing else. There are no
/// times in such a stream.
#[derive(Debug)]
pub struct AnnexBWriter<W> {
    out: W,
    codec: Option<VideoCodec>,
    started: bool,
    stats: SinkStats,
}

impl<W: Write> AnnexBWriter<W> {
    /// Writes to `out`, one `write_all` and one `flush` per frame. Frames of another codec than `codec` end the
    /// writing; `None` takes whatever comes first.
    pub fn new(out: W, codec: Option<VideoCodec>) -> Self {
        Self {
            out,
            codec,
            started: false,
            stats: SinkStats::default(),
        }
    }

    /// Gives the writer back.
    pub fn into_inner(self) -> W {
        self.out
    }
}

impl<W: Write> Sink for AnnexBWriter<W> {
    fn write_video(&mut self, frame: VideoFrame<'_>) -> Result<(), SinkError> {
        let codec = *self.codec.get_or_insert(frame.codec);
        if codec != frame.codec {
            return Err(if self.started {
                SinkError::CodecChanged {
                    from: codec,
                    to: frame.codec,
                }
            } else {
                SinkError::OtherCodec {
                    wanted: codec.name(),
                    got: frame.codec.name(),
                }
            });
        }
        if !nal::starts_with_start_code(frame.data) {
            self.stats.malformed += 1;
            return Ok(());
        }
        if !self.started {
            // A frame that brings the parameter sets is a key frame, or belongs to the one that follows.
            let sets = ParameterSets::collect(codec, nal::nal_units(frame.data));
            if !sets.complete(codec) {
                self.stats.before_key += 1;
                return Ok(());
            }
            self.started = true;
        }
        self.out.write_all(frame.data)?;
        self.out.flush()?;
        self.stats.video_frames += 1;
        self.stats.bytes += frame.data.len() as u64;
        Ok(())
    }

    fn write_audio(&mut self, _: AudioFrame<'_>) -> Result<(), SinkError> {
        self.stats.audio_left_out += 1;
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        if self.started {
            Ok(())
        } else {
            Err(SinkError::NothingWritten)
        }
    }

    fn stats(&self) -> SinkStats {
        self.stats
    }
}

/// Writes the audio and nothing else: AAC as ADTS (whatever the camera wraps it in), G.711 and PCM as bare samples.
#[derive(Debug)]
pub struct AudioWriter<W> {
    out: W,
    codec: AudioCodec,
    stats: SinkStats,
}

impl<W: Write> AudioWriter<W> {
    /// Writes to `out`, one `write_all` and one `flush` per frame. Opus packets do not say where they end, so Opus is
    /// [`SinkError::Unsupported`].
    pub fn new(out: W, codec: AudioCodec) -> Result<Self, SinkError> {
        if codec == AudioCodec::Opus {
            return Err(SinkError::Unsupported {
                codec: codec.name(),
            });
        }
        Ok(Self {
            out,
            codec,
            stats: SinkStats::default(),
        })
    }

    /// Gives the writer back.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn write(&mut self, parts: &[&[u8]]) -> Result<(), SinkError> {
        let bytes = parts.concat();
        self.out.write_all(&bytes)?;
        self.out.flush()?;
        self.stats.audio_frames += 1;
        self.stats.bytes += bytes.len() as u64;
        Ok(())
    }
}

impl<W: Write> Sink for AudioWriter<W> {
    fn write_video(&mut self, _: VideoFrame<'_>) -> Result<(), SinkError> {
        Ok(())
    }

    fn write_audio(&mut self, frame: AudioFrame<'_>) -> Result<(), SinkError> {
        if frame.format.codec != self.codec {
            return Err(SinkError::OtherCodec {
                wanted: self.codec.name(),
                got: frame.format.codec.name(),
            });
        }
        if self.codec != AudioCodec::Aac || adts::is_adts(frame.data) {
            return self.write(&[frame.data]);
        }
        let header = AacConfig::lc(frame.format.sample_rate, frame.format.channels)
            .and_then(|config| config.header(frame.data.len()));
        match header {
            Some(header) => self.write(&[&header, frame.data]),
            None => {
                self.stats.malformed += 1;
                Ok(())
            }
        }
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        if self.stats.audio_frames > 0 {
            Ok(())
        } else {
            Err(SinkError::NothingWritten)
        }
    }

    fn stats(&self) -> SinkStats {
        self.stats
    }
}
