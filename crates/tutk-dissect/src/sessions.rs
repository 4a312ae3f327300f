//! Which DTLS association a record belongs to, and its keys.

use std::collections::HashMap;
use std::net::SocketAddr;

use tutk_dtls::{CipherSuite, Wiretap};

use crate::keylog::KeyLog;
use crate::pending::Pending;

/// Associations that are remembered; the one that was quiet the longest makes room.
const MAX_ASSOCIATIONS: usize = 256;
/// Handshakes of one association that are remembered: somebody may forge hellos.
const MAX_HELLOS: usize = 4;
/// Bytes of a record header.
pub(crate) const RECORD_HEADER: usize = 13;

/// What tells associations apart: the session's id with the channel, or, for DTLS without IOTC around it, the addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Session { sid: [u8; 8], channel: u8 },
    Addresses(SocketAddr, SocketAddr),
}

impl Key {
    pub(crate) fn addresses(from: SocketAddr, to: SocketAddr) -> Self {
        Self::Addresses(from.min(to), from.max(to))
    }
}

/// What two hellos agreed on.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Hello {
    client_random: [u8; 32],
    server_random: [u8; 32],
    suite: CipherSuite,
}

/// A frame whose packets are coming.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    pub(crate) frame: u64,
    /// The next packet.
    pub(crate) next: u64,
    /// Bytes so far.
    pub(crate) bytes: u64,
}

/// One DTLS association and what travels in it.
#[derive(Default)]
pub(crate) struct Association {
    /// Who sent the ClientHello.
    client: Option<SocketAddr>,
    client_random: Option<[u8; 32]>,
    /// The latest first, with keys once they are known.
    hellos: Vec<(Hello, Option<Wiretap>)>,
    /// Why records do not open, when there is no key at all, or one that may be wrong.
    pub(crate) missing: Missing,
    /// Frames under way: audio, video.
    pub(crate) progress: [Option<Progress>; 2],
    /// What is cut into several packets.
    pub(crate) pending: Pending,
    /// Who sent the message that is being read.
    pub(crate) sender: Option<SocketAddr>,
    used: u64,
}

/// Why there is no key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Missing {
    #[default]
    Handshake,
    KeyLogLine,
    Psk,
    Suite,
}

impl Missing {
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Handshake => "not decrypted: the capture lacks the handshake of this association",
            Self::KeyLogLine => {
                "not decrypted: the key log has no line for this ClientHello's random"
            }
            Self::Psk => {
                "not decrypted: another ENR than the one given, or an extended master secret, which takes a key log"
            }
            Self::Suite => "not decrypted: the suite is none that cameras are known to speak",
        }
    }
}

/// A record that opened.
pub(crate) struct Opened {
    pub(crate) suite: CipherSuite,
    /// Plaintext, as a range of the datagram.
    pub(crate) from: usize,
    pub(crate) to: usize,
}

impl Association {
    /// Takes the client's random from a ClientHello.
    pub(crate) fn client_hello(&mut self, from: SocketAddr, random: [u8; 32]) {
        self.client = Some(from);
        self.client_random = Some(random);
    }

    /// Takes what a ServerHello chose.
    pub(crate) fn server_hello(&mut self, random: [u8; 32], suite: u16) {
        let Some(client_random) = self.client_random else {
            return;
        };
        let Some(suite) = CipherSuite::from_code(suite) else {
            self.missing = Missing::Suite;
            return;
        };
        let hello = Hello {
            client_random,
            server_random: random,
            suite,
        };
        if !self.hellos.iter().any(|(known, _)| *known == hello) {
            self.missing = Missing::KeyLogLine;
            self.hellos.insert(0, (hello, None));
            self.hellos.truncate(MAX_HELLOS);
        }
    }

    /// Makes keys where the log has them by now.
    pub(crate) fn make_keys(&mut self, keys: &KeyLog) {
        for (hello, wiretap) in self.hellos.iter_mut().filter(|(_, known)| known.is_none()) {
            let (client, server) = (&hello.client_random, &hello.server_random);
            if let Some(master) = keys.get(client) {
                *wiretap = Wiretap::new(hello.suite, master, client, server);
            } else if let (Some(psk), CipherSuite::PskAes128CbcSha256) = (keys.psk(), hello.suite) {
                *wiretap = Wiretap::with_psk(psk, client, server);
                self.missing = Missing::Psk;
            }
        }
    }

    /// Whether there are keys that are right for sure.
    pub(crate) fn has_keys(&self) -> bool {
        self.missing != Missing::Psk && self.hellos.iter().any(|(_, wiretap)| wiretap.is_some())
    }

    /// Opens the record at `start..end` of the datagram where it lies. It stays as it was when no key fits.
    pub(crate) fn open(
        &mut self,
        from: SocketAddr,
        datagram: &mut [u8],
        start: usize,
        end: usize,
    ) -> Option<Opened> {
        let by_client = self.client == Some(from);
        for (hello, wiretap) in &self.hellos {
            let Some(wiretap) = wiretap else { continue };
            // A camera may change its port, so the other direction gets a chance too.
            for by_client in [by_client, !by_client] {
                let mut copy = datagram.get(start..end)?.to_vec();
                let base = copy.as_ptr() as usize;
                let Some(plain) = wiretap.open(by_client, &mut copy) else {
                    continue;
                };
                let from = start + (plain.as_ptr() as usize).saturating_sub(base);
                let to = from + plain.len();
                datagram.get_mut(start..end)?.copy_from_slice(&copy);
                let suite = hello.suite;
                if self.missing == Missing::Psk {
                    // The key is right: what does not open from here on is damaged.
                    self.missing = Missing::KeyLogLine;
                }
                return Some(Opened { suite, from, to });
            }
        }
        None
    }
}

/// All associations of a capture.
#[derive(Default)]
pub(crate) struct Associations {
    all: HashMap<Key, Association>,
    clock: u64,
}

impl Associations {
    pub(crate) fn of(&mut self, key: Key) -> &mut Association {
        self.clock += 1;
        if !self.all.contains_key(&key) && self.all.len() >= MAX_ASSOCIATIONS {
            let oldest = self.all.iter().min_by_key(|(_, a)| a.used).map(|(k, _)| *k);
            if let Some(oldest) = oldest {
                self.all.remove(&oldest);
            }
        }
        let association = self.all.entry(key).or_default();
        association.used = self.clock;
        association
    }
}
