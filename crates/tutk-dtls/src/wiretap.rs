//! Reading along with a key log, for dissectors and tests. Nothing else in this crate uses it.

use crate::CipherSuite;
use crate::cipher::{self, Opener};
use crate::keys::{self, Master, Side};
use crate::record::{HEADER, Header};
use zeroize::Zeroizing;

/// Opens the protected records of an association of others, whose master secret a key log tells.
///
/// It keeps no state between records: a record may be opened any number of times and in any order.
pub struct Wiretap {
    from_client: Opener,
    from_server: Opener,
}

impl core::fmt::Debug for Wiretap {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Wiretap(***)")
    }
}

impl Wiretap {
    /// The association with these two randoms (from ClientHello and ServerHello) and this master secret, as in a line
    /// `CLIENT_RANDOM <client random> <master secret>` of an NSS key log. `None` for a suite that this build lacks.
    pub fn new(
        suite: CipherSuite,
        master: &[u8; 48],
        client_random: &[u8; 32],
        server_random: &[u8; 32],
    ) -> Option<Self> {
        let master: Master = Zeroizing::new(*master);
        let opener = |side| {
            cipher::derive(suite, side, &master, client_random, server_random)
                .map(|(_, opener)| opener)
        };
        Some(Self {
            from_client: opener(Side::Server)?,
            from_server: opener(Side::Client)?,
        })
    }

    /// The association with these two randoms whose pre-shared key is known, where that is enough: suite 0x00AE, in which
    /// nothing else makes the master secret, unless both sides asked for the extended one (RFC 7627), which takes the
    /// whole handshake. `None` when this build lacks the suite.
    pub fn with_psk(
        psk: &[u8; 32],
        client_random: &[u8; 32],
        server_random: &[u8; 32],
    ) -> Option<Self> {
        let premaster = keys::premaster(&[0; 32], psk);
        let master = keys::master_secret(&premaster, client_random, server_random);
        let suite = CipherSuite::PskAes128CbcSha256;
        Self::new(suite, &master, client_random, server_random)
    }

    /// Decrypts one whole record of epoch 1 where it lies (`record` begins with its 13-byte header and may go on with
    /// others) and answers its plaintext; `None` when it does not authenticate.
    pub fn open<'p>(&self, by_client: bool, record: &'p mut [u8]) -> Option<&'p mut [u8]> {
        let header = Header::parse(record).ok()?;
        let body = record.get_mut(HEADER..HEADER + header.len)?;
        let opener = if by_client {
            &self.from_client
        } else {
            &self.from_server
        };
        opener.open(header.kind, header.at, body)
    }
}
