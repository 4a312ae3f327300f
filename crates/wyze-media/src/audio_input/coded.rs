//! Coded sound, passed through frame by frame: ADTS AAC and Ogg Opus.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use ogg::{OggReadError, PacketReader};

use super::error::Problem;
use super::peek::{Bytes, Peek};
use super::{MAX_FRAME, SoundFrame};
use crate::adts::{self, AacConfig};
use crate::codec::opus_samples;
use crate::{AudioCodec, AudioFormat};

/// AAC in ADTS frames.
pub(super) struct Adts {
    input: BufReader<Bytes>,
    first: AacConfig,
    frames: u64,
}

impl Adts {
    pub(super) fn new(mut bytes: Peek) -> Result<Self, Problem> {
        let head = bytes.head(64).map_err(Problem::Io)?;
        let len = adts::frame_len(head).unwrap_or_default();
        let head = bytes.head(len).map_err(Problem::Io)?;
        let Some(frame) = adts::split_first(head) else {
            return Err(Problem::Unreadable(
                "is AAC in a form that no camera plays".into(),
            ));
        };
        Ok(Self {
            first: frame.config,
            input: BufReader::new(bytes.into_bytes()),
            frames: 0,
        })
    }

    pub(super) fn format(&self) -> AudioFormat {
        AudioFormat {
            codec: AudioCodec::Aac,
            sample_rate: self.first.sample_rate(),
            channels: self.first.channels(),
        }
    }

    /// The next frame with its header; a frame that is cut off at the end is left out.
    pub(super) fn read(&mut self) -> Result<Option<SoundFrame>, Problem> {
        let mut data = vec![0; 7];
        if !fill(&mut self.input, &mut data)? {
            return Ok(None);
        }
        let len = adts::frame_len(&data).ok_or_else(|| self.lost())?;
        data.resize(len, 0);
        if !fill(&mut self.input, data.get_mut(7..).unwrap_or_default())? {
            return Ok(None);
        }
        match adts::split_first(&data) {
            Some(frame) if frame.config == self.first => {}
            _ => return Err(self.lost()),
        }
        self.frames += 1;
        sound_frame(data, adts::SAMPLES_PER_FRAME).map(Some)
    }

    fn lost(&self) -> Problem {
        Problem::Unreadable(format!(
            "is AAC, but after {} frames something else follows",
            self.frames
        ))
    }
}

/// `false` at the end.
fn fill(input: &mut impl Read, buf: &mut [u8]) -> Result<bool, Problem> {
    match input.read_exact(buf) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(e) => Err(Problem::Io(e)),
    }
}

fn sound_frame(data: Vec<u8>, samples: u32) -> Result<SoundFrame, Problem> {
    if data.len() > MAX_FRAME {
        return Err(Problem::FrameTooLong { len: data.len() });
    }
    Ok(SoundFrame { data, samples })
}

/// Opus in Ogg (RFC 7845).
pub(super) struct Opus {
    packets: PacketReader<Forward>,
    serial: u32,
    channels: u8,
}

impl Opus {
    /// Opus counts in this rate whatever was recorded.
    pub(super) const RATE: u32 = 48_000;

    pub(super) fn new(bytes: Peek) -> Result<Self, Problem> {
        let mut packets = PacketReader::new(Forward(BufReader::new(bytes.into_bytes())));
        let head = packets
            .read_packet()
            .map_err(of_ogg)?
            .ok_or(Problem::Empty)?;
        let channels = match head.data.as_slice() {
            [
                b'O',
                b'p',
                b'u',
                b's',
                b'H',
                b'e',
                b'a',
                b'd',
                _,
                channels @ 1..=2,
                ..,
            ] => *channels,
            [b'O', b'p', b'u', b's', b'H', b'e', b'a', b'd', ..] => {
                return Err(Problem::Unreadable(
                    "has more channels than one Opus stream holds".into(),
                ));
            }
            [1, b'v', b'o', b'r', b'b', b'i', b's', ..] => {
                return Err(Problem::Other("an Ogg Vorbis file"));
            }
            _ => return Err(Problem::Other("an Ogg file without Opus in it")),
        };
        Ok(Self {
            serial: head.stream_serial(),
            packets,
            channels,
        })
    }

    pub(super) fn format(&self) -> AudioFormat {
        AudioFormat {
            codec: AudioCodec::Opus,
            sample_rate: Self::RATE,
            channels: self.channels,
        }
    }

    pub(super) fn read(&mut self) -> Result<Option<SoundFrame>, Problem> {
        while let Some(packet) = self.packets.read_packet().map_err(of_ogg)? {
            if packet.stream_serial() != self.serial || packet.data.starts_with(b"OpusTags") {
                continue;
            }
            if let Some(samples) = opus_samples(&packet.data) {
                return sound_frame(packet.data, samples).map(Some);
            }
        }
        Ok(None)
    }
}

fn of_ogg(error: OggReadError) -> Problem {
    match error {
        OggReadError::ReadError(e) if e.raw_os_error().is_some() => Problem::Io(e),
        other => Problem::Unreadable(format!("is an Ogg file that cannot be read ({other})")),
    }
}

/// The Ogg reader steps back only to look for a page that is not where it should be; a pipe does not step back.
struct Forward(BufReader<Bytes>);

impl Read for Forward {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Seek for Forward {
    fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "a page is damaged",
        ))
    }
}
