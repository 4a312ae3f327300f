//! Takes secrets and identities out of a session, so that its recording can be shown to others.
//!
//! What is encrypted cannot be changed and stay encrypted under a key that nobody is told. So the redacted datagram carries
//! its records **in clear**, under the epoch 65535, which no real session reaches; no key log is needed, and none must be
//! handed on. Everything keeps its place: framing, channels, record numbers, AV headers, K-commands.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tutk_iotc::wire::cc51::MAC_LEN;
use tutk_iotc::{AuthKey, Uid};
use wyze_kauth::keys::{Enr, Mac};
use zeroize::Zeroizing;

use crate::dtls::{self, REDACTED_EPOCH};
use crate::iotc::Shown;
use crate::keylog::KeyLog;
use crate::sessions::{Associations, Key, RECORD_HEADER};
use crate::{cc51, iotc, scrub};

/// Stands for the UID.
pub const REDACTED_UID: [u8; 20] = *b"REDACTED0UID00000000";
/// Stands for the AuthKey; right HMACs are made again with it.
pub const REDACTED_AUTH_KEY: [u8; 8] = *b"REDACTED";
/// IP addresses that are told apart; all others share one.
const MAX_ADDRESSES: usize = 250;
/// Bytes that all 0xCC51 packets begin with.
const CC51_HEADER: usize = 12;
/// Shorter texts are no identities.
const SHORTEST: usize = 4;
/// Bytes of an AV message whose kind is not known that are kept.
const KEPT: usize = 32;

/// Redacts the datagrams of one camera's sessions, in order.
pub struct Redactor {
    credentials: Shown,
    /// What must not appear anywhere: whole, in either case.
    identities: Vec<Zeroizing<Vec<u8>>>,
    keys: KeyLog,
    associations: Associations,
    addresses: HashMap<IpAddr, IpAddr>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor(***)")
    }
}

impl Redactor {
    /// A redactor for the camera with these secrets and identities.
    pub fn new(uid: &Uid, auth_key: &AuthKey, enr: &Enr, mac: &Mac) -> Self {
        let mut redactor = Self {
            credentials: (*uid.as_bytes(), *auth_key.expose()),
            identities: Vec::new(),
            keys: KeyLog::new(),
            associations: Associations::default(),
            addresses: HashMap::new(),
        };
        redactor.hide(uid.as_bytes());
        redactor.hide(auth_key.expose());
        redactor.hide(enr.as_bytes());
        redactor.hide(mac.as_str().as_bytes());
        // The MAC as a number, too.
        let mut number = vec![0; mac.as_str().len() / 2];
        if hex::decode_to_slice(mac.as_str(), &mut number).is_ok() {
            redactor.hide(&number);
        }
        redactor
    }

    /// Hides another secret or identity, wherever it appears; those of a base station, for example.
    pub fn hide(&mut self, identity: &[u8]) {
        if identity.len() >= SHORTEST {
            self.identities.push(Zeroizing::new(identity.to_vec()));
        }
    }

    /// Adds the key of an association whose handshake is under way.
    pub fn add_key(&mut self, client_random: [u8; 32], master: &[u8; 48]) {
        self.keys.insert(client_random, master);
    }

