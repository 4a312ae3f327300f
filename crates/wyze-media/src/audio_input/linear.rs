//! Linear samples: WAV and raw PCM, as mono.

use std::io::{self, BufReader, Read};

use hound::{SampleFormat, WavIntoSamples, WavReader};

use super::error::Problem;
use super::peek::{Bytes, Peek};
use super::{RawPcm, resample};

type Input = BufReader<Bytes>;

/// Samples of one rate. A sample is a float whose unit is that of 16-bit PCM, which holds 24 bits exactly.
pub(super) struct Linear {
    samples: Samples,
    pub(super) sample_rate: u32,
    pub(super) channels: u16,
}

enum Samples {
    Int {
        samples: WavIntoSamples<Input, i32>,
        /// One unit of the file in units of 16-bit PCM.
        unit: f32,
    },
    Float(WavIntoSamples<Input, f32>),
    Raw(Input),
}

impl Linear {
    /// `piped`: the header may not know how long the sound is.
    pub(super) fn wav(mut bytes: Peek, piped: bool) -> Result<Self, Problem> {
        mend_length(&mut bytes, piped).map_err(Problem::Io)?;
        let reader = WavReader::new(BufReader::new(bytes.into_bytes())).map_err(of_hound)?;
        let spec = reader.spec();
        check(spec.sample_rate, spec.channels)?;
        if reader.len() == 0 {
            return Err(Problem::Empty);
        }
        let samples = match spec.sample_format {
            SampleFormat::Float => Samples::Float(reader.into_samples()),
            SampleFormat::Int => Samples::Int {
                unit: (16.0 - f32::from(spec.bits_per_sample)).exp2(),
                samples: reader.into_samples(),
            },
        };
        Ok(Self {
            samples,
            sample_rate: spec.sample_rate,
            channels: spec.channels,
        })
    }

    pub(super) fn raw(bytes: Peek, raw: RawPcm) -> Result<Self, Problem> {
        check(raw.sample_rate, raw.channels.into())?;
        Ok(Self {
            samples: Samples::Raw(BufReader::new(bytes.into_bytes())),
            sample_rate: raw.sample_rate,
            channels: raw.channels.into(),
        })
    }

    /// Whether it has no header.
    pub(super) fn is_raw(&self) -> bool {
        matches!(self.samples, Samples::Raw(_))
    }

    /// Appends up to `count` samples to `out`, channels averaged. `false` at the end; a sample that is cut off there is left
    /// out.
    pub(super) fn read(&mut self, count: usize, out: &mut Vec<f32>) -> Result<bool, Problem> {
        for _ in 0..count {
            let mut sum = 0.0;
            for _ in 0..self.channels {
                match self.samples.next()? {
                    Some(sample) if sample.is_finite() => sum += sample,
                    Some(_) => {}
                    None => return Ok(false),
                }
            }
            out.push(sum / f32::from(self.channels));
        }
        Ok(true)
    }
}

impl Samples {
    fn next(&mut self) -> Result<Option<f32>, Problem> {
        let sample = match self {
            Self::Int { samples, unit } => samples.next().map(|s| s.map(|s| s as f32 * *unit)),
            Self::Float(samples) => samples.next().map(|s| s.map(|s| s * 32_768.0)),
            Self::Raw(input) => {
                let mut sample = [0; 2];
                return match input.read_exact(&mut sample) {
                    Ok(()) => Ok(Some(f32::from(i16::from_le_bytes(sample)))),
                    Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
                    Err(e) => Err(Problem::Io(e)),
                };
            }
        };
        match sample {
            None => Ok(None),
            Some(Ok(sample)) => Ok(Some(sample)),
            Some(Err(hound::Error::IoError(e))) if e.raw_os_error().is_some() => {
                Err(Problem::Io(e))
            }
            // The file is shorter than it says: what is there is played.
            Some(Err(_)) => Ok(None),
        }
    }
}

fn check(sample_rate: u32, channels: u16) -> Result<(), Problem> {
    if !resample::RATES.contains(&sample_rate) {
        return Err(Problem::Unreadable(format!(
            "has {sample_rate} samples a second, which nobody plays"
        )));
    }
    if !(1..=32).contains(&channels) {
        return Err(Problem::Unreadable(format!("has {channels} channels")));
    }
    Ok(())
}

fn of_hound(error: hound::Error) -> Problem {
    match error {
        hound::Error::IoError(e) if e.raw_os_error().is_some() => Problem::Io(e),
        hound::Error::IoError(_) => Problem::Unreadable("is a WAV file that ends too early".into()),
        hound::Error::Unsupported => {
            Problem::Unreadable("is a WAV file whose samples are not linear PCM".into())
        }
        other => Problem::Unreadable(format!("is a WAV file that cannot be read ({other})")),
    }
}

/// A program that writes WAV into a pipe cannot know its length: FFmpeg says 0xffffffff, others 0 (which means none in a
/// file) or nearly 2 GB. All that is
/// a multiple of any sample's size then, and the pipe's end is the end.
fn mend_length(bytes: &mut Peek, piped: bool) -> io::Result<()> {
    const UNKNOWN: u32 = 0x7000_0000;
    let mut at = 12;
    loop {
        let head = bytes.head(at + 8)?;
        let Some(header) = head.get_mut(at..at + 8) else {
            return Ok(());
        };
        let (id, len) = header.split_at_mut(4);
        let mut le = [0; 4];
        le.copy_from_slice(len);
        let value = u32::from_le_bytes(le);
        if id == b"data" {
            if (piped && value == 0) || value >= UNKNOWN {
                // Divisible by 1, 2, 3 and 4 bytes times up to 10 channels, and more.
                let endless = UNKNOWN - UNKNOWN % (2_520 * 4);
                len.copy_from_slice(&endless.to_le_bytes());
            }
            return Ok(());
        }
        // Chunks are padded to even lengths. One that is too long to be looked over leaves the length as it is.
        at += 8 + value as usize + (value % 2) as usize;
        if at > 1 << 20 {
            return Ok(());
        }
    }
}
