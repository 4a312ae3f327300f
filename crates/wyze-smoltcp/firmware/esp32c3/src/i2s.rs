//! The two tasks that keep the I2S devices fed. They only move samples: what they mean is up to [`crate::panel`].

use defmt::{Debug2Format, error};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pipe::Pipe;
use esp_hal::Async;
use esp_hal::i2s::master::{I2sRx, I2sTx};

/// Bytes of a DMA descriptor: 10 ms of stereo frames of 64 bits.
pub const CHUNK: usize = 1280;
/// Bytes of each DMA ring: 120 ms, because a handshake computes for some 60 ms without a break.
pub const RING: usize = 12 * CHUNK;

/// Samples of 16 bits, little-endian: 128 ms that were heard and 64 ms that were said.
pub type Samples<const N: usize> = Pipe<CriticalSectionRawMutex, N>;
/// From the camera to the loudspeaker.
pub static HEARD: Samples<4096> = Pipe::new();
/// From the microphone to the camera.
pub static SAID: Samples<2048> = Pipe::new();

/// A stereo frame as both devices see it: two slots of 32 bits.
const FRAME: usize = 8;

/// Plays what lies in [`HEARD`], and silence where there is nothing.
#[embassy_executor::task]
pub async fn speaker(i2s: I2sTx<'static, Async>, ring: &'static mut [u8; RING]) {
    let mut transfer = match i2s.write_dma_circular_async(ring) {
        Ok(transfer) => transfer,
        Err(error) => return failed("loudspeaker", error),
    };
    let (mut samples, mut frames) = ([0; CHUNK / FRAME * 2], [0; CHUNK]);
    loop {
        let read = take(&HEARD, &mut samples);
        samples[read..].fill(0);
        for (frame, sample) in frames.chunks_exact_mut(FRAME).zip(samples.chunks_exact(2)) {
            // The upper half of each slot.
            frame[2..4].copy_from_slice(sample);
            frame[6..8].copy_from_slice(sample);
        }
        let mut rest = &frames[..];
        while !rest.is_empty() {
            match transfer.push(rest).await {
                Ok(pushed) => rest = &rest[pushed..],
                Err(error) => return failed("loudspeaker", error),
            }
        }
    }
}

/// Puts what the microphone hears into [`SAID`], as far as there is room.
#[embassy_executor::task]
pub async fn microphone(i2s: I2sRx<'static, Async>, ring: &'static mut [u8; RING]) {
    let mut transfer = match i2s.read_dma_circular_async(ring) {
        Ok(transfer) => transfer,
        Err(error) => return failed("microphone", error),
    };
    let mut frames = [0; CHUNK];
    loop {
        let mut filled = 0;
        while filled < CHUNK {
            match transfer.pop(&mut frames[filled..]).await {
                Ok(popped) => filled += popped,
                Err(error) => return failed("microphone", error),
            }
        }
        for frame in frames.chunks_exact(FRAME) {
            let left = i32::from_le_bytes([frame[0], frame[1], frame[2], frame[3]]);
            // These microphones are quiet: four times as loud, and no louder than can be said.
            let sample = (left >> 14).clamp(i16::MIN.into(), i16::MAX.into()) as i16;
            let _ = SAID.try_write(&sample.to_le_bytes());
        }
    }
}

/// As much as lies there, up to all of `buffer`. Both ends move whole samples only.
pub fn take<const N: usize>(samples: &Samples<N>, buffer: &mut [u8]) -> usize {
    let mut filled = 0;
    // A pipe hands out what lies in one piece.
    while let Ok(read @ 1..) = samples.try_read(&mut buffer[filled..]) {
        filled += read;
    }
    filled
}

/// A ring that was once overtaken stays out of step: begin again from the start.
fn failed(device: &str, error: esp_hal::i2s::master::Error) {
    error!("{}: {}; restarting", device, Debug2Format(&error));
    esp_hal::system::software_reset()
}
