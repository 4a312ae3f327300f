//! What a sound is, by its content; the name decides only between raw PCM and nothing known.

use std::io;

use super::peek::Peek;
use crate::adts;

/// How much of a sound is looked at.
const HEAD: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Empty,
    Wav,
    Adts,
    Ogg,
    /// Something else with a name.
    Other(&'static str),
    Unknown,
}

impl Kind {
    /// Looks at the beginning of a sound. `raw`: the user says that it is raw PCM, whose samples may look like a sync word
    /// by chance, but not like the name of a container.
    pub(super) fn detect(bytes: &mut Peek, raw: bool) -> io::Result<Self> {
        let head = bytes.head(HEAD)?;
        let kind = Self::of_container(head);
        Ok(match kind {
            Self::Unknown if raw => Self::Unknown,
            Self::Unknown if is_mpeg_audio(head) => Self::Other("an MP3 file"),
            Self::Unknown if Self::is_adts(bytes)? => Self::Adts,
            kind => kind,
        })
    }

    /// Two frames in a row, so that samples are not taken for AAC by chance.
    fn is_adts(bytes: &mut Peek) -> io::Result<bool> {
        let Some(len) = adts::frame_len(bytes.head(HEAD)?) else {
            return Ok(false);
        };
        let head = bytes.head(len + 7)?;
        let next = head.get(len..).unwrap_or_default();
        Ok(next.is_empty() || adts::frame_len(next).is_some())
    }

    fn of_container(head: &[u8]) -> Self {
        match head {
            [] => Self::Empty,
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'A',
                b'V',
                b'E',
                ..,
            ] => Self::Wav,
            [b'R', b'I', b'F', b'F', ..] => Self::Other("an AVI file or another RIFF file"),
            [b'R', b'F', b'6', b'4', ..] | [b'R', b'I', b'F', b'X', ..] => {
                Self::Other("a WAV file of an unusual kind")
            }
            [b'O', b'g', b'g', b'S', ..] => Self::Ogg,
            [b'I', b'D', b'3', ..] => Self::Other("an MP3 file"),
            [b'f', b'L', b'a', b'C', ..] => Self::Other("a FLAC file"),
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => Self::Other("an MP4 or M4A file"),
            [b'F', b'O', b'R', b'M', ..] => Self::Other("an AIFF file"),
            [b'c', b'a', b'f', b'f', ..] => Self::Other("a CAF file"),
            [b'.', b's', b'n', b'd', ..] => Self::Other("an AU file"),
            [b'#', b'!', b'A', b'M', b'R', ..] => Self::Other("an AMR file"),
            [0x1a, 0x45, 0xdf, 0xa3, ..] => Self::Other("a Matroska or WebM file"),
            [0x30, 0x26, 0xb2, 0x75, ..] => Self::Other("a WMA file"),
            _ => Self::Unknown,
        }
    }
}

/// Has it the header of an MP3 frame? MPEG audio has a layer where ADTS has zeros.
fn is_mpeg_audio(head: &[u8]) -> bool {
    matches!(head, [0xff, second, third, ..]
        if second & 0xe0 == 0xe0 && second & 0x06 != 0 && third & 0xf0 != 0xf0 && third & 0x0c != 0x0c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(bytes: &[u8], raw: bool) -> Kind {
        let mut peek = Peek::new(Box::new(io::Cursor::new(bytes.to_vec())));
        Kind::detect(&mut peek, raw).unwrap()
    }

    fn file(name: &str) -> Vec<u8> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/talk/");
        std::fs::read(format!("{folder}{name}")).unwrap()
    }

    #[test]
    fn content_decides() {
        for (name, kind) in [
            ("pcm8.wav", Kind::Wav),
            ("pcm16-pipe.wav", Kind::Wav),
            ("tone-16000.aac", Kind::Adts),
            ("tone.opus", Kind::Ogg),
            ("tone.mp3", Kind::Other("an MP3 file")),
            ("pcm16.s16le", Kind::Unknown),
        ] {
            assert_eq!(detect(&file(name), false), kind, "{name}");
        }
        assert_eq!(detect(b"ID3\x04\0\0", false), Kind::Other("an MP3 file"));
        assert_eq!(
            detect(b"\0\0\0\x1cftypM4A ", true),
            Kind::Other("an MP4 or M4A file")
        );
        assert_eq!(detect(b"", true), Kind::Empty);
        assert_eq!(detect(b"R", false), Kind::Unknown);
    }

    #[test]
    fn samples_that_look_like_a_sync_word_are_samples_if_the_user_says_so() {
        assert_eq!(detect(&file("tone.mp3"), true), Kind::Unknown);
        assert_eq!(detect(&file("tone-16000.aac"), true), Kind::Unknown);
    }
}
