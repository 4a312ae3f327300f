//! Bytes to send.

use core::net::SocketAddr;

/// The buffer the caller lent is too small for the datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Full;

impl core::fmt::Display for Full {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the transmit buffer is too small for this datagram; lend at least 1500 bytes")
    }
}

impl core::error::Error for Full {}

/// A datagram under construction: payload in the middle, reserved room on both sides.
///
/// The outermost layer reserves first. The innermost appends its payload once; each layer on the way out encrypts it
/// where it lies ([`payload_mut`](Self::payload_mut)) and pushes header and trailer around it. No byte moves.
///
/// ```
/// use tutk_core::TxBuf;
/// let mut memory = [0u8; 64];
/// let mut tx = TxBuf::new(&mut memory);
/// tx.reserve(4, 2).unwrap(); // the outer layer: up to 4 bytes in front, 2 behind
/// tx.append(b"payload").unwrap();
/// tx.push_header(b"head").unwrap();
/// tx.push_trailer(b"tl").unwrap();
/// assert_eq!(tx.finish(), b"headpayloadtl");
/// ```
pub struct TxBuf<'b> {
    buf: &'b mut [u8],
    /// First byte of the payload (or of the outermost header pushed so far).
    start: usize,
    /// One past the last byte written.
    end: usize,
    /// Bytes at the end of `buf` that `append` must leave for trailers.
    tail: usize,
    to: Option<SocketAddr>,
}

impl<'b> TxBuf<'b> {
    /// An empty datagram in `buf`, with no room reserved.
    pub fn new(buf: &'b mut [u8]) -> Self {
        Self {
            buf,
            start: 0,
            end: 0,
            tail: 0,
            to: None,
        }
    }

    /// Forgets everything written and reserved, for another attempt in the same buffer.
    pub fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
        self.tail = 0;
        self.to = None;
    }

    /// Keeps `headroom` bytes in front and `tailroom` bytes behind for a layer. Called outermost layer first, before
    /// anything is appended.
    ///
    /// # Errors
    /// [`Full`] when the buffer can't hold that much, or when something was appended already.
    pub fn reserve(&mut self, headroom: usize, tailroom: usize) -> Result<(), Full> {
        let start = self.start.checked_add(headroom).ok_or(Full)?;
        let tail = self.tail.checked_add(tailroom).ok_or(Full)?;
        let needed = start.checked_add(tail).ok_or(Full)?;
        if self.start != self.end || needed > self.buf.len() {
            return Err(Full);
        }
        self.start = start;
        self.end = start;
        self.tail = tail;
        Ok(())
    }

    /// Bytes that [`append`](Self::append) would still take.
    pub fn room(&self) -> usize {
        self.buf
            .len()
            .saturating_sub(self.end)
            .saturating_sub(self.tail)
    }

    /// Writes `bytes` behind the payload, never into room reserved for trailers.
    ///
    /// # Errors
    /// [`Full`], with nothing written.
    #[inline(never)] // once a layer and datagram, from a dozen places
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Full> {
        if bytes.len() > self.room() {
            return Err(Full);
        }
        // Not `grow`, which is a call: here the lengths are seen to be the same, and no copy can panic.
        let rest = self.buf.get_mut(self.end..).unwrap_or_default();
        rest.get_mut(..bytes.len())
            .ok_or(Full)?
            .copy_from_slice(bytes);
        self.end += bytes.len();
        Ok(())
    }

    /// Lengthens the payload by `n` bytes and lends them for writing; their content is what the buffer held.
    ///
    /// # Errors
    /// [`Full`], with nothing changed.
    #[inline(never)] // once a layer and datagram, from a dozen places
    pub fn grow(&mut self, n: usize) -> Result<&mut [u8], Full> {
        if n > self.room() {
            return Err(Full);
        }
        let from = self.end;
        self.end += n;
        self.buf.get_mut(from..self.end).ok_or(Full)
    }

    /// Shortens what was written to its first `len` bytes; no effect when it is shorter already.
    pub fn truncate(&mut self, len: usize) {
        self.end = self.end.min(self.start.saturating_add(len));
    }

    /// Length of what has been written, headers and trailers so far included.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// What has been written, to be read.
    pub fn payload(&self) -> &[u8] {
        self.buf.get(self.start..self.end).unwrap_or_default()
    }

    /// What has been written, to be encrypted or scrambled in place.
    pub fn payload_mut(&mut self) -> &mut [u8] {
        self.buf.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// Writes `bytes` in front of everything, into reserved room.
    ///
    /// # Errors
    /// [`Full`] when less room was reserved, with nothing written.
    #[inline(never)] // once a layer and datagram, from a dozen places
    pub fn push_header(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let start = self.start.checked_sub(bytes.len()).ok_or(Full)?;
        self.buf
            .get_mut(start..self.start)
            .ok_or(Full)?
            .copy_from_slice(bytes);
        self.start = start;
        Ok(())
    }

    /// Writes `bytes` behind everything, using up reserved room.
    ///
    /// # Errors
    /// [`Full`] when less room was reserved, with nothing written.
    #[inline(never)] // once a layer and datagram, from a dozen places
    pub fn push_trailer(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let tail = self.tail.checked_sub(bytes.len()).ok_or(Full)?;
        let end = self.end + bytes.len();
        self.buf
            .get_mut(self.end..end)
            .ok_or(Full)?
            .copy_from_slice(bytes);
        self.end = end;
        self.tail = tail;
        Ok(())
    }

    /// Says where the datagram must go. The layer that knows addresses (IOTC) calls it.
    pub fn set_destination(&mut self, to: SocketAddr) {
        self.to = Some(to);
    }

    /// Where the datagram must go, once a layer has said so.
    pub fn destination(&self) -> Option<SocketAddr> {
        self.to
    }

    /// The finished datagram, a part of the caller's buffer.
    pub fn finish(self) -> &'b mut [u8] {
        self.buf.get_mut(self.start..self.end).unwrap_or_default()
    }
}