    /// The address that stands for this one: always the same, from the ranges for documentation (RFC 5737, RFC 3849).
    pub fn address(&mut self, address: SocketAddr) -> SocketAddr {
        let n = self.addresses.len().min(MAX_ADDRESSES) as u8 + 1;
        let made_up = match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::new(192, 0, 2, n).into(),
            IpAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, n.into()).into(),
        };
        let ip = match self.addresses.get(&address.ip()) {
            Some(known) => *known,
            None if self.addresses.len() < MAX_ADDRESSES => {
                self.addresses.insert(address.ip(), made_up);
                made_up
            }
            None => made_up,
        };
        SocketAddr::new(ip, address.port())
    }

    /// The datagram as it may be shown; `None` for one of another protocol, of which nothing may be.
    pub fn datagram(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        payload: &[u8],
    ) -> Option<Vec<u8>> {
        let mut bytes = payload.to_vec();
        if bytes.starts_with(&tutk_iotc::wire::CC51_MAGIC) {
            return self.cc51(from, bytes);
        }
        if dtls::recognise(&bytes) {
            let key = Key::addresses(from, to);
            return Some(self.records(from, key, &mut bytes));
        }
        tutk_transcode::decode(&mut bytes);
        if !iotc::recognise(&bytes) {
            return None;
        }
        let mut out = self.iotc(from, bytes)?;
        // Once more over all: what was put together may begin in one layer and end in another.
        self.replace(&mut out);
        tutk_transcode::encode(&mut out);
        Some(out)
    }

    fn iotc(&mut self, from: SocketAddr, mut bytes: Vec<u8>) -> Option<Vec<u8>> {
        let found = iotc::dissect(&bytes, false);
        if let Some(carried) = found.carried {
            let mut inside = bytes.get(carried.from..carried.to)?.to_vec();
            let inside = self.inside(from, carried.key, &mut inside);
            bytes.truncate(carried.from);
            bytes.extend(inside);
            // The length that the header states is wrong by as much as it was.
            let change = bytes.len() as i64 - carried.to as i64;
            adjust(&mut bytes, 4, change)?;
            return Some(bytes);
        }
        let kept = ["version", "stage", "sdk", "sid", "token", "sdk_or_time"];
        let mut out = vec![0; bytes.len()];
        copy(&bytes, &mut out, 0, 16);
        for field in &found.layer.fields {
            if kept.contains(&field.name) {
                copy(&bytes, &mut out, field.offset, field.length);
            }
            let stand_in: &[u8] = match field.name {
                "uid" => &REDACTED_UID,
                "auth_key" if bytes.get(field.offset) != Some(&0) => &REDACTED_AUTH_KEY,
                _ => continue,
            };
            if let Some(place) = out.get_mut(field.offset..field.offset + stand_in.len()) {
                place.copy_from_slice(stand_in);
            }
        }
        Some(out)
    }

    fn cc51(&mut self, from: SocketAddr, mut bytes: Vec<u8>) -> Option<Vec<u8>> {
        let found = cc51::dissect(&bytes, &[]);
        let (signed_to, mac_at) = match (&found.carried, found.layer.field("hmac")) {
            (Some(carried), _) => (carried.from, carried.to),
            (None, Some(hmac)) => (hmac.offset, hmac.offset),
            (None, None) => {
                bytes.iter_mut().skip(CC51_HEADER).for_each(|b| *b = 0);
                return Some(bytes);
            }
        };
        let mac = bytes.get(mac_at..mac_at + MAC_LEN)?.to_vec();
        let right = cc51::mac(&self.credentials, bytes.get(..signed_to)?) == *mac;
        if let Some(carried) = found.carried {
            let mut inside = bytes.get(carried.from..carried.to)?.to_vec();
            let inside = self.inside(from, carried.key, &mut inside);
            let change = inside.len() as i64 - (carried.to - carried.from) as i64;
            bytes.truncate(carried.from);
            bytes.extend(inside);
            adjust(&mut bytes, 6, change)?;
        } else {
            bytes.truncate(mac_at);
        }
        self.replace(&mut bytes);
        let signed = bytes.get(..signed_to)?;
        // A wrong one stays wrong.
        let mac = if right {
            cc51::mac(&(REDACTED_UID, REDACTED_AUTH_KEY), signed)
        } else {
            [0; MAC_LEN]
        };
        bytes.extend(mac);
        Some(bytes)
    }

    /// What a data packet carries.
    fn inside(&mut self, from: SocketAddr, key: Key, inside: &mut [u8]) -> Vec<u8> {
        if matches!(inside, [20..=23, 0xfe, ..]) {
            return self.records(from, key, inside);
        }
        av(inside);
        self.replace(inside);
        inside.to_vec()
    }

    fn records(&mut self, from: SocketAddr, key: Key, bytes: &mut [u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        let mut next = Some(0);
        while let Some(at) = next {
            let association = self.associations.of(key);
            let end = bytes.len();
            let record = dtls::record(bytes, at, end, from, association, &self.keys);
            next = record.next;
            let Some(header) = bytes
                .get(at..)
                .and_then(<[u8]>::first_chunk::<RECORD_HEADER>)
            else {
                break;
            };
            let mut header = *header;
            let start = at + RECORD_HEADER;
            let stated = usize::from(u16::from_be_bytes([header[11], header[12]]));
            let to = start.saturating_add(stated).min(bytes.len());
            let mut body = match (record.content, header) {
                // A handshake in clear: nothing in it is secret, or tells who it is.
                (None, [_, _, _, 0, 0, ..]) if header[0] != 23 => {
                    bytes.get(start..to).unwrap_or_default().to_vec()
                }
                (Some((from, to)), _) => {
                    let mut body = bytes.get(from..to).unwrap_or_default().to_vec();
                    match header[0] {
                        23 => av(&mut body),
                        // What proves that both sides know the key would also serve to guess it.
                        22 => body.iter_mut().skip(12).for_each(|b| *b = 0),
                        _ => {}
                    }
                    header[3..5].copy_from_slice(&REDACTED_EPOCH.to_be_bytes());
                    body
                }
                // Nobody can say what is in it.
                (None, _) => vec![0; to.saturating_sub(start)],
            };
            self.replace(&mut body);
            if record.content.is_some() {
                let length = u16::try_from(body.len()).unwrap_or(u16::MAX);
                header[11..].copy_from_slice(&length.to_be_bytes());
            }
            out.extend(header);
            out.extend(body);
        }
        out
    }

    /// Overwrites every identity that is still there, whoever put it there.
    fn replace(&self, bytes: &mut [u8]) {
        for identity in &self.identities {
            let n = identity.len();
            let mut at = 0;
            while let Some(window) = bytes.get_mut(at..at + n) {
                if window.eq_ignore_ascii_case(identity) {
                    window.fill(b'0');
                }
                at += 1;
            }
        }
    }
}

