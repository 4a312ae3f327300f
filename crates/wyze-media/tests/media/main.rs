//! Clips in, files out, held against FFmpeg: install the Debian package `ffmpeg`.

mod clips;
mod damage;
mod ffmpeg;
mod muxing;
mod outputs;
mod talk;
