//! Elementary streams: frame after frame, with nothing between them.

use embedded_io::Write;
use tutk_av::{AudioFormat, Chunk, Codec, Frame, Stream};

/// Sample rates by the index that ADTS has for them (ISO/IEC 14496-3, table 1.18).
const ADTS_RATES: [u32; 12] = [
    96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000,
];
const ADTS_HEADER: usize = 7;

/// Writes one stream of a session to a file that players read: `.h264`, `.h265` or `.aac`.
///
/// Video begins at a key frame. What is neither Annex B nor AAC is left out, and so is AAC without ADTS headers when it
/// comes in chunks. A frame that is given up half way stays in the file half; players skip it.
#[derive(Debug)]
pub struct Recording<W> {
    to: W,
    stream: Stream,
    /// A key frame has come.
    begun: bool,
    /// The frame whose chunks are being written.
    current: Option<u32>,
}

impl<W: Write> Recording<W> {
    /// Records `stream` to `to`.
    pub const fn new(to: W, stream: Stream) -> Self {
        Self {
            to,
            stream,
            begun: false,
            current: None,
        }
    }

    /// Writes a whole frame. Whether it belonged into the recording.
    ///
    /// # Errors
    /// The writer's.
    pub fn frame(&mut self, frame: &Frame<'_>) -> Result<bool, W::Error> {
        self.current = None;
        if frame.stream != self.stream || !self.begins(frame.key) {
            return Ok(false);
        }
        if frame.info.codec == Codec::AacRaw {
            let format = frame.info.audio_format();
            let Some(header) = format.and_then(|format| adts_header(format, frame.data.len()))
            else {
                return Ok(false);
            };
            self.to.write_all(&header)?;
        } else if !is_framed(self.stream, frame.data) {
            return Ok(false);
        }
        self.to.write_all(frame.data)?;
        Ok(true)
    }

    /// Writes the next piece of a frame. Whether it belonged into the recording.
    ///
    /// # Errors
    /// The writer's.
    pub fn chunk(&mut self, chunk: &Chunk<'_>) -> Result<bool, W::Error> {
        if chunk.stream != self.stream {
            return Ok(false);
        }
        if chunk.offset == 0 {
            let wanted = self.begins(chunk.key) && is_framed(self.stream, chunk.bytes);
            self.current = wanted.then_some(chunk.frame);
        }
        if self.current != Some(chunk.frame) {
            return Ok(false);
        }
        self.to.write_all(chunk.bytes)?;
        Ok(true)
    }

    /// The writer, to flush or close it.
    pub fn into_inner(self) -> W {
        self.to
    }

    fn begins(&mut self, key: bool) -> bool {
        self.begun |= key || self.stream == Stream::Audio;
        self.begun
    }
}

/// Whether a frame begins as Annex B or ADTS does.
fn is_framed(stream: Stream, data: &[u8]) -> bool {
    match stream {
        Stream::Video => data.starts_with(&[0, 0, 1]) || data.starts_with(&[0, 0, 0, 1]),
        Stream::Audio => matches!(data, [0xff, second, ..] if second & 0xf6 == 0xf0),
    }
}

/// The header of an AAC-LC frame of `len` bytes (ISO/IEC 14496-3, 1.A.2.2); `None` where ADTS has no number for it.
fn adts_header(format: AudioFormat, len: usize) -> Option<[u8; ADTS_HEADER]> {
    let rate = ADTS_RATES.iter().position(|&r| r == format.sample_rate)?;
    let rate = u8::try_from(rate).ok()?;
    let len = u16::try_from(len + ADTS_HEADER)
        .ok()
        .filter(|&len| len < 1 << 13)?;
    let [high, low] = (len << 3).to_be_bytes();
    let channels = format.channels & 7;
    Some([
        0xff,
        0xf1, // MPEG-4, no checksum
        1 << 6 | rate << 2 | channels >> 2,
        channels << 6 | high >> 6,
        high << 2 | low >> 6,
        low << 2 | 0x1f, // variable bit rate: buffer fullness all ones
        0xfc,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use tutk_av::FrameInfo;

    fn frame(stream: Stream, codec: Codec, key: bool, data: &[u8]) -> Frame<'_> {
        let format = AudioFormat {
            sample_rate: 16000,
            bits: 16,
            channels: 1,
        };
        Frame {
            stream,
            number: 1,
            key,
            info: FrameInfo::audio(codec, format, 0),
            timestamp: 0,
            data,
        }
    }

    #[test]
    fn video_begins_at_a_key_frame() {
        let mut recording = Recording::new(Vec::new(), Stream::Video);
        let picture = b"\0\0\0\x01\x41x";
        for (key, wanted) in [(false, false), (true, true), (false, true)] {
            let frame = frame(Stream::Video, Codec::H264, key, picture);
            assert_eq!(recording.frame(&frame), Ok(wanted));
        }
        let sound = frame(Stream::Audio, Codec::AacWyze, true, b"\xff\xf1");
        assert_eq!(recording.frame(&sound), Ok(false));
        assert_eq!(recording.into_inner(), picture.repeat(2));
    }

    #[test]
    fn what_no_player_would_read_is_left_out() {
        let mut recording = Recording::new(Vec::new(), Stream::Audio);
        let samples = frame(Stream::Audio, Codec::Pcm16, true, b"\x01\x02");
        assert_eq!(recording.frame(&samples), Ok(false));
        let mut recording = Recording::new(Vec::new(), Stream::Video);
        let picture = frame(Stream::Video, Codec::Mjpeg, true, b"\xff\xd8");
        assert_eq!(recording.frame(&picture), Ok(false));
    }

    #[test]
    fn bare_aac_gets_the_header_that_ffmpeg_writes() {
        // The first bytes of `ffmpeg -f lavfi -i sine=sample_rate=16000 -t 1 -ac 1 -c:a aac -f adts -` (5.1.9), whose
        // first frame has 521 bytes.
        let mut recording = Recording::new(Vec::new(), Stream::Audio);
        let written = [0xff, 0xf1, 0x60, 0x40, 0x41, 0x3f, 0xfc];
        let bare = vec![0; 521 - ADTS_HEADER];
        let sound = frame(Stream::Audio, Codec::AacRaw, true, &bare);
        assert_eq!(recording.frame(&sound), Ok(true));
        assert_eq!(recording.into_inner()[..ADTS_HEADER], written);
    }

    #[test]
    fn chunks_of_a_frame_that_was_not_begun_are_left_out() {
        let mut recording = Recording::new(Vec::new(), Stream::Video);
        let mut chunk = Chunk {
            stream: Stream::Video,
            frame: 7,
            key: true,
            offset: 4,
            last: false,
            bytes: b"rest",
            info: None,
        };
        assert_eq!(recording.chunk(&chunk), Ok(false));
        (chunk.offset, chunk.bytes) = (0, b"\0\0\x01\x65");
        assert_eq!(recording.chunk(&chunk), Ok(true));
        (chunk.offset, chunk.bytes) = (4, b"rest");
        assert_eq!(recording.chunk(&chunk), Ok(true));
        chunk.frame = 8;
        assert_eq!(recording.chunk(&chunk), Ok(false));
        assert_eq!(recording.into_inner(), b"\0\0\x01\x65rest");
    }
}
