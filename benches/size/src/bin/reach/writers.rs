//! Recordings and a trace on a card that may fail, and whose driver may break the contract of `write`.

use core::hint::black_box;

use embedded_io::{ErrorKind, ErrorType, Write};
use wyze_embedded_io::{Pcap, Recording};
use wyze_smoltcp::session::{Chunk, Frame, Stream};

use crate::hardware::{chance, now, peer, register};

struct Card;

impl ErrorType for Card {
    type Error = ErrorKind;
}

impl Write for Card {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        for byte in bytes {
            black_box(byte);
        }
        if chance() {
            Ok(register(0) as usize)
        } else {
            Err(ErrorKind::Other)
        }
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

pub(crate) struct Writers {
    recording: Recording<Card>,
    trace: Result<Pcap<Card>, ErrorKind>,
}

impl Writers {
    pub(crate) fn new() -> Self {
        let stream = if chance() {
            Stream::Video
        } else {
            Stream::Audio
        };
        Self {
            recording: Recording::new(Card, stream),
            trace: Pcap::new(Card, u64::from(register(1))),
        }
    }

    pub(crate) fn frame(&mut self, frame: &Frame<'_>) {
        let _ = black_box(self.recording.frame(frame));
        self.trace(frame.data);
    }

    pub(crate) fn chunk(&mut self, chunk: &Chunk<'_>) {
        let _ = black_box(self.recording.chunk(chunk));
        self.trace(chunk.bytes);
    }

    fn trace(&mut self, bytes: &[u8]) {
        if let Ok(trace) = &mut self.trace {
            let _ = black_box(trace.datagram(now(), peer(), peer(), bytes));
        }
    }
}
