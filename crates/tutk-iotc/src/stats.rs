//! Counters.

/// What a [`Client`](crate::Client) or [`Device`](crate::Device) has seen. Every silent drop has a counter; all wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Stats {
    /// Datagrams received.
    pub rx_datagrams: u32,
    /// Dropped: not an IOTC packet, or of a wrong length.
    pub rx_malformed: u32,
    /// Dropped: a well-formed packet that means nothing in this state, role or framing.
    pub rx_unexpected: u32,
    /// Dropped: about a device with another UID.
    pub rx_foreign_uid: u32,
    /// Dropped: of another session (session id or ticket).
    pub rx_foreign_session: u32,
    /// Dropped: an HMAC that is wrong where it must be right.
    pub rx_bad_mac: u32,
    /// Dropped: from an address that is not the peer's and did not prove itself.
    pub rx_bad_source: u32,
    /// Requests for a session refused: this device accepts none, or has one.
    pub rx_refused: u32,
    /// Times the peer's address changed and was adopted.
    pub peer_moved: u32,
    /// Packets written, control and data.
    pub tx_packets: u32,
    /// Requests written again because no answer came.
    pub tx_repeats: u32,
}

/// Adds one to a counter, wrapping.
pub(crate) fn count(counter: &mut u32) {
    *counter = counter.wrapping_add(1);
}

/// Counts and logs an input that was dropped.
pub(crate) fn dropped(counter: &mut u32, why: &'static str) {
    count(counter);
    tutk_core::debug!("iotc: dropped: {}", why);
}
