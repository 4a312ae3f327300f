//! One line for each frame: stream, bytes, SHA-256. The same line that `wyze camera --ledger` writes.

use core::fmt::{self, Write};

use sha2::{Digest, Sha256};

/// Writes the line of a whole frame.
pub(crate) fn enter(to: &mut impl Write, stream: &str, data: &[u8]) -> fmt::Result {
    line(to, stream, data.len(), &Sha256::digest(data).into())
}

fn line(to: &mut impl Write, stream: &str, len: usize, hash: &[u8; 32]) -> fmt::Result {
    write!(to, "{stream} {len} ")?;
    for byte in hash {
        write!(to, "{byte:02x}")?;
    }
    writeln!(to)
}

/// The frames of one stream, as they come chunk by chunk.
#[cfg(not(feature = "camera"))]
#[derive(Default)]
pub(crate) struct Column {
    hash: Sha256,
    len: usize,
    /// Whole frames so far.
    pub(crate) frames: u32,
    /// Frames that were given up.
    pub(crate) dropped: u32,
}

#[cfg(not(feature = "camera"))]
impl Column {
    /// Takes the next piece of a frame; the last one makes a line.
    pub(crate) fn chunk(
        &mut self,
        to: &mut impl Write,
        stream: &str,
        chunk: &wyze_smoltcp::session::Chunk<'_>,
    ) -> fmt::Result {
        if chunk.offset == 0 {
            self.hash = Sha256::new();
            self.len = 0;
        }
        self.hash.update(chunk.bytes);
        self.len += chunk.bytes.len();
        if !chunk.last {
            return Ok(());
        }
        self.frames += 1;
        line(to, stream, self.len, &self.hash.finalize_reset().into())
    }
}
