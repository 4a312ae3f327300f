//! One line for each frame that went through: stream, bytes, SHA-256. What both sides of a session write can be compared.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use wyze_std::session::Stream;

use crate::failure::{Exit, Failure};

/// The book, written as it goes.
#[derive(Debug)]
pub(crate) struct Ledger {
    to: BufWriter<File>,
    written: io::Result<()>,
}

impl Ledger {
    /// Begins an empty one.
    ///
    /// # Errors
    /// The file can't be created.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let to = BufWriter::new(File::create(path).map_err(|e| failure(&e))?);
        Ok(Self {
            to,
            written: Ok(()),
        })
    }

    /// Enters a frame of the camera's.
    pub(crate) fn enter(&mut self, stream: Stream, data: &[u8]) {
        self.line(
            match stream {
                Stream::Video => "video",
                Stream::Audio => "audio",
            },
            data,
        );
    }

    /// Enters a frame of audio that went to the camera.
    pub(crate) fn enter_talk(&mut self, data: &[u8]) {
        self.line("talk", data);
    }

    fn line(&mut self, stream: &str, data: &[u8]) {
        if self.written.is_ok() {
            let digest = Sha256::digest(data);
            let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            self.written = writeln!(self.to, "{stream} {} {hash}", data.len());
        }
    }

    /// Ends it.
    ///
    /// # Errors
    /// Something was not written.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.written
            .and_then(|()| self.to.flush())
            .map_err(|e| failure(&e))
    }
}

fn failure(e: &io::Error) -> Failure {
    let what = format!("the ledger can't be written: {e}; choose another --ledger");
    Failure::new(Exit::Output, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_a_line_with_its_length_and_hash() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let mut ledger = Ledger::create(&path).unwrap();
        ledger.enter(Stream::Video, b"abc");
        ledger.enter_talk(b"abc");
        ledger.finish().unwrap();
        // FIPS 180-4, appendix: SHA-256 of "abc".
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            format!("video 3 {hash}\ntalk 3 {hash}\n")
        );
    }
}
