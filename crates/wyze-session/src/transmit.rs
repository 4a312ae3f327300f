//! What both roles hand out: datagrams and counters.

use core::net::SocketAddr;

use tutk_core::TxBuf;

/// A datagram to send.
#[derive(Debug)]
pub struct Transmit<'b> {
    /// Where to.
    pub to: SocketAddr,
    /// Its bytes, a part of the buffer that the caller lent. Mutable, so that a test may corrupt or open it in place.
    pub datagram: &'b mut [u8],
}

impl<'b> Transmit<'b> {
    /// The datagram in `tx`, if a layer said where it goes.
    pub(crate) fn from_buf(tx: TxBuf<'b>) -> Option<Self> {
        let to = tx.destination()?;
        let datagram = tx.finish();
        Some(Self { to, datagram })
    }
}

/// Counters of every layer since the session began.
#[derive(Debug, Clone, Copy)]
pub struct Stats<'a> {
    /// Packets: what was no packet of ours, and why.
    pub iotc: &'a tutk_iotc::Stats,
    /// Records: what did not open, replays, retransmissions.
    pub dtls: &'a tutk_dtls::Stats,
    /// AV messages.
    pub av: tutk_av::LinkStats,
    /// K-commands of the challenge.
    pub kauth: wyze_kauth::Stats,
}
