//! The record header (RFC 6347 §4.1).

use tutk_core::wire::Malformed;

/// Bytes of a record header.
pub(crate) const HEADER: usize = 13;
/// DTLS 1.2 as version field.
pub(crate) const DTLS_1_2: [u8; 2] = [0xfe, 0xfd];
/// DTLS 1.0, which first hellos and HelloVerifyRequests of many peers carry.
pub(crate) const DTLS_1_0: [u8; 2] = [0xfe, 0xff];
/// Most plaintext bytes of a record.
pub(crate) const MAX_PLAINTEXT: usize = 1 << 14;
/// Record numbers have 48 bits.
pub(crate) const MAX_SEQUENCE: u64 = (1 << 48) - 1;

/// What a record carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContentType {
    ChangeCipherSpec,
    Alert,
    Handshake,
    ApplicationData,
    Unknown(u8),
}

impl From<u8> for ContentType {
    fn from(code: u8) -> Self {
        match code {
            20 => Self::ChangeCipherSpec,
            21 => Self::Alert,
            22 => Self::Handshake,
            23 => Self::ApplicationData,
            n => Self::Unknown(n),
        }
    }
}

impl From<ContentType> for u8 {
    fn from(kind: ContentType) -> Self {
        match kind {
            ContentType::ChangeCipherSpec => 20,
            ContentType::Alert => 21,
            ContentType::Handshake => 22,
            ContentType::ApplicationData => 23,
            ContentType::Unknown(n) => n,
        }
    }
}

/// Where a record stands in the sequence of its direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) epoch: u16,
    /// 48 bits.
    pub(crate) seq: u64,
}

impl Position {
    /// Epoch and number as they go over the wire and into nonce, AAD and MAC.
    pub(crate) fn to_bytes(self) -> [u8; 8] {
        ((u64::from(self.epoch) << 48) | (self.seq & MAX_SEQUENCE)).to_be_bytes()
    }
}

/// A record header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: ContentType,
    pub(crate) version: [u8; 2],
    pub(crate) at: Position,
    /// Bytes that follow the header.
    pub(crate) len: usize,
}

impl Header {
    /// Reads a header from the start of `bytes`, which must hold the whole record.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let (header, rest) = bytes.split_first_chunk().ok_or(Malformed::Truncated)?;
        let [kind, v0, v1, e0, e1, s0, s1, s2, s3, s4, s5, l0, l1]: [u8; HEADER] = *header;
        let (kind, version) = (kind.into(), [v0, v1]);
        if !matches!(version, DTLS_1_2 | DTLS_1_0) {
            return Err(Malformed::BadValue);
        }
        let at = Position {
            epoch: u16::from_be_bytes([e0, e1]),
            seq: u64::from_be_bytes([0, 0, s0, s1, s2, s3, s4, s5]),
        };
        let len = u16::from_be_bytes([l0, l1]).into();
        if rest.len() < len {
            return Err(Malformed::Truncated);
        }
        Ok(Self {
            kind,
            version,
            at,
            len,
        })
    }

    /// The header as it goes over the wire. `len` must be below 65536.
    pub(crate) fn to_bytes(self) -> [u8; HEADER] {
        let [v0, v1] = self.version;
        let [e0, e1, s0, s1, s2, s3, s4, s5] = self.at.to_bytes();
        let [l0, l1] = (self.len as u16).to_be_bytes();
        [
            self.kind.into(),
            v0,
            v1,
            e0,
            e1,
            s0,
            s1,
            s2,
            s3,
            s4,
            s5,
            l0,
            l1,
        ]
    }
}

/// What AEAD and MAC cover beside the plaintext: position, type, version, plaintext length.
pub(crate) fn additional_data(kind: ContentType, at: Position, len: usize) -> [u8; HEADER] {
    let [p0, p1, p2, p3, p4, p5, p6, p7] = at.to_bytes();
    let [v0, v1] = DTLS_1_2;
    let [l0, l1] = (len as u16).to_be_bytes();
    [p0, p1, p2, p3, p4, p5, p6, p7, kind.into(), v0, v1, l0, l1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_round_trips() {
        let mut bytes = hex::decode("16fefd0001000000abcdef0002").unwrap();
        bytes.extend([1, 2, 3]);
        let header = Header::parse(&bytes).unwrap();
        assert_eq!(header.kind, ContentType::Handshake);
        assert_eq!(
            header.at,
            Position {
                epoch: 1,
                seq: 0xabcdef
            }
        );
        assert_eq!(header.len, 2);
        assert_eq!(header.to_bytes(), bytes[..13]);
    }

    #[test]
    fn a_record_longer_than_its_datagram_is_refused() {
        let bytes = hex::decode("17fefd000100000000000000030102").unwrap();
        assert_eq!(Header::parse(&bytes), Err(Malformed::Truncated));
        for n in 0..13 {
            assert!(Header::parse(&bytes[..n]).is_err());
        }
    }

    #[test]
    fn both_record_versions_are_accepted_and_no_other() {
        for (version, ok) in [
            ("fefd", true),
            ("feff", true),
            ("0303", false),
            ("fefc", false),
        ] {
            let bytes = hex::decode(format!("16{version}00000000000000000000")).unwrap();
            assert_eq!(Header::parse(&bytes).is_ok(), ok, "{version}");
        }
    }
}