fn copy(from: &[u8], to: &mut [u8], at: usize, n: usize) {
    if let (Some(from), Some(to)) = (from.get(at..at + n), to.get_mut(at..at + n)) {
        to.copy_from_slice(from);
    }
}

/// Adds to the little-endian u16 at `at`.
fn adjust(bytes: &mut [u8], at: usize, change: i64) -> Option<()> {
    let field = bytes.get_mut(at..)?.first_chunk_mut::<2>()?;
    let sum = i64::from(u16::from_le_bytes(*field)) + change;
    *field = (sum as u16).to_le_bytes();
    Some(())
}

/// Scrubs an AV message in place.
fn av(bytes: &mut [u8]) {
    let layers = crate::av::dissect(bytes, 0, bytes.len(), true, &mut Default::default());
    let original = bytes.to_vec();
    // What no field explains goes.
    let mut explained = vec![false; bytes.len()];
    for layer in &layers {
        for field in &layer.fields {
            let place = field.offset..field.offset + field.length;
            if let Some(place) = explained.get_mut(place.clone()) {
                place.fill(true);
            }
            let Some(place) = bytes.get_mut(place) else {
                continue;
            };
            match (layer.name, field.name) {
                ("av", "body") => place.iter_mut().skip(KEPT).for_each(|b| *b = 0),
                ("av", "user") if place.starts_with(b"admin\0") => {}
                (
                    "av",
                    "media" | "parity" | "continuation" | "payload" | "user" | "password"
                    | "info_part",
                )
                | ("frameinfo", "mac" | "token")
                | ("hl", "challenge" | "response" | "prefix" | "open_user_id") => place.fill(0),
                ("hl", "json") => scrub::json(place),
                ("hl", "payload") if place.len() > 16 || is_authentication(&original, layer) => {
                    place.fill(0);
                }
                (_, "unexplained") => place.fill(0),
                _ => {}
            }
        }
    }
    let cut = layers.iter().any(|layer| layer.summary == "cut off");
    for (at, (byte, explained)) in bytes.iter_mut().zip(explained).enumerate() {
        if !explained || (cut && at >= KEPT) {
            *byte = 0;
        }
    }
}

/// Whether the K-command belongs to the login: 10000 to 10009.
fn is_authentication(bytes: &[u8], layer: &crate::Layer) -> bool {
    let code = layer.field("code").and_then(|field| {
        let code = bytes.get(field.offset..)?.first_chunk::<2>()?;
        Some(u16::from_le_bytes(*code))
    });
    code.is_none_or(|code| (10000..=10009).contains(&code))
}
