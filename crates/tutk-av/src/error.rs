//! Why an AV object is finished, and what it has counted.

use core::fmt;

use tutk_core::Full;

/// Why an [`Initiator`](crate::Initiator) or [`Responder`](crate::Responder) can't go on.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Error {
    /// Nobody answered the login within five seconds.
    LoginTimeout,
    /// The transmit buffer cannot hold a login packet (572 bytes).
    Full,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoginTimeout => f.write_str(
                "the camera did not answer the AV login within 5 s; it may have no free viewer slot, try again",
            ),
            Self::Full => Full.fmt(f),
        }
    }
}

impl core::error::Error for Error {}

impl From<Full> for Error {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

/// Adds one to a counter.
pub(crate) fn count(counter: &mut u32) {
    count_all(counter, 1);
}

/// Adds to a counter.
pub(crate) fn count_all(counter: &mut u32, n: u32) {
    *counter = counter.wrapping_add(n);
}

/// What a [`Responder`](crate::Responder) or [`Initiator`](crate::Initiator) has counted since it was made. Counters wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LinkStats {
    /// Messages that broke off or contradicted themselves; dropped.
    pub rx_malformed: u32,
    /// Messages of an unknown type; dropped.
    pub rx_unknown: u32,
    /// Messages that this role does not expect now, such as media before the login; dropped.
    pub rx_unexpected: u32,
    /// Logins with another password than the configured one; dropped.
    pub rx_login_refused: u32,
    /// IOCTRLs, whole or in part.
    pub rx_ioctl: u32,
    /// IOCTRLs that had come before; acknowledged again.
    pub rx_ioctl_repeated: u32,
    /// Parts of IOCTRLs that do not fit into the memory lent for them, or contradict earlier parts; dropped.
    pub rx_ioctl_dropped: u32,
    /// Channel messages; acknowledged, not understood.
    pub rx_channel: u32,
    /// Media packets.
    pub rx_media: u32,
    /// Media packets that were resent copies.
    pub rx_resent: u32,
    /// FEC parity packets.
    pub rx_parity: u32,
    /// Lossless mode: media packets found missing, were it only for a moment.
    pub rx_holes: u32,
    /// Lossless mode: missing packets that came as resent copies.
    pub rx_repaired: u32,
    /// Lossless mode: missing packets computed from parity.
    pub rx_recovered: u32,
    /// Lossless mode: missing packets given up.
    pub rx_abandoned: u32,
    /// Lossless mode: resent copies of packets that were not missing (any more).
    pub rx_resent_in_vain: u32,
    /// Lossless mode: packets that the peer asked for, repetitions included.
    pub rx_requests: u32,
    /// Login packets or replies sent.
    pub tx_login: u32,
    /// ACKs sent.
    pub tx_ack: u32,
    /// Statistics replies sent.
    pub tx_stats_reply: u32,
    /// Statistics requests sent.
    pub tx_stats_request: u32,
    /// Lossless mode: packets asked for, repetitions included.
    pub tx_requests: u32,
    /// Lossless mode: media packets sent again.
    pub tx_resent: u32,
    /// Lossless mode: parity packets sent.
    pub tx_parity: u32,
}
