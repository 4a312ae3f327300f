//! Cursors over untrusted bytes that cannot index out of range.
//!
//! Fixed layouts (all of TUTK) are `zerocopy` structs in the crate that owns them. These cursors are for what has no
//! fixed layout: DTLS handshake bodies (big-endian, nested vectors) and K-command payloads (little-endian).

use core::fmt;

/// Why bytes could not be read. Stays inside a layer: on the network's side it is noise, dropped and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Malformed {
    /// Fewer bytes than the layout needs.
    Truncated,
    /// A magic number or marker is not the expected one.
    BadMagic,
    /// A length field contradicts the bytes around it.
    BadLength,
    /// A field holds a value that the layout does not allow.
    BadValue,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "truncated",
            Self::BadMagic => "wrong magic number",
            Self::BadLength => "a length field contradicts the packet",
            Self::BadValue => "a field holds a value that is not allowed",
        })
    }
}

impl core::error::Error for Malformed {}

/// Reads integers, byte strings and length-prefixed vectors off the front of a slice.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(&'a [u8]);

macro_rules! read_int {
    ($($(#[$doc:meta])* $name:ident: $ty:ty = $from:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// [`Malformed::Truncated`].
        pub fn $name(&mut self) -> Result<$ty, Malformed> {
            Ok(<$ty>::$from(*self.array()?))
        }
    )*};
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Unread bytes.
    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Whether everything has been read.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next `n` bytes.
    ///
    /// # Errors
    /// [`Malformed::Truncated`], with nothing read.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.0.split_at_checked(n).ok_or(Malformed::Truncated)?;
        self.0 = tail;
        Ok(head)
    }

    /// The next `N` bytes as an array.
    ///
    /// # Errors
    /// [`Malformed::Truncated`], with nothing read.
    pub fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Malformed> {
        let (head, tail) = self.0.split_first_chunk().ok_or(Malformed::Truncated)?;
        self.0 = tail;
        Ok(head)
    }

    read_int! {
        /// One byte.
        u8: u8 = from_be_bytes;
        /// Two bytes, big-endian.
        u16_be: u16 = from_be_bytes;
        /// Two bytes, little-endian.
        u16_le: u16 = from_le_bytes;
        /// Four bytes, big-endian.
        u32_be: u32 = from_be_bytes;
        /// Four bytes, little-endian.
        u32_le: u32 = from_le_bytes;
        /// Two bytes, little-endian, signed.
        i16_le: i16 = from_le_bytes;
    }

    /// Three bytes, big-endian (lengths of DTLS handshake messages).
    ///
    /// # Errors
    /// [`Malformed::Truncated`].
    pub fn u24_be(&mut self) -> Result<u32, Malformed> {
        let [a, b, c] = *self.array()?;
        Ok(u32::from_be_bytes([0, a, b, c]))
    }

    /// A vector whose length stands before it in one byte.
    ///
    /// # Errors
    /// [`Malformed::Truncated`].
    pub fn vec8(&mut self) -> Result<Reader<'a>, Malformed> {
        let n = self.u8()?;
        self.take(n.into()).map(Reader)
    }

    /// A vector whose length stands before it in two big-endian bytes.
    ///
    /// # Errors
    /// [`Malformed::Truncated`].
    pub fn vec16(&mut self) -> Result<Reader<'a>, Malformed> {
        let n = self.u16_be()?;
        self.take(n.into()).map(Reader)
    }

    /// Insists that nothing is left.
    ///
    /// # Errors
    /// [`Malformed::BadLength`] when something is.
    pub const fn expect_empty(&self) -> Result<(), Malformed> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Malformed::BadLength)
        }
    }
}

/// Writes integers, byte strings and length-prefixed vectors into a slice.
///
/// A write that does not fit sets a flag and writes nothing more, so that encoders read as a list of fields;
/// [`finish`](Self::finish) says whether all of it fitted.
///
/// ```
/// use tutk_core::wire::Writer;
/// let mut memory = [0u8; 8];
/// let mut w = Writer::new(&mut memory);
/// w.u8(1);
/// w.vec16(|w| w.bytes(b"abc")); // length 00 03, patched afterwards
/// assert_eq!(w.finish().unwrap(), b"\x01\x00\x03abc");
/// ```
#[derive(Debug)]
pub struct Writer<'b> {
    buf: &'b mut [u8],
    len: usize,
    full: bool,
}

