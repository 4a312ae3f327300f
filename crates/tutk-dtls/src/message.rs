//! Handshake messages: framing here, bodies in the submodules (RFC 6347 §4.2.2, RFC 5246 §7.4).

#[cfg(any(
    feature = "fuzz",
    all(
        test,
        feature = "client",
        feature = "server",
        feature = "chacha",
        feature = "cbc"
    )
))]
#[cfg_attr(not(feature = "fuzz"), allow(unreachable_pub))]
mod fuzz;
mod hello;
mod key_exchange;
#[cfg(all(
    test,
    feature = "client",
    feature = "server",
    feature = "chacha",
    feature = "cbc"
))]
mod round_trip;

#[cfg(feature = "fuzz")]
pub use fuzz::dtls_message;
pub(crate) use hello::*;
pub(crate) use key_exchange::*;
use sha2::Sha256;

use tutk_core::wire::{Malformed, Reader};

use crate::keys;

/// Bytes in front of each fragment of a message.
pub(crate) const HEADER: usize = 12;
/// No body that we send is longer: a ClientHello with a cookie of 255 bytes and every extension has 344.
pub(crate) const MAX_BODY: usize = 352;

/// What a handshake message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum Kind {
    ClientHello,
    ServerHello,
    HelloVerifyRequest,
    ServerKeyExchange,
    ServerHelloDone,
    ClientKeyExchange,
    Finished,
    Unknown(u8),
}

impl From<u8> for Kind {
    fn from(code: u8) -> Self {
        match code {
            1 => Self::ClientHello,
            2 => Self::ServerHello,
            3 => Self::HelloVerifyRequest,
            12 => Self::ServerKeyExchange,
            14 => Self::ServerHelloDone,
            16 => Self::ClientKeyExchange,
            20 => Self::Finished,
            n => Self::Unknown(n),
        }
    }
}

impl From<Kind> for u8 {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::ClientHello => 1,
            Kind::ServerHello => 2,
            Kind::HelloVerifyRequest => 3,
            Kind::ServerKeyExchange => 12,
            Kind::ServerHelloDone => 14,
            Kind::ClientKeyExchange => 16,
            Kind::Finished => 20,
            Kind::Unknown(n) => n,
        }
    }
}

/// A handshake message or a part of one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fragment<'p> {
    pub(crate) kind: Kind,
    /// Length of the whole message.
    pub(crate) len: usize,
    /// Number of the message in its direction.
    pub(crate) seq: u16,
    pub(crate) offset: usize,
    pub(crate) bytes: &'p [u8],
}

impl<'p> Fragment<'p> {
    /// The next fragment in a record.
    pub(crate) fn read(r: &mut Reader<'p>) -> Result<Self, Malformed> {
        let kind = r.u8()?.into();
        let len = r.u24_be()? as usize;
        let seq = r.u16_be()?;
        let offset = r.u24_be()? as usize;
        let n = r.u24_be()? as usize;
        let bytes = r.take(n)?;
        let fragment = Self {
            kind,
            len,
            seq,
            offset,
            bytes,
        };
        if !fragment.end_is_inside() {
            return Err(Malformed::BadLength);
        }
        Ok(fragment)
    }

    /// Whether it ends at or before the end of its message.
    pub(crate) fn end_is_inside(&self) -> bool {
        self.offset + self.bytes.len() <= self.len
    }

    /// Whether it is all of its message.
    pub(crate) fn is_whole(&self) -> bool {
        self.bytes.len() == self.len
    }

    /// The header as it goes over the wire.
    pub(crate) fn header(&self) -> [u8; HEADER] {
        let u24 = |n: usize| {
            let [_, a, b, c] = (n as u32).to_be_bytes();
            [a, b, c]
        };
        let ([l0, l1, l2], [s0, s1]) = (u24(self.len), self.seq.to_be_bytes());
        let ([o0, o1, o2], [n0, n1, n2]) = (u24(self.offset), u24(self.bytes.len()));
        [self.kind.into(), l0, l1, l2, s0, s1, o0, o1, o2, n0, n1, n2]
    }
}

/// The running hash over all handshake messages, each as if it had not been fragmented (RFC 6347 §4.2.6).
#[derive(Debug, Clone, Default)]
pub(crate) struct Transcript(Sha256);

impl Transcript {
    /// Appends a message.
    pub(crate) fn add(&mut self, kind: Kind, seq: u16, body: &[u8]) {
        let whole = Fragment {
            kind,
            len: body.len(),
            seq,
            offset: 0,
            bytes: body,
        };
        for part in [&whole.header()[..], body] {
            keys::absorb(&mut self.0, part);
        }
    }

    /// Hash of what was added so far.
    #[inline(never)]
    pub(crate) fn hash(&self) -> [u8; 32] {
        keys::finish(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_beyond_its_message_is_refused() {
        for (len, offset, n, ok) in [
            (4u8, 0u8, 4u8, true),
            (4, 2, 2, true),
            (4, 2, 3, false),
            (0, 0, 0, true),
            (3, 4, 0, false),
        ] {
            let mut bytes = vec![2, 0, 0, len, 0, 1, 0, 0, offset, 0, 0, n];
            bytes.extend(vec![0; n.into()]);
            assert_eq!(
                Fragment::read(&mut Reader::new(&bytes)).is_ok(),
                ok,
                "{len} {offset} {n}"
            );
        }
    }

    #[test]
    fn fragment_header_round_trips() {
        let bytes = hex::decode("100000300002000000000003aabbcc").unwrap();
        let fragment = Fragment::read(&mut Reader::new(&bytes)).unwrap();
        assert_eq!(
            (fragment.kind, fragment.len, fragment.seq),
            (Kind::ClientKeyExchange, 48, 2)
        );
        assert!(!fragment.is_whole());
        assert_eq!(fragment.header(), bytes[..HEADER]);
    }
}
