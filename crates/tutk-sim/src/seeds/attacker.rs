//! Somebody on the network who sees every datagram, knows every address, can send anything from anywhere, and has no key; but
//! for that of 0xCC51's HMAC, in half of the runs, because a search of the older framing shows it.

use std::net::SocketAddr;

use hmac::{Hmac, KeyInit, Mac};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use sha1::Sha1;
use tutk_iotc::wire::cc51;
use zerocopy::IntoBytes;

use crate::wire::{Origin, Wire};

/// Datagrams remembered.
const MEMORY: usize = 48;
/// Of these, so many from the beginning, which holds search and handshake.
const FIRST: usize = 16;
/// Where the commands of TransCode stand, once it is undone.
const COMMAND: usize = 8;
/// Search to alive, with their answers; close comes last.
const COMMANDS: [u16; 10] = [
    0x0601, 0x0602, 0x0402, 0x0404, 0x0407, 0x0408, 0x0427, 0x0428, 0x0417, 0x0418,
];
const CLOSES: usize = 2;

struct Seen {
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

/// The attacker.
pub(crate) struct Attacker {
    rng: ChaCha8Rng,
    /// Where he is, when he does not pretend to be elsewhere.
    pub(crate) addr: SocketAddr,
    memory: Vec<Seen>,
    /// Whether he forges closes.
    closes: bool,
    /// UID and AuthKey, if he has heard them.
    key: Option<Vec<u8>>,
    /// Datagrams sent.
    pub(crate) sent: u64,
}

impl std::fmt::Debug for Attacker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attacker")
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}

impl Attacker {
    /// `key` is UID and AuthKey.
    pub(crate) fn new(mut rng: ChaCha8Rng, closes: bool, key: Vec<u8>) -> Self {
        let heard = rng.next_u32().is_multiple_of(2);
        Self {
            rng,
            addr: ([198, 51, 100, 66], 6666).into(),
            memory: Vec::new(),
            closes,
            key: heard.then_some(key),
            sent: 0,
        }
    }

    fn below(&mut self, end: usize) -> usize {
        self.rng.next_u32() as usize % end.max(1)
    }

    /// A datagram was delivered. One that is still under way he may not repeat: whoever is first is the sender.
    pub(crate) fn sees(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let seen = || Seen {
            from,
            to,
            bytes: bytes.to_vec(),
        };
        if self.memory.len() < MEMORY {
            self.memory.push(seen());
        } else if self.below(4) == 0 {
            let place = FIRST + self.below(MEMORY - FIRST);
            self.memory[place] = seen();
        }
    }

    /// When he strikes next.
    pub(crate) fn pause(&mut self, mean: u64) -> u64 {
        1 + self.rng.next_u64() % (2 * mean)
    }

    /// Sends something; `peers` are the viewer and the camera. Says what.
    pub(crate) fn strike(&mut self, now: u64, wire: &mut Wire, peers: [SocketAddr; 2]) -> String {
        let flood = self.below(40) == 0;
        let times = if flood { 10 + self.below(40) } else { 1 };
        let mut name = "";
        for n in 0..times {
            let (said, from, to, bytes) = self.make(peers);
            name = said;
            self.sent += 1;
            let due = now + 100 + 50 * n as u64;
            wire.push(due, from, to, bytes, Origin::Hostile);
        }
        format!(
            "{name}{}",
            if flood {
                format!(", and {} more", times - 1)
            } else {
                String::new()
            }
        )
    }

    fn make(&mut self, peers: [SocketAddr; 2]) -> (&'static str, SocketAddr, SocketAddr, Vec<u8>) {
        if self.memory.is_empty() || self.below(12) == 0 {
            return self.garbage(peers);
        }
        let pick = self.below(self.memory.len());
        let Seen { from, to, bytes } = &self.memory[pick];
        let (from, to, mut bytes) = (*from, *to, bytes.clone());
        // Addresses may have changed since.
        let current = peers[usize::from(!super::run::is_viewers(to))];
        match self.below(6) {
            0 => ("a replay", from, to, bytes),
            1 => ("a replay from elsewhere", self.addr, current, bytes),
            2 => ("a reflection", to, from, bytes),
            3 | 4 => {
                self.tamper(&mut bytes);
                let from = if self.below(3) == 0 { self.addr } else { from };
                ("a tampered datagram", from, current, bytes)
            }
            _ => {
                self.forge(&mut bytes);
                let from = if self.below(3) == 0 { self.addr } else { from };
                ("a forged packet", from, current, bytes)
            }
        }
    }

