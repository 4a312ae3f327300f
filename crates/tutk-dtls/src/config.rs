//! What the caller chooses.

use core::time::Duration;

use tutk_core::Secret;

use crate::Suites;

/// Longest identity and longest hint this crate sends, bytes.
pub(crate) const MAX_IDENTITY: usize = 32;
/// Smallest [`ClientConfig::mtu`]: a Finished of the CBC suite is a record of 93 bytes and is never split.
pub(crate) const MIN_MTU: u16 = 100;
const DEFAULT_MTU: u16 = 1200;
const DEFAULT_LIMIT: Duration = Duration::from_secs(8);

/// A pre-shared key of 32 bytes. Never printed, wiped on drop.
///
/// The rule for zero bytes inside it (`docs/protocol.md` §1 #14) is the business of whoever derives it: this crate
/// always uses all 32 bytes.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Psk(Secret<[u8; 32]>);

impl Psk {
    /// Wraps a key.
    pub const fn new(key: [u8; 32]) -> Self {
        Self(Secret::new(key))
    }

    pub(crate) const fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }
}

/// How a [`Client`](crate::Client) behaves. [`new`](Self::new) gives the defaults; change fields as needed.
#[cfg(feature = "client")]
#[derive(Debug, Clone)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ClientConfig<'a> {
    /// The key shared with the server.
    pub psk: Psk,
    /// Sent as PSK identity, at most 32 bytes: what is longer is cut off. Cameras expect `AUTHPWD_admin`.
    pub identity: &'a [u8],
    /// Offered, CHACHA first. Default: every suite of this build.
    pub suites: Suites,
    /// Largest datagram payload, in bytes, that the handshake emits (records with their headers; what outer layers add
    /// is not counted). At least 100, default 1200.
    pub mtu: u16,
    /// Time from construction until [`Error::HandshakeTimeout`](crate::Error::HandshakeTimeout). Default 8 s.
    pub handshake_limit: Duration,
    /// Whether to offer the extended master secret (RFC 7627). Default no: cameras are not asked for it.
    pub extended_master_secret: bool,
}

#[cfg(feature = "client")]
impl<'a> ClientConfig<'a> {
    /// The defaults for this key and identity.
    pub const fn new(psk: Psk, identity: &'a [u8]) -> Self {
        Self {
            psk,
            identity,
            suites: Suites::ALL,
            mtu: DEFAULT_MTU,
            handshake_limit: DEFAULT_LIMIT,
            extended_master_secret: false,
        }
    }
}

/// How a [`Server`](crate::Server) behaves. [`new`](Self::new) gives the defaults; change fields as needed.
#[cfg(feature = "server")]
#[derive(Debug, Clone)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ServerConfig<'a> {
    /// The key shared with the client.
    pub psk: Psk,
    /// What a client's PSK identity must begin with, at most 32 bytes; empty accepts any. Default `AUTHPWD_`.
    pub identity_prefix: &'a [u8],
    /// PSK identity hint to send in ServerKeyExchange, at most 32 bytes: what is longer is cut off. Default none, which
    /// with plain PSK means no ServerKeyExchange at all.
    pub hint: Option<&'a [u8]>,
    /// Accepted, CHACHA preferred. Default: every suite of this build.
    pub suites: Suites,
    /// Largest datagram payload, in bytes, that the handshake emits. At least 100, default 1200.
    pub mtu: u16,
    /// Whether a client must first prove, by returning a cookie, that it receives at its address (RFC 6347 §4.2.1).
    /// Default off, as cameras.
    pub cookie: bool,
    /// Time from the first ClientHello, whatever others follow it, until
    /// [`Error::HandshakeTimeout`](crate::Error::HandshakeTimeout). Default 8 s.
    pub handshake_limit: Duration,
    /// Whether to agree to the extended master secret when a client offers it (RFC 7627). Default no, as cameras.
    pub extended_master_secret: bool,
}

#[cfg(feature = "server")]
impl ServerConfig<'_> {
    /// The defaults for this key.
    pub const fn new(psk: Psk) -> Self {
        Self {
            psk,
            identity_prefix: b"AUTHPWD_",
            hint: None,
            suites: Suites::ALL,
            mtu: DEFAULT_MTU,
            cookie: false,
            handshake_limit: DEFAULT_LIMIT,
            extended_master_secret: false,
        }
    }
}

/// A copy of at most `N` bytes.
pub(crate) fn cut<const N: usize>(bytes: &[u8]) -> heapless::Vec<u8, N> {
    let kept = bytes.get(..N).unwrap_or(bytes);
    heapless::Vec::from_slice(kept).unwrap_or_default()
}
