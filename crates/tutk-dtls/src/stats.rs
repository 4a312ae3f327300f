//! Counters of what happened, and of what was dropped without a word.

/// How often something happened since construction or reset. Counters wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Stats {
    /// Records taken from datagrams, the dropped ones included.
    pub rx_records: u32,
    /// Application data records delivered.
    pub rx_data: u32,
    /// Datagrams (or what was left of them) that are no DTLS records, or are cut short.
    pub rx_malformed: u32,
    /// Records of an epoch for which there are no keys, plaintext application data, and encrypted records before the
    /// handshake allows them.
    pub rx_early: u32,
    /// Records that were received before, or are older than the replay window of 448.
    pub rx_replayed: u32,
    /// Encrypted records that do not authenticate.
    pub rx_bad_record: u32,
    /// Handshake messages or fragments that are malformed, or belong to no state we are in; hellos behind another one in
    /// their datagram.
    pub rx_bad_handshake: u32,
    /// Handshake fragments that were dropped because they are ahead of the next message.
    pub rx_ahead: u32,
    /// Handshake fragments dropped because the message does not fit into the reassembly memory, or came in too many
    /// pieces.
    pub rx_fragment_dropped: u32,
    /// Handshake fragments of messages that were received before.
    pub rx_repeated: u32,
    /// Plaintext records ignored because the association is connected: forged, or of a new attempt.
    pub rx_plaintext_ignored: u32,
    /// Alerts ignored: warnings, alerts before anything has begun, and further goodbyes.
    pub rx_alert_ignored: u32,
    /// ClientHellos refused because no suite (or not DTLS 1.2) is in common. Server only.
    pub rx_hello_refused: u32,
    /// ClientHellos without a valid cookie. Server only.
    pub rx_hello_unverified: u32,
    /// Handshakes begun anew by a ClientHello with another random. Server only.
    pub restarts: u32,
    /// Flights begun, the repeated ones included.
    pub tx_flights: u32,
    /// Flights repeated because the timer ran out.
    pub tx_timer_repeats: u32,
    /// Flights repeated because the peer repeated its own.
    pub tx_echo_repeats: u32,
    /// Application data records sealed.
    pub tx_data: u32,
}

/// Adds one to a counter.
pub(crate) fn count(counter: &mut u32) {
    *counter = counter.wrapping_add(1);
}