impl<'b> Writer<'b> {
    /// Writes from the start of `buf`.
    pub fn new(buf: &'b mut [u8]) -> Self {
        Self {
            buf,
            len: 0,
            full: false,
        }
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A byte string as it is.
    #[inline(never)] // dozens of calls, none in a hot place: a copy in each is kilobytes of flash
    pub fn bytes(&mut self, bytes: &[u8]) {
        let rest = self.buf.get_mut(self.len..).unwrap_or_default();
        match rest.get_mut(..bytes.len()) {
            Some(room) if !self.full => {
                room.copy_from_slice(bytes);
                self.len += bytes.len();
            }
            _ => self.full = true,
        }
    }

    /// One byte.
    #[inline(never)]
    pub fn u8(&mut self, v: u8) {
        self.bytes(&[v]);
    }

    /// Two bytes, big-endian.
    #[inline(never)]
    pub fn u16_be(&mut self, v: u16) {
        self.bytes(&v.to_be_bytes());
    }

    /// Two bytes, little-endian.
    #[inline(never)]
    pub fn u16_le(&mut self, v: u16) {
        self.bytes(&v.to_le_bytes());
    }

    /// The low three bytes, big-endian.
    pub fn u24_be(&mut self, v: u32) {
        let [_, a, b, c] = v.to_be_bytes();
        self.bytes(&[a, b, c]);
    }

    /// Four bytes, big-endian.
    #[inline(never)]
    pub fn u32_be(&mut self, v: u32) {
        self.bytes(&v.to_be_bytes());
    }

    /// Four bytes, little-endian.
    #[inline(never)]
    pub fn u32_le(&mut self, v: u32) {
        self.bytes(&v.to_le_bytes());
    }

    /// `n` zero bytes.
    pub fn zeros(&mut self, n: usize) {
        for _ in 0..n {
            self.u8(0);
        }
    }

    /// What `body` writes, with its length before it in one byte.
    pub fn vec8(&mut self, body: impl FnOnce(&mut Self)) {
        self.u8(0);
        let start = self.len;
        body(self);
        self.patch(start, 1);
    }

    /// What `body` writes, with its length before it in two big-endian bytes.
    pub fn vec16(&mut self, body: impl FnOnce(&mut Self)) {
        self.u16_be(0);
        let start = self.len;
        body(self);
        self.patch(start, 2);
    }

    /// Writes the length of everything from `start` on into the `width` bytes before it, one or two,
    /// big-endian.
    #[inline(never)]
    fn patch(&mut self, start: usize, width: usize) {
        let len = self.len.saturating_sub(start);
        match self.buf.get_mut(start.saturating_sub(width)..start) {
            _ if self.full => {}
            Some([one]) if len <= 0xff => *one = len as u8,
            Some([high, low]) if len <= 0xffff => {
                *high = (len >> 8) as u8;
                *low = len as u8;
            }
            _ => self.full = true,
        }
    }

    /// What `body` writes, at most `max` bytes, whose length then overwrites the four bytes at `at`, little-endian.
    ///
    /// For headers in which more fields stand between the length and what it counts. `at` counts from the start of the
    /// memory; those four bytes must have been written.
    pub fn counted32_le(&mut self, at: usize, max: usize, body: impl FnOnce(&mut Self)) {
        let start = self.len;
        body(self);
        self.count32_le(at, start, max);
    }

    #[inline(never)]
    fn count32_le(&mut self, at: usize, start: usize, max: usize) {
        let len = self.len.saturating_sub(start);
        let slot = self
            .buf
            .get_mut(..start)
            .and_then(|written| written.get_mut(at..)?.first_chunk_mut());
        match (u32::try_from(len), slot) {
            (Ok(length), Some(slot)) if len <= max => *slot = length.to_le_bytes(),
            _ => self.full = true,
        }
    }

    /// What has been written.
    ///
    /// # Errors
    /// [`Full`](crate::Full) when something did not fit.
    pub fn finish(self) -> Result<&'b mut [u8], crate::Full> {
        if self.full {
            return Err(crate::Full);
        }
        self.buf.get_mut(..self.len).ok_or(crate::Full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reader_takes_nothing_when_short() {
        let mut r = Reader::new(&[1, 2, 3]);
        assert_eq!(r.u32_le(), Err(Malformed::Truncated));
        assert_eq!(r.u24_be(), Ok(0x010203));
        assert_eq!(r.expect_empty(), Ok(()));
    }

    #[test]
    fn nested_vectors_round_trip() {
        let mut memory = [0u8; 16];
        let mut w = Writer::new(&mut memory);
        w.vec8(|w| w.vec16(|w| w.u32_be(0xdead_beef)));
        let bytes = w.finish().unwrap();
        let mut r = Reader::new(bytes);
        let mut inner = r.vec8().unwrap().vec16().unwrap();
        assert_eq!(inner.u32_be(), Ok(0xdead_beef));
        assert!(r.is_empty() && inner.is_empty());
    }

    #[test]
    fn a_length_is_patched_into_the_header_before_it() {
        let mut memory = [0xee; 16];
        let mut w = Writer::new(&mut memory);
        w.u8(7);
        w.zeros(6);
        w.counted32_le(1, 3, |w| w.bytes(b"abc"));
        assert_eq!(w.finish().unwrap(), b"\x07\x03\0\0\0\0\0abc");
        // A body that is too long, and lengths that would overwrite what is not written yet.
        for (at, max) in [(0, 2), (1, 3), (usize::MAX, 3)] {
            let mut w = Writer::new(&mut memory);
            w.zeros(4);
            w.counted32_le(at, max, |w| w.bytes(b"abc"));
            assert!(w.finish().is_err(), "{at} {max}");
        }
        let mut w = Writer::new(&mut memory);
        w.zeros(4);
        w.counted32_le(0, 100, |w| w.zeros(13));
        assert!(w.finish().is_err(), "the body did not fit");
    }

    #[test]
    fn writer_reports_what_did_not_fit() {
        let mut memory = [0u8; 3];
        let mut w = Writer::new(&mut memory);
        w.u16_be(1);
        w.u16_be(2);
        w.u8(3); // would fit, but a gap before it would be a lie
        assert!(w.finish().is_err());

        let mut memory = [0u8; 400];
        let mut w = Writer::new(&mut memory);
        w.vec8(|w| w.zeros(256));
        assert!(w.finish().is_err(), "256 bytes have no one-byte length");
    }
}