    fn garbage(
        &mut self,
        peers: [SocketAddr; 2],
    ) -> (&'static str, SocketAddr, SocketAddr, Vec<u8>) {
        let (len, to) = (1 + self.below(1400), self.below(2));
        let mut bytes = vec![0; len];
        self.rng.fill_bytes(&mut bytes);
        let from = if self.below(2) == 0 {
            self.addr
        } else {
            peers[1 - to]
        };
        ("garbage", from, peers[to], bytes)
    }

    fn tamper(&mut self, bytes: &mut Vec<u8>) {
        let undone = self.below(2) == 0 && !is_cc51(bytes);
        if undone {
            tutk_transcode::decode(bytes);
        }
        match self.below(4) {
            0 => {
                let len = self.below(bytes.len());
                bytes.truncate(len);
            }
            1 => {
                let more = self.below(200);
                bytes.extend((0..more).map(|n| n as u8));
            }
            _ => {
                for _ in 0..1 + self.below(6) {
                    // Mostly headers.
                    let reach = if self.below(3) == 0 {
                        bytes.len()
                    } else {
                        bytes.len().min(64)
                    };
                    let at = self.below(reach);
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = self.rng.next_u32() as u8;
                    }
                }
            }
        }
        if undone {
            tutk_transcode::encode(bytes);
        }
    }

    /// Another command in the same packet; nothing protects TransCode.
    fn forge(&mut self, bytes: &mut Vec<u8>) {
        if let Some(forged) = self.forge_cc51(bytes) {
            *bytes = forged;
            return;
        }
        if is_cc51(bytes) || bytes.len() < 16 {
            return self.tamper(bytes);
        }
        tutk_transcode::decode(bytes);
        let known = COMMANDS.len() - if self.closes { 0 } else { CLOSES };
        let command = COMMANDS[self.below(known)];
        bytes[COMMAND..COMMAND + 2].copy_from_slice(&command.to_le_bytes());
        let to_device = matches!(command, 0x0601 | 0x0402 | 0x0407 | 0x0417 | 0x0427);
        let flags: u16 = if to_device { 0x0021 } else { 0x0012 };
        bytes[COMMAND + 2..COMMAND + 4].copy_from_slice(&flags.to_le_bytes());
        tutk_transcode::encode(bytes);
    }
}

impl Attacker {
    /// A packet of CC51 of the session that `bytes` are of, with a right HMAC.
    fn forge_cc51(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let key = self.key.clone()?;
        let (sid, ticket) = match tutk_iotc::wire::open(&mut bytes.to_vec()).ok()? {
            tutk_iotc::wire::Packet::Cc51(cc51::Packet::Search { body, .. }) => {
                (body.sid, body.ticket)
            }
            tutk_iotc::wire::Packet::Cc51(cc51::Packet::Data { header, .. }) => {
                (header.sid, header.ticket)
            }
            tutk_iotc::wire::Packet::Cc51(cc51::Packet::Alive { body, .. }) => (body.sid, [0; 2]),
            _ => return None,
        };
        let ticket = match self.below(2) {
            0 => ticket,
            _ => (self.rng.next_u32() as u16).to_le_bytes(),
        };
        let mut payload = Vec::new();
        let body = match self.below(3) {
            0 => cc51::SearchBody::new(self.below(5) as u16, ticket, sid)
                .as_bytes()
                .to_vec(),
            1 => cc51::AliveBody::new(self.rng.next_u32(), sid)
                .as_bytes()
                .to_vec(),
            _ => {
                payload = vec![0; 1 + self.below(100)];
                self.rng.fill_bytes(&mut payload);
                let header = cc51::DataHeader::new(0, ticket, sid, payload.len())?;
                header.as_bytes().to_vec()
            }
        };
        let mut hmac = Hmac::<Sha1>::new_from_slice(&key).ok()?;
        hmac.update(&body);
        Some([&body[..], &payload, &hmac.finalize().into_bytes()[..]].concat())
    }
}

fn is_cc51(bytes: &[u8]) -> bool {
    bytes.starts_with(&tutk_iotc::wire::CC51_MAGIC)
}
