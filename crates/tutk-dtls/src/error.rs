//! Why an association ended, and why a call was refused.

use core::fmt;

/// How far a handshake had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Phase {
    /// Client: nothing has answered the ClientHello. Server: no complete ClientHello (with a valid cookie) has come.
    Hello,
    /// Client: a ServerHello came, the rest of its flight did not. Server: no ClientKeyExchange has come.
    KeyExchange,
    /// The keys are in place, but no Finished of the peer decrypted. **This is what a wrong key looks like.**
    Finished,
}

/// Why an association is finished. Fatal: drop the object or reset it.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Error {
    /// The handshake did not end within its limit.
    HandshakeTimeout {
        /// How far it had come.
        after: Phase,
    },
    /// The peer sent a fatal alert with this description (RFC 5246 §7.2). During a handshake anybody can forge one.
    PeerAlert(u8),
    /// The peer's Finished decrypted but does not match the handshake: someone has tampered with it.
    BadFinished,
    /// Client: the server chose a suite that was not offered. Server: no hello within the limit offered a suite of ours.
    NoCommonSuite,
    /// The peer chose a protocol version other than DTLS 1.2.
    Version,
    /// The server answered an extension that was not asked for, or misused one.
    Extension,
    /// The server's key exchange names a group other than X25519.
    Group,
    /// The peer's X25519 key is a point of low order.
    LowOrderPoint,
    /// The client's PSK identity does not have the expected prefix.
    UnknownIdentity,
    /// 2^48 records were sent.
    SequenceExhausted,
    /// The transmit buffer cannot hold one handshake record. Lend at least 100 bytes beyond what outer layers need.
    BufferTooSmall,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::HandshakeTimeout {
                after: Phase::Hello,
            } => "the peer did not answer the DTLS hello",
            Self::HandshakeTimeout {
                after: Phase::KeyExchange,
            } => "the DTLS handshake stopped before the key exchange was complete",
            Self::HandshakeTimeout {
                after: Phase::Finished,
            } => "no valid DTLS Finished from the peer: most likely the key is wrong",
            Self::PeerAlert(20 | 51) => {
                "the peer reports that a record does not decrypt: most likely the key is wrong"
            }
            Self::PeerAlert(40) => {
                "the peer refuses the DTLS handshake: it accepts none of the offered cipher suites"
            }
            Self::PeerAlert(70) => "the peer refuses DTLS 1.2",
            Self::PeerAlert(115) => "the peer does not know the PSK identity",
            Self::PeerAlert(n) => {
                return write!(f, "the peer ended the DTLS session with alert {n}");
            }
            Self::BadFinished => {
                "the peer's DTLS Finished does not match the handshake: it was tampered with"
            }
            Self::NoCommonSuite => "no cipher suite in common with the peer",
            Self::Version => "the peer chose a protocol version other than DTLS 1.2",
            Self::Extension => "the server used a DTLS extension that was not offered",
            Self::Group => "the server chose a key exchange group other than X25519",
            Self::LowOrderPoint => "the peer's X25519 key is of low order",
            Self::UnknownIdentity => "the client's PSK identity is not an accepted one",
            Self::SequenceExhausted => "all DTLS record numbers are used up: connect again",
            Self::BufferTooSmall => {
                "the transmit buffer cannot hold a DTLS handshake record: lend at least 100 bytes beyond outer layers"
            }
        };
        f.write_str(text)
    }
}

impl core::error::Error for Error {}

/// Why a payload could not be sealed. The association is unaffected.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SealError {
    /// The handshake is not done, or the association was closed.
    NotConnected,
    /// The buffer lacks reserved room: reserve the layer's `HEADROOM` and `TAILROOM` before appending.
    Full,
    /// The payload exceeds 16384 bytes, the most a record can carry (RFC 5246 §6.2.1).
    TooLong,
    /// 2^48 records were sent: connect again.
    Exhausted,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotConnected => "the DTLS association is not connected",
            Self::Full => "the buffer lacks reserved room for a DTLS record",
            Self::TooLong => "a DTLS record carries at most 16384 bytes",
            Self::Exhausted => "all DTLS record numbers are used up: connect again",
        })
    }
}

impl core::error::Error for SealError {}

impl From<tutk_core::Full> for SealError {
    fn from(_: tutk_core::Full) -> Self {
        Self::Full
    }
}

/// Alert descriptions of RFC 5246 §7.2, those that this crate sends or knows by name.
pub(crate) mod alert {
    pub(crate) const CLOSE_NOTIFY: u8 = 0;
    pub(crate) const HANDSHAKE_FAILURE: u8 = 40;
    pub(crate) const ILLEGAL_PARAMETER: u8 = 47;
    pub(crate) const DECRYPT_ERROR: u8 = 51;
    pub(crate) const PROTOCOL_VERSION: u8 = 70;
    #[cfg(feature = "client")]
    pub(crate) const UNSUPPORTED_EXTENSION: u8 = 110;
    #[cfg(feature = "server")]
    pub(crate) const UNKNOWN_PSK_IDENTITY: u8 = 115;
}

impl Error {
    /// What the peer is told.
    pub(crate) const fn alert(self) -> u8 {
        match self {
            Self::BadFinished => alert::DECRYPT_ERROR,
            Self::Version => alert::PROTOCOL_VERSION,
            #[cfg(feature = "client")]
            Self::Extension => alert::UNSUPPORTED_EXTENSION,
            #[cfg(feature = "server")]
            Self::UnknownIdentity => alert::UNKNOWN_PSK_IDENTITY,
            Self::Group | Self::LowOrderPoint => alert::ILLEGAL_PARAMETER,
            _ => alert::HANDSHAKE_FAILURE,
        }
    }
}
