//! What the virtual camera hears: one file for each talk.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use wyze_media::{AudioCodec, OggOpusWriter};
use wyze_std::session::{CameraEvent, Frame};

use crate::failure::{Exit, Failure};
use crate::step::codec_name;

/// Writes each talk into a folder: PCM as WAV, Opus as Ogg, both and all other coded audio byte for byte as it came.
pub(super) struct Hearing {
    folder: PathBuf,
    /// The last number given to a talk; the files are numbered by them, also across runs.
    talks: u32,
    /// By viewer.
    current: Vec<(usize, Recording)>,
}

struct Recording {
    name: String,
    number: u32,
    frames: u64,
    /// Opened by the first frame, which tells the codec.
    file: Option<Target>,
}

enum Target {
    Wav(hound::WavWriter<BufWriter<File>>),
    Bytes(BufWriter<File>),
    Opus(OggOpusWriter<BufWriter<File>>),
    /// Nobody could read it from a file.
    Nowhere,
}

impl Hearing {
    /// Goes on counting behind what earlier runs have left in `folder`.
    ///
    /// # Errors
    /// The folder cannot be made or listed.
    pub(super) fn new(folder: &Path) -> Result<Self, Failure> {
        let talks = fs::create_dir_all(folder)
            .and_then(|()| last_number(folder))
            .map_err(|e| failure(folder, &e))?;
        Ok(Self {
            folder: folder.to_owned(),
            talks,
            current: Vec::new(),
        })
    }

    /// Hears an event; what is to be told about it.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(super) fn hear(
        &mut self,
        slot: usize,
        event: &CameraEvent<'_>,
    ) -> Result<Option<String>, Failure> {
        match event {
            CameraEvent::TalkReady => {
                self.talks += 1;
                let recording = Recording {
                    name: format!("talk-{}", self.talks),
                    number: self.talks,
                    frames: 0,
                    file: None,
                };
                self.current.push((slot, recording));
                Ok(None)
            }
            CameraEvent::Audio(frame) => {
                let folder = &self.folder;
                let recording = self.current.iter_mut().find(|(s, _)| *s == slot);
                match recording {
                    Some((_, recording)) => recording
                        .write(folder, frame)
                        .map(|()| None)
                        .map_err(|e| failure(folder, &e)),
                    None => Ok(None),
                }
            }
            CameraEvent::TalkClosed(_) | CameraEvent::Closed(_) => {
                let at = self.current.iter().position(|(s, _)| *s == slot);
                at.map(|at| self.current.remove(at).1)
                    .map(|recording| recording.finish().map_err(|e| failure(&self.folder, &e)))
                    .transpose()
            }
            _ => Ok(None),
        }
    }
}

impl Recording {
    fn write(&mut self, folder: &Path, frame: &Frame<'_>) -> io::Result<()> {
        if self.file.is_none() {
            self.open(folder, frame)?;
        }
        self.frames += 1;
        match &mut self.file {
            Some(Target::Wav(wav)) => {
                // A sample for each channel, or the file is no WAV.
                let whole = frame.data.len() / 2 / usize::from(wav.spec().channels);
                let (samples, _) = frame.data.as_chunks();
                let samples = &samples[..whole * usize::from(wav.spec().channels)];
                let mut writer = wav.get_i16_writer(samples.len() as u32);
                for sample in samples {
                    writer.write_sample(i16::from_le_bytes(*sample));
                }
                writer.flush().map_err(of_hound)
            }
            Some(Target::Bytes(file)) => file.write_all(frame.data),
            Some(Target::Opus(file)) => file.write(frame.data),
            Some(Target::Nowhere) | None => Ok(()),
        }
    }

    fn open(&mut self, folder: &Path, frame: &Frame<'_>) -> io::Result<()> {
        let codec = AudioCodec::from_frame_info(frame.info.codec.into());
        let format = frame.info.audio_format();
        let extension = match codec {
            Some(AudioCodec::Pcm16) if format.is_none() => "pcm",
            Some(AudioCodec::Pcm16) => "wav",
            Some(AudioCodec::Pcmu) => "ulaw",
            Some(AudioCodec::Pcma) => "alaw",
            Some(AudioCodec::Aac) => "aac",
            Some(AudioCodec::Opus) => "opus",
            None => {
                self.name = format!("no file: {} is not written", codec_name(frame.info.codec));
                self.file = Some(Target::Nowhere);
                return Ok(());
            }
        };
        self.name = format!("talk-{}.{extension}", self.number);
        // Never over what is there, whoever has put it there meanwhile.
        let file = BufWriter::new(File::create_new(folder.join(&self.name))?);
        self.file = Some(match format {
            _ if codec == Some(AudioCodec::Opus) => {
                let (rate, channels) = format.map_or((0, 1), |f| (f.sample_rate, f.channels));
                Target::Opus(OggOpusWriter::new(file, rate, channels)?)
            }
            Some(format) if codec == Some(AudioCodec::Pcm16) => {
                let spec = hound::WavSpec {
                    channels: format.channels.into(),
                    sample_rate: format.sample_rate,
                    bits_per_sample: 16,
                    sample_format: hound::SampleFormat::Int,
                };
                Target::Wav(hound::WavWriter::new(file, spec).map_err(of_hound)?)
            }
            _ => Target::Bytes(file),
        });
        Ok(())
    }

