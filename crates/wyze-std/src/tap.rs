//! Listening to a connection from inside: every datagram as the socket carries it.

use std::net::SocketAddr;

/// Hears every datagram of a [`Connection`](crate::Connection), in order, and with the feature `keylog` the secrets that
/// open them. It is called between two steps of the session, so it had better be quick.
pub trait Tap {
    /// A datagram came in at the local address.
    fn received(&mut self, from: SocketAddr, local: SocketAddr, datagram: &[u8]);

    /// A datagram goes out from the local address.
    fn sent(&mut self, local: SocketAddr, to: SocketAddr, datagram: &[u8]);

    /// A handshake made this master secret. Comes before the first datagram that is protected with it goes out, and after
    /// the hellos.
    #[cfg(feature = "keylog")]
    fn key(&mut self, entry: &tutk_dtls::KeyLogEntry);
}

/// The place for a tap in a connection.
#[derive(Default)]
pub(crate) struct TapSlot<'t>(Option<(Box<dyn Tap + 't>, SocketAddr)>);

impl std::fmt::Debug for TapSlot<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "tapped" } else { "none" })
    }
}

impl<'t> TapSlot<'t> {
    pub(crate) fn set(&mut self, tap: Box<dyn Tap + 't>, local: SocketAddr) {
        self.0 = Some((tap, local));
    }

    pub(crate) fn received(&mut self, from: SocketAddr, bytes: &[u8]) {
        if let Some((tap, local)) = &mut self.0 {
            tap.received(from, *local, bytes);
        }
    }

    pub(crate) fn sent(&mut self, to: SocketAddr, bytes: &[u8]) {
        if let Some((tap, local)) = &mut self.0 {
            tap.sent(*local, to, bytes);
        }
    }

    #[cfg(feature = "keylog")]
    pub(crate) fn keys(&mut self, client: &mut wyze_session::Client<'_>) {
        if let Some((tap, _)) = &mut self.0 {
            while let Some(entry) = client.take_key_log_entry() {
                tap.key(&entry);
            }
        }
    }
}
