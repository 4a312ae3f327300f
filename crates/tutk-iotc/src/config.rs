//! What a role must know beforehand.

use core::net::SocketAddr;
use core::time::Duration;

use crate::{AuthKey, Framings, Uid};

/// How long to search, and how long a camera may take to confirm, unless told otherwise.
const LIMIT: Duration = Duration::from_secs(5);

/// What a [`Client`](crate::Client) looks for, where and how.
#[derive(Debug, Clone)]
pub struct ClientConfig<'a> {
    /// The camera.
    pub uid: Uid,
    /// What proves that we may talk to it.
    pub auth_key: AuthKey,
    /// Where probes go: the address it had last, broadcast addresses. The first [`MAX_TARGETS`](crate::MAX_TARGETS) different ones are kept.
    /// The camera is accepted wherever it answers from.
    pub targets: &'a [SocketAddr],
    /// Framings to probe with.
    pub framings: Framings,
    /// How long to search; then, once more, how long a camera that answered may take to confirm the session.
    pub limit: Duration,
    /// Payloads are encrypted by themselves (DTLS), so only the first 64 bytes of a packet are scrambled.
    pub secure: bool,
}

impl<'a> ClientConfig<'a> {
    /// Both framings, 5 seconds, DTLS inside.
    pub const fn new(uid: Uid, auth_key: AuthKey, targets: &'a [SocketAddr]) -> Self {
        Self {
            uid,
            auth_key,
            targets,
            framings: Framings::BOTH,
            limit: LIMIT,
            secure: true,
        }
    }
}

/// What a [`Device`](crate::Device) is.
#[derive(Debug, Clone)]
pub struct DeviceConfig {
    /// The camera's identity.
    pub uid: Uid,
    /// Keys the HMACs of CC51. TransCode searches carry it too, but cameras were seen to answer ones without, so it is
    /// not checked there.
    pub auth_key: AuthKey,
    /// Framings whose searches are answered. Cameras speak one.
    pub framings: Framings,
    /// Payloads are encrypted by themselves (DTLS).
    pub secure: bool,
    /// The protocol version in its packets. Below [`VERSION_SESSION25`](crate::wire::VERSION_SESSION25) clients take it
    /// for one without DTLS.
    pub version: u8,
    /// Whether to open sessions. With `false` searches are answered and requests for a session are not, as by a camera
    /// whose viewer slots are all taken.
    pub accept: bool,
}

impl DeviceConfig {
    /// Both framings, DTLS inside, accepting.
    pub const fn new(uid: Uid, auth_key: AuthKey) -> Self {
        Self {
            uid,
            auth_key,
            framings: Framings::BOTH,
            secure: true,
            version: crate::wire::VERSION,
            accept: true,
        }
    }
}
