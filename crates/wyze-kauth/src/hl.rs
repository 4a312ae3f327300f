//! HL messages: the 16-byte header in front of every K-command (`docs/protocol.md` §3.1).

use core::fmt;
use core::mem::offset_of;

use tutk_core::wire::{Malformed, Writer};
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of the header.
pub const HEADER_LEN: usize = 16;
/// Longest body that this crate writes, bytes. With header, IOCTRL and DTLS around it, it still fits one datagram.
pub const MAX_PAYLOAD: usize = 1024;
/// Longest message that this crate writes, header included, bytes.
pub const MAX_MESSAGE: usize = HEADER_LEN + MAX_PAYLOAD;
/// Longest body that is believed when read, bytes.
const MAX_RX_PAYLOAD: u32 = 0xffff;
/// The protocol version that applications put into their requests.
pub const CLIENT_VERSION: u8 = 5;

/// The header. Little-endian.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Header {
    magic: [u8; 2],
    version: u8,
    zero: u8,
    code: U16,
    payload_len: U32,
    reserved: [u8; 6],
}

const _: () = {
    assert!(size_of::<Header>() == HEADER_LEN);
    assert!(offset_of!(Header, code) == 4);
    assert!(offset_of!(Header, payload_len) == 6);
};

const MAGIC: [u8; 2] = *b"HL";

/// What a message is about. Requests are even but for one, the reply has the request's code plus one.
///
/// The requests' codes are constants made from the table of [`support`](crate::support).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Code(pub u16);

impl Code {
    /// Status and challenge, the reply to K10000.
    pub const K10001: Self = Self(10001);
    /// Verdict and description of the camera, the reply to K10002.
    pub const K10003: Self = Self(10003);
    /// Reply to K10006, as K10003.
    pub const K10007: Self = Self(10007);
    /// Reply to K10008, as K10003.
    pub const K10009: Self = Self(10009);

    /// The code of the reply to this request.
    pub const fn reply(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// Whether it belongs to the authentication: 10000 to 10009.
    pub const fn is_auth(self) -> bool {
        matches!(self.0, 10000..=10009)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "K{}", self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One received message.
///
/// `Debug` leaves the body out: some bodies name the MAC.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Message<'p> {
    /// Protocol version of the sender: [`CLIENT_VERSION`] from applications, the firmware's own from cameras (36 and 37
    /// on current ones), where it tells which commands they know.
    pub version: u8,
    /// What it is about.
    pub code: Code,
    /// Its body.
    pub payload: &'p [u8],
}

impl<'p> Message<'p> {
    /// Reads the message that starts at the first of `bytes`. Bytes behind it are ignored.
    ///
    /// # Errors
    /// No "HL" at the start, too few bytes, or a length that is more than there is.
    pub fn parse(bytes: &'p [u8]) -> Result<Self, Malformed> {
        let (header, rest) = Header::ref_from_prefix(bytes).map_err(|_| Malformed::Truncated)?;
        if header.magic != MAGIC {
            return Err(Malformed::BadMagic);
        }
        let len = header.payload_len.get();
        if len > MAX_RX_PAYLOAD {
            return Err(Malformed::BadLength);
        }
        let payload = usize::try_from(len)
            .ok()
            .and_then(|len| rest.get(..len))
            .ok_or(Malformed::BadLength)?;
        Ok(Self {
            version: header.version,
            code: Code(header.code.get()),
            payload,
        })
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("version", &self.version)
            .field("code", &self.code)
            .field("payload_len", &self.payload.len())
            .finish()
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Message<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Message {{ version: {}, code: {}, payload_len: {} }}",
            self.version,
            self.code,
            self.payload.len()
        );
    }
}

/// Writes a whole message whose body is what `payload` writes, at most [`MAX_PAYLOAD`] bytes.
///
/// `out` is full afterwards, so that its `finish` fails, when the message did not fit or the body was too long.
pub fn write(out: &mut Writer<'_>, version: u8, code: Code, payload: impl FnOnce(&mut Writer<'_>)) {
    let length_at = begin(out, version, code);
    out.counted32_le(length_at, MAX_PAYLOAD, payload);
}

/// Writes the header of a message, and says where the length of its body goes.
#[inline(never)] // every command has a copy of `write`
fn begin(out: &mut Writer<'_>, version: u8, code: Code) -> usize {
    let length_at = out.len().saturating_add(offset_of!(Header, payload_len));
    let header = Header {
        magic: MAGIC,
        version,
        zero: 0,
        code: U16::new(code.0),
        payload_len: U32::ZERO,
        reserved: [0; 6],
    };
    out.bytes(header.as_bytes());
    length_at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(version: u8, code: Code, payload: &[u8]) -> Vec<u8> {
        let mut memory = [0u8; MAX_MESSAGE];
        let mut w = Writer::new(&mut memory);
        write(&mut w, version, code, |w| w.bytes(payload));
        w.finish().unwrap().to_vec()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let bytes = message(36, Code::K10010, &[1, 2]);
        let m = Message::parse(&bytes).unwrap();
        assert_eq!(
            (m.version, m.code, m.payload),
            (36, Code::K10010, &[1, 2][..])
        );
    }

    #[test]
    fn bytes_behind_the_message_are_ignored() {
        let mut bytes = message(5, Code::K10000, b"");
        bytes.extend([7; 9]);
        assert_eq!(Message::parse(&bytes).unwrap().payload, b"");
    }

    #[test]
    fn a_length_beyond_the_bytes_is_refused() {
        let mut bytes = message(5, Code::K10000, b"abc");
        assert_eq!(Message::parse(&bytes[..18]), Err(Malformed::BadLength));
        assert_eq!(Message::parse(&bytes[..15]), Err(Malformed::Truncated));
        bytes[6..10].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Message::parse(&bytes), Err(Malformed::BadLength));
        bytes[0] = b'h';
        assert_eq!(Message::parse(&bytes), Err(Malformed::BadMagic));
    }

    #[test]
    fn the_longest_body_has_65535_bytes() {
        let mut bytes = message(5, Code::K10000, b"");
        bytes.resize(HEADER_LEN + 0x1_0001, 7);
        for (length, fits) in [(0xffff_u32, true), (0x1_0000, false), (0x1_0001, false)] {
            bytes[6..10].copy_from_slice(&length.to_le_bytes());
            let read = Message::parse(&bytes).map(|m| m.payload.len() as u32);
            assert_eq!(read, fits.then_some(length).ok_or(Malformed::BadLength));
        }
    }

    #[test]
    fn a_body_that_does_not_fit_fails_the_writer() {
        let mut memory = [0u8; 8192];
        let mut w = Writer::new(&mut memory);
        write(&mut w, 5, Code::K10000, |w| w.zeros(MAX_PAYLOAD + 1));
        assert!(w.finish().is_err());
        let mut w = Writer::new(&mut memory[..17]);
        write(&mut w, 5, Code::K10000, |w| w.zeros(2));
        assert!(w.finish().is_err());
    }

    #[test]
    fn debug_leaves_the_body_out() {
        let bytes = message(5, Code::K10000, b"AABBCCDDEEFF");
        let shown = format!("{:?}", Message::parse(&bytes).unwrap());
        assert_eq!(
            shown,
            "Message { version: 5, code: K10000, payload_len: 12 }"
        );
    }
}
