//! Recordings and packet traces of a Wyze camera session, over the writers of [`embedded_io`]: a file on an SD card, a
//! serial port, a TCP connection.
//!
//! | type | writes | read by |
//! |---|---|---|
//! | [`Recording`] | one stream as it is coded: H.264 or H.265 in Annex B, AAC in ADTS | ffmpeg, mpv, VLC |
//! | [`Pcap`] | datagrams with their addresses and times | Wireshark, tcpdump |
//!
//! Both write at once what they are given: no buffer, no heap. Put a buffered writer beneath where small writes are dear.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic
    )
)]

mod pcap;
mod recording;

pub use pcap::Pcap;
pub use recording::Recording;
