//! Another sample rate, by band-limited interpolation.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Async, FixedAsync, Resampler as _, SincInterpolationParameters, WindowFunction};

/// Rates that are read, samples a second.
pub(super) const RATES: std::ops::RangeInclusive<u32> = 4_000..=192_000;
/// Samples of the input that the filter looks at: at 48 kHz 2.7 ms to either side.
const FILTER: usize = 256;

/// Turns mono samples of one rate into as many as belong to another. What comes out is aligned with what went in to a fifth of a
/// millisecond: the filter's delay is taken off.
pub(super) struct Resampler {
    /// `None`: both rates are the same, and samples stay as they are.
    filter: Option<Async<f32>>,
    from: u64,
    to: u64,
    pending: Vec<f32>,
    /// Samples that are still the filter's delay.
    skip: usize,
    read: u64,
    written: u64,
}

impl Resampler {
    /// `None` if a rate is outside of [`RATES`].
    pub(super) fn new(from: u32, to: u32) -> Option<Self> {
        if !RATES.contains(&from) || !RATES.contains(&to) {
            return None;
        }
        let filter = if from == to {
            None
        } else {
            let parameters =
                SincInterpolationParameters::new(FILTER, WindowFunction::BlackmanHarris2);
            // 10 ms, so that a microphone's sound does not wait here.
            let chunk = (from / 100).max(1) as usize;
            let ratio = f64::from(to) / f64::from(from);
            Some(Async::new_sinc(ratio, 1.0, &parameters, chunk, 1, FixedAsync::Input).ok()?)
        };
        Some(Self {
            skip: filter.as_ref().map_or(0, |f| f.output_delay()),
            filter,
            from: from.into(),
            to: to.into(),
            pending: Vec::new(),
            read: 0,
            written: 0,
        })
    }

    /// Takes samples, and appends what comes of them to `out`.
    pub(super) fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        self.read += samples.len() as u64;
        if self.filter.is_none() {
            self.written += samples.len() as u64;
            out.extend_from_slice(samples);
            return;
        }
        self.pending.extend_from_slice(samples);
        self.run(out);
    }

    /// Appends what is still in the filter. Altogether as many samples have come out as belong to those that went in,
    /// rounded up.
    pub(super) fn finish(&mut self, out: &mut Vec<f32>) {
        let total = (self.read * self.to).div_ceil(self.from);
        while self.written < total {
            let Some(filter) = &self.filter else { return };
            let before = out.len();
            self.pending.resize(filter.input_frames_next(), 0.0);
            self.run(out);
            if self.written > total {
                let surplus = (self.written - total) as usize;
                out.truncate(out.len().saturating_sub(surplus).max(before));
                self.written = total;
            }
        }
    }

    fn run(&mut self, out: &mut Vec<f32>) {
        let Some(filter) = &mut self.filter else {
            return;
        };
        let mut used = 0;
        loop {
            let need = filter.input_frames_next();
            let Some(chunk) = self.pending.get(used..used + need) else {
                break;
            };
            // Both lengths are what the filter asks for, so neither step fails.
            let Ok(input) = InterleavedSlice::new(chunk, 1, need) else {
                break;
            };
            let Ok(made) = filter.process(&input, None) else {
                break;
            };
            let made = made.take_data();
            let skipped = self.skip.min(made.len());
            self.skip -= skipped;
            self.written += (made.len() - skipped) as u64;
            out.extend_from_slice(made.get(skipped..).unwrap_or_default());
            used += need;
        }
        self.pending.drain(..used);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    const SECONDS: u32 = 2;

    fn tone(rate: u32, frequency: f64) -> Vec<f32> {
        (0..rate * SECONDS)
            .map(|n| (10_000.0 * (TAU * frequency * f64::from(n) / f64::from(rate)).sin()) as f32)
            .collect()
    }

    fn resample(from: u32, to: u32, samples: &[f32]) -> Vec<f32> {
        let mut resampler = Resampler::new(from, to).unwrap();
        let mut out = Vec::new();
        for part in samples.chunks(777) {
            resampler.push(part, &mut out);
        }
        resampler.finish(&mut out);
        out
    }

    /// Amplitude and phase of `frequency`, without the first and last tenth of a second, where the filter has only silence
    /// on one side.
    fn measure(samples: &[f32], rate: u32, frequency: f64) -> (f64, f64) {
        let edge = rate as usize / 10;
        let (mut re, mut im) = (0.0, 0.0);
        let inner = edge..samples.len() - edge;
        for n in inner.clone() {
            let angle = TAU * frequency * n as f64 / f64::from(rate);
            re += f64::from(samples[n]) * angle.sin();
            im += f64::from(samples[n]) * angle.cos();
        }
        let scale = 2.0 / inner.len() as f64;
        ((re * re + im * im).sqrt() * scale, im.atan2(re))
    }

    #[test]
    fn a_tone_keeps_its_frequency_its_level_and_its_place() {
        for (from, to) in [
            (44_100, 8_000),
            (44_100, 16_000),
            (48_000, 8_000),
            (48_000, 16_000),
            (8_000, 16_000),
            (11_025, 16_000),
            (22_050, 8_000),
            (16_000, 8_000),
        ] {
            let out = resample(from, to, &tone(from, 1000.0));
            assert_eq!(out.len() as u32, to * SECONDS, "{from} to {to}");
            // What is in phase over two seconds is off by less than a cycle in 200 000.
            let (level, phase) = measure(&out, to, 1000.0);
            let decibels = 20.0 * (level / 10_000.0).log10();
            assert!(decibels.abs() < 0.01, "{from} to {to}: {decibels} dB");
            let sample = TAU * 1000.0 / f64::from(to);
            let shift_us = phase / TAU * 1e3;
            assert!(shift_us.abs() < 200.0, "{from} to {to}: {shift_us} µs");
            // Nothing else is in it: 67 dB below the tone.
            let edge = to as usize / 10;
            let noise: f64 = (edge..out.len() - edge)
                .map(|n| {
                    let ideal = level * (sample * n as f64 + phase).sin();
                    (f64::from(out[n]) - ideal).powi(2)
                })
                .sum();
            let noise = (noise / (out.len() - 2 * edge) as f64).sqrt();
            assert!(noise < 3.0, "{from} to {to}: {noise}");
        }
    }

    #[test]
    fn what_the_new_rate_cannot_hold_does_not_come_back_as_another_tone() {
        let out = resample(48_000, 8_000, &tone(48_000, 5_000.0));
        let edge = 800;
        let peak = out[edge..out.len() - edge]
            .iter()
            .fold(0.0f32, |peak, s| peak.max(s.abs()));
        assert!(peak < 10.0, "5 kHz left {peak} of 10000");
    }

    #[test]
    fn any_length_comes_out_as_its_share() {
        for len in [1usize, 2, 440, 441, 442, 1000, 12_345] {
            for (from, to) in [(44_100u64, 8_000u64), (8_000, 16_000)] {
                let out = resample(from as u32, to as u32, &vec![1.0; len]);
                assert_eq!(out.len() as u64, (len as u64 * to).div_ceil(from), "{len}");
            }
        }
        assert!(resample(44_100, 8_000, &[]).is_empty());
    }

    #[test]
    fn the_same_rate_changes_nothing() {
        let samples = tone(8_000, 440.0);
        assert_eq!(resample(8_000, 8_000, &samples), samples);
        assert!(Resampler::new(0, 8_000).is_none());
        assert!(Resampler::new(8_000, 1_000_000).is_none());
    }
}
