//! One line for each frame that went through the camera: stream, bytes, SHA-256.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use wyze_std::Report as Served;
use wyze_std::session::{CameraEvent, Stream};

/// The book, written as it goes.
#[derive(Debug)]
pub(super) struct Ledger {
    to: BufWriter<File>,
}

impl Ledger {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let to = BufWriter::new(File::create(path)?);
        Ok(Self { to })
    }

    /// Enters a frame that was sent, or one of audio that a viewer sent.
    pub(super) fn enter(&mut self, report: &Served<'_>) -> io::Result<()> {
        let (stream, data) = match report {
            Served::Sent { stream, data, .. } => match stream {
                Stream::Video => ("video", *data),
                Stream::Audio => ("audio", *data),
            },
            Served::Viewer {
                event: CameraEvent::Audio(frame),
                ..
            } => ("talk", frame.data),
            Served::Viewer { .. } => return Ok(()),
            _ => return Ok(()),
        };
        let hash: String = Sha256::digest(data)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        writeln!(self.to, "{stream} {} {hash}", data.len())
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_a_line_with_its_length_and_hash() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let mut ledger = Ledger::create(&path).unwrap();
        let sent = Served::Sent {
            slot: 0,
            stream: Stream::Video,
            data: b"abc",
        };
        ledger.enter(&sent).unwrap();
        ledger.finish().unwrap();
        // FIPS 180-4, appendix: SHA-256 of "abc".
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            "video 3 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n"
        );
    }
}
