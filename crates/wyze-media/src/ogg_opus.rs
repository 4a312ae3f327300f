//! Opus packets into an Ogg file (RFC 7845).

use std::fmt;
use std::io::{self, Write};

use ogg::{PacketWriteEndInfo, PacketWriter};

use crate::codec::opus_samples;

/// Opus counts in this rate whatever was recorded; a page is as long at most, so that a player need not wait.
const SECOND: u64 = 48_000;
/// There is one stream in the file.
const SERIAL: u32 = 1;

/// Writes Opus packets as an Ogg file, each byte for byte as it came, in pages of a second.
pub struct OggOpusWriter<W: Write> {
    packets: PacketWriter<'static, W>,
    /// The last packet so far: the one that ends the file is marked.
    held: Option<Vec<u8>>,
    /// Samples before the packet that is held, and before its page.
    samples: u64,
    page: u64,
}

impl<W: Write> OggOpusWriter<W> {
    /// Writes the head of a file with 1 or 2 `channels` to `out`. `sample_rate` is what was recorded, for those who want
    /// to know; 0 is unknown.
    ///
    /// # Errors
    /// `out` takes no more.
    pub fn new(out: W, sample_rate: u32, channels: u8) -> io::Result<Self> {
        let mut packets = PacketWriter::new(out);
        let mut head = b"OpusHead\x01".to_vec();
        head.push(channels.clamp(1, 2));
        head.extend([0, 0]); // nothing is skipped at the beginning
        head.extend(sample_rate.to_le_bytes());
        head.extend([0; 3]); // gain, mapping family
        packets.write_packet(head, SERIAL, PacketWriteEndInfo::EndPage, 0)?;
        let vendor = b"wyze";
        let mut tags = b"OpusTags".to_vec();
        tags.extend((vendor.len() as u32).to_le_bytes());
        tags.extend(vendor);
        tags.extend([0; 4]); // no comments
        packets.write_packet(tags, SERIAL, PacketWriteEndInfo::EndPage, 0)?;
        Ok(Self {
            packets,
            held: None,
            samples: 0,
            page: 0,
        })
    }

    /// Takes the next packet. One that is no Opus is kept as well, and plays nothing.
    ///
    /// # Errors
    /// The output takes no more.
    pub fn write(&mut self, packet: &[u8]) -> io::Result<()> {
        match self.held.replace(packet.to_vec()) {
            Some(before) => self.put(before, PacketWriteEndInfo::NormalPacket),
            None => Ok(()),
        }
    }

    /// Writes what is still held back; the output is whole then.
    ///
    /// # Errors
    /// The output takes no more.
    pub fn finish(mut self) -> io::Result<W> {
        if let Some(last) = self.held.take() {
            self.put(last, PacketWriteEndInfo::EndStream)?;
        }
        self.packets.inner_mut().flush()?;
        Ok(self.packets.into_inner())
    }

    fn put(&mut self, packet: Vec<u8>, end: PacketWriteEndInfo) -> io::Result<()> {
        self.samples += u64::from(opus_samples(&packet).unwrap_or(0));
        let full = self.samples - self.page >= SECOND;
        let end = match end {
            PacketWriteEndInfo::NormalPacket if full => PacketWriteEndInfo::EndPage,
            end => end,
        };
        if full {
            self.page = self.samples;
        }
        self.packets.write_packet(packet, SERIAL, end, self.samples)
    }
}

impl<W: Write> fmt::Debug for OggOpusWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OggOpusWriter")
            .field("samples", &self.samples)
            .finish_non_exhaustive()
    }
}