/// Shows no content: what is written may not be encrypted yet.
impl core::fmt::Debug for TxBuf<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TxBuf")
            .field("len", &self.len())
            .field("room", &self.room())
            .field("to", &self.to)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn append_never_eats_reserved_tailroom() {
        let mut memory = [0u8; 10];
        let mut tx = TxBuf::new(&mut memory);
        tx.reserve(2, 3).unwrap();
        assert_eq!(tx.room(), 5);
        assert_eq!(tx.append(&[1; 6]), Err(Full));
        tx.append(&[1; 5]).unwrap();
        tx.push_trailer(&[2; 3]).unwrap();
        assert_eq!(tx.push_trailer(&[2]), Err(Full));
        tx.push_header(&[3; 2]).unwrap();
        assert_eq!(tx.push_header(&[3]), Err(Full));
        assert_eq!(tx.finish(), [3, 3, 1, 1, 1, 1, 1, 2, 2, 2]);
    }

    #[test]
    fn a_shorter_header_than_reserved_leaves_no_gap() {
        let mut memory = [9u8; 10];
        let mut tx = TxBuf::new(&mut memory);
        tx.reserve(4, 0).unwrap();
        tx.append(b"ab").unwrap();
        tx.push_header(b"h").unwrap();
        assert_eq!(tx.finish(), b"hab");
    }

    #[test]
    fn reserve_fails_when_too_much_or_too_late() {
        let mut memory = [0u8; 4];
        let mut tx = TxBuf::new(&mut memory);
        assert_eq!(tx.reserve(3, 2), Err(Full));
        assert_eq!(tx.reserve(usize::MAX, 2), Err(Full));
        tx.reserve(1, 1).unwrap();
        tx.append(b"x").unwrap();
        assert_eq!(tx.reserve(1, 0), Err(Full));
        tx.truncate(0);
        assert!(tx.is_empty());
    }
}
