//! Files and pipes: which format a name means, and files that never look complete when they are not.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::{
    AnnexBWriter, AudioCodec, AudioFrame, AudioWriter, Fmp4Options, Fmp4Writer, Fragments, Sink,
    SinkError, SinkStats, VideoCodec, VideoFrame,
};

/// What to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Fragmented MP4 with video and audio.
    Mp4,
    /// The video alone, Annex B; of this codec only, if one is named.
    AnnexB(Option<VideoCodec>),
    /// The audio alone.
    Audio(AudioCodec),
}

impl Format {
    /// The format that a file name means: `.mp4` (also `.m4v`, `.mov`), `.h264` (`.264`), `.h265` (`.265`, `.hevc`),
    /// `.aac` (`.adts`), `.ulaw`, `.alaw`, `.s16le` (`.pcm`). `-` and what is not a file, such as a named pipe without
    /// an extension, is MP4, which `ffplay -` and `mpv -` play while it comes.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, SinkError> {
        let path = path.as_ref();
        let is_pipe = || std::fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir());
        match path.extension() {
            Some(extension) => extension.to_string_lossy().parse(),
            None if path == Path::new("-") || is_pipe() => Ok(Self::Mp4),
            None => Err(SinkError::UnknownFormat {
                name: path.display().to_string(),
            }),
        }
    }
}

impl FromStr for Format {
    type Err = SinkError;

    /// The names of the formats are the file extensions, and `annexb` for either video codec.
    fn from_str(name: &str) -> Result<Self, SinkError> {
        match name.to_ascii_lowercase().as_str() {
            "mp4" | "m4v" | "mov" | "fmp4" => Ok(Self::Mp4),
            "h264" | "264" | "avc" => Ok(Self::AnnexB(Some(VideoCodec::H264))),
            "h265" | "265" | "hevc" => Ok(Self::AnnexB(Some(VideoCodec::H265))),
            "annexb" => Ok(Self::AnnexB(None)),
            "aac" | "adts" => Ok(Self::Audio(AudioCodec::Aac)),
            "ulaw" | "pcmu" => Ok(Self::Audio(AudioCodec::Pcmu)),
            "alaw" | "pcma" => Ok(Self::Audio(AudioCodec::Pcma)),
            "s16le" | "pcm" => Ok(Self::Audio(AudioCodec::Pcm16)),
            _ => Err(SinkError::UnknownFormat {
                name: name.to_owned(),
            }),
        }
    }
}

/// A [`Sink`] that writes to a file, a pipe or standard output.
///
/// Opening checks that the file can be written but leaves it as it is; only the first frame that is written replaces
/// what it held. A file that was created and never got a frame is removed. If writing fails in the middle of a
/// fragment, the file is cut back to the last whole one.
pub struct Output {
    sink: Box<dyn Sink + Send>,
}

impl Output {
    /// Opens `path`, or standard output if it is `-`. Without `format` the name decides: [`Format::from_path`].
    /// `audio` says whether an MP4 file is to hold audio.
    pub fn open(
        path: impl AsRef<Path>,
        format: Option<Format>,
        audio: bool,
    ) -> Result<Self, SinkError> {
        let path = path.as_ref();
        let format = match format {
            Some(format) => format,
            None => Format::from_path(path)?,
        };
        if path == Path::new("-") {
            return Self::to_writer(io::stdout(), format, Fragments::EveryFrame, audio);
        }
        let target = Target::open(path).map_err(|source| SinkError::Open {
            path: path.to_owned(),
            source,
        })?;
        let fragments = if target.regular {
            Fragments::KeyFrame
        } else {
            Fragments::EveryFrame
        };
        Self::to_writer(target, format, fragments, audio)
    }

    fn to_writer<W: Write + Send + 'static>(
        out: W,
        format: Format,
        fragments: Fragments,
        audio: bool,
    ) -> Result<Self, SinkError> {
        Ok(Self {
            sink: match format {
                Format::Mp4 => Box::new(Fmp4Writer::new(out, Fmp4Options { fragments, audio })),
                Format::AnnexB(codec) => Box::new(AnnexBWriter::new(out, codec)),
                Format::Audio(codec) => Box::new(AudioWriter::new(out, codec)?),
            },
        })
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Sink for Output {
    fn write_video(&mut self, frame: VideoFrame<'_>) -> Result<(), SinkError> {
        self.sink.write_video(frame)
    }

    fn write_audio(&mut self, frame: AudioFrame<'_>) -> Result<(), SinkError> {
        self.sink.write_audio(frame)
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.sink.finish()
    }

    fn stats(&self) -> SinkStats {
        self.sink.stats()
    }
}

/// The file behind an [`Output`]. Writers call `flush` after each whole piece.
struct Target {
    file: File,
    path: PathBuf,
    regular: bool,
    /// This program made the file.
    created: bool,
    started: bool,
    /// Length of the whole pieces, and of all that was written.
    whole: u64,
    written: u64,
}

impl Target {
    fn open(path: &Path) -> io::Result<Self> {
        let created = !path.exists();
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        Ok(Self {
            regular: file.metadata()?.is_file(),
            file,
            path: path.to_owned(),
            created,
            started: false,
            whole: 0,
            written: 0,
        })
    }

    fn cut_back(&mut self) {
        if self.regular {
            // The write has failed already and is what the caller hears of.
            let _ = self.file.set_len(self.whole);
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.started {
            if self.regular {
                self.file.set_len(0)?;
            }
            self.started = true;
        }
        match self.file.write(bytes) {
            Ok(n) => {
                self.written += n as u64;
                Ok(n)
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::Interrupted {
                    self.cut_back();
                }
                Err(error)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.whole = self.written;
        self.file.flush()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if self.created && self.regular && self.whole == 0 {
            // Nothing playable is in it; if it cannot be removed, it is at least empty.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_the_format() {
        let format = |path: &str| Format::from_path(path).unwrap();
        assert_eq!(format("a/b.MP4"), Format::Mp4);
        assert_eq!(format("-"), Format::Mp4);
        assert_eq!(format("x.264"), Format::AnnexB(Some(VideoCodec::H264)));
        assert_eq!(format("x.hevc"), Format::AnnexB(Some(VideoCodec::H265)));
        assert_eq!(format("x.aac"), Format::Audio(AudioCodec::Aac));
        let error = Format::from_path("x.mkv").unwrap_err();
        assert!(error.to_string().contains("`mkv`"), "{error}");
        assert!(Format::from_path("noextension").is_err());
    }
}
