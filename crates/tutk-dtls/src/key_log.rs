//! What a recording of a session needs to be opened later. Compiled with the feature `keylog` only.

use tutk_core::Secret;

use crate::keys::Master;

/// The master secret of one association: a line `CLIENT_RANDOM <client random> <master secret>` of an NSS key log.
///
/// **Whoever has it can read the recorded session.** `Debug` shows nothing of it, and it is wiped on drop.
pub struct KeyLogEntry {
    /// The random of the ClientHello, by which the association is found in a capture. Not secret.
    pub client_random: [u8; 32],
    /// The master secret.
    pub master_secret: Secret<[u8; 48]>,
}

impl KeyLogEntry {
    pub(crate) fn new(client_random: &[u8; 32], master: &Master) -> Self {
        Self {
            client_random: *client_random,
            master_secret: Secret::new(**master),
        }
    }
}

impl core::fmt::Debug for KeyLogEntry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("KeyLogEntry(***)")
    }
}
