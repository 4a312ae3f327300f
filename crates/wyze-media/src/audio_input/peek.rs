//! A reader whose beginning can be looked at, and no more of it is waited for than is looked at: a microphone comes in
//! real time.

use std::io::{self, Read};

/// What bytes come from.
pub(super) type Bytes = Box<dyn Read + Send>;

pub(super) struct Peek {
    head: Vec<u8>,
    rest: Bytes,
}

impl Peek {
    pub(super) fn new(rest: Bytes) -> Self {
        Self {
            head: Vec::new(),
            rest,
        }
    }

    /// The first `len` bytes and perhaps more; fewer if there are no more.
    pub(super) fn head(&mut self, len: usize) -> io::Result<&mut Vec<u8>> {
        let missing = len.saturating_sub(self.head.len());
        let more = self.rest.by_ref().take(missing as u64);
        { more }.read_to_end(&mut self.head)?;
        Ok(&mut self.head)
    }

    /// Everything from the beginning.
    pub(super) fn into_bytes(self) -> Bytes {
        Box::new(io::Cursor::new(self.head).chain(self.rest))
    }
}
