//! A book of frames: two of them are equal when the same bytes went through both, frame by frame.

use std::fmt;

use sha2::{Digest, Sha256};
use wyze_std::session::Stream;

/// The frames of both streams, each stream in its own order.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger {
    video: Column,
    audio: Column,
}

#[derive(Debug, Clone, Default)]
struct Column {
    frames: u64,
    hash: Sha256,
}

impl Ledger {
    /// Enters a frame.
    pub(super) fn enter(&mut self, stream: Stream, data: &[u8]) {
        let column = match stream {
            Stream::Video => &mut self.video,
            Stream::Audio => &mut self.audio,
        };
        column.frames += 1;
        // The length keeps frames apart.
        column.hash.update((data.len() as u64).to_le_bytes());
        column.hash.update(data);
    }

    pub(super) const fn video_frames(&self) -> u64 {
        self.video.frames
    }

    pub(super) const fn audio_frames(&self) -> u64 {
        self.audio.frames
    }
}

impl PartialEq for Column {
    fn eq(&self, other: &Self) -> bool {
        self.frames == other.frames && self.hash.clone().finalize() == other.hash.clone().finalize()
    }
}

impl PartialEq for Ledger {
    fn eq(&self, other: &Self) -> bool {
        self.video == other.video && self.audio == other.audio
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.video.frames, self.audio.frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(frames: &[(Stream, &[u8])]) -> Ledger {
        let mut ledger = Ledger::default();
        for (stream, data) in frames {
            ledger.enter(*stream, data);
        }
        ledger
    }

    #[test]
    fn streams_may_interleave_but_not_change() {
        use Stream::{Audio, Video};
        let a = ledger(&[(Video, b"one"), (Audio, b"x"), (Video, b"two")]);
        assert!(a == ledger(&[(Audio, b"x"), (Video, b"one"), (Video, b"two")]));
        assert!(
            a != ledger(&[(Video, b"two"), (Audio, b"x"), (Video, b"one")]),
            "order"
        );
        assert!(
            a != ledger(&[(Video, b"onet"), (Audio, b"x"), (Video, b"wo")]),
            "borders"
        );
        assert!(a != ledger(&[(Video, b"one"), (Audio, b"x")]), "count");
        assert!(
            a != ledger(&[(Video, b"one"), (Audio, b"y"), (Video, b"two")]),
            "content"
        );
    }
}