    fn finish(self) -> io::Result<String> {
        match self.file {
            Some(Target::Wav(wav)) => wav.finalize().map_err(of_hound)?,
            Some(Target::Bytes(mut file)) => file.flush()?,
            Some(Target::Opus(file)) => file.finish().map(drop)?,
            Some(Target::Nowhere) | None => {}
        }
        Ok(format!("said {} frames: {}", self.frames, self.name))
    }
}

/// The highest number of a talk in `folder`, 0 when there is none.
fn last_number(folder: &Path) -> io::Result<u32> {
    let mut last = 0;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix("talk-")?.split_once('.'))
            .and_then(|(number, _)| number.parse().ok());
        last = last.max(number.unwrap_or(0));
    }
    Ok(last)
}

fn of_hound(error: hound::Error) -> io::Error {
    match error {
        hound::Error::IoError(e) => e,
        other => io::Error::other(other),
    }
}

fn failure(folder: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Exit::Output,
        format!(
            "cannot write what was heard into {}: {error}; choose another folder with --talk",
            folder.display()
        ),
    )
}

#[cfg(test)]
mod tests {
    use wyze_std::session::{Codec, FrameInfo, Stream};

    use super::*;

    /// Says one frame of PCM with these flags into a folder of its own; what was told, and the file `name`.
    fn said(flags: u8, data: &[u8], name: &str) -> (String, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let told = said_into(folder.path(), flags, data);
        (told, fs::read(folder.path().join(name)).unwrap())
    }

    /// A run of the program in which one frame is said; what was told.
    fn said_into(folder: &Path, flags: u8, data: &[u8]) -> String {
        let mut hearing = Hearing::new(folder).unwrap();
        let info = FrameInfo {
            flags,
            ..FrameInfo::video(Codec::Pcm16, 0, 0)
        };
        let frame = Frame {
            stream: Stream::Audio,
            number: 1,
            key: false,
            info,
            timestamp: 0,
            data,
        };
        assert!(hearing.hear(0, &CameraEvent::TalkReady).unwrap().is_none());
        hearing.hear(0, &CameraEvent::Audio(frame)).unwrap();
        let end = CameraEvent::TalkClosed(wyze_std::session::TalkEnd::Peer);
        hearing.hear(0, &end).unwrap().unwrap()
    }

    #[test]
    fn another_run_counts_on_and_leaves_earlier_talks_alone() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str| folder.path().join(name);
        fs::write(of("talk-7.alaw"), "earlier").unwrap();
        fs::write(of("talk-x.wav"), "a user's own").unwrap();
        for n in [8, 9] {
            let told = said_into(folder.path(), 0xff, &[n, 0]);
            assert_eq!(told, format!("said 1 frames: talk-{n}.pcm"));
        }
        assert_eq!(fs::read(of("talk-7.alaw")).unwrap(), b"earlier");
        assert_eq!(fs::read(of("talk-8.pcm")).unwrap(), [8, 0]);
        assert_eq!(fs::read(of("talk-9.pcm")).unwrap(), [9, 0]);
    }

    #[test]
    fn half_a_sample_of_a_viewers_is_left_out() {
        // Stereo, 16 bit, 16 kHz: two whole samples, one channel of a third, half a channel.
        let (told, wav) = said(
            3 << 2 | 0b11,
            &[1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6],
            "talk-1.wav",
        );
        assert_eq!(told, "said 1 frames: talk-1.wav");
        assert!(wav.ends_with(&[1, 0, 2, 0, 3, 0, 4, 0]), "{wav:?}");
    }

    #[test]
    fn samples_of_an_unknown_rate_are_no_wav() {
        let (_, pcm) = said(0xff, &[1, 0, 2, 0], "talk-1.pcm");
        assert_eq!(pcm, [1, 0, 2, 0]);
    }
}
