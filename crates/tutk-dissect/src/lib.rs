//! Takes captures of TUTK camera sessions apart: every layer of every packet, every field with its byte offset, and what
//! looks wrong.
//!
//! | type | what it is for |
//! |---|---|
//! | [`read_capture`], [`Frame`] | pcap and pcapng, down to the UDP payload |
//! | [`Dissector`] | datagrams into [`Packet`]s; follows sessions, channels and handshakes |
//! | [`KeyLog`] | master secrets, so that DTLS opens |
//! | [`Layer`], [`Field`], [`Expert`] | what comes out; each is `Serialize` |
//! | [`text`] | the same for people |
//! | [`Recording`] | writes a session as pcap |
//! | [`Redactor`] | takes secrets and identities out of datagrams, so that a recording can be shown |
//!
//! **Offsets.** TransCode and both ciphers keep bytes where they are, so there is one count for everything: the byte of the
//! UDP payload, from 0. What lies across several packets (long IOCTRLs, FRAMEINFO of the oldest firmware) is a layer of the
//! packet that completes it, says so, and counts from its own first byte.
//!
//! Input is hostile: nothing here panics, memory and time are bounded by the length of the capture, and text from packets
//! is escaped before it is shown.
//!
//! ```
//! use tutk_dissect::{Dissector, Options};
//!
//! let mut dissector = Dissector::new(Options::default());
//! let datagram = hex::decode("51cc000002102800000000000000000\
//!     05dd1d7fdcfa1ea18000803041d000000c025cc57b5eaeb0f2a1e944dd9681c36a8d32c3e")?;
//! let layers = dissector.datagram("192.0.2.1:4000".parse()?, "192.0.2.2:32761".parse()?, &datagram);
//! assert_eq!(layers[0].name, "cc51");
//! assert_eq!(layers[0].summary, "search and session, step 0");
//! assert_eq!(layers[0].field("sid").unwrap().offset, 16);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic
    )
)]

mod av;
mod capture;
mod cc51;
mod command;
mod cursor;
mod dtls;
mod frameinfo;
mod iotc;
mod keylog;
mod pending;
mod recording;
mod redact;
mod scrub;
mod session16;
mod sessions;
pub mod text;
mod tree;

use std::fmt;
use std::net::SocketAddr;

pub use capture::{CaptureError, Frame, NoUdp, Udp, read_capture};
pub use keylog::{KeyLog, key_log_line};
pub use recording::Recording;
pub use redact::{REDACTED_AUTH_KEY, REDACTED_UID, Redactor};
pub use tree::{Expert, Field, Layer, Packet, Severity, Value};
use tutk_iotc::{AuthKey, Uid};

use crate::iotc::{Carried, Shown};
use crate::sessions::{Associations, Key};

/// Pairs of UID and AuthKey that are learned from searches.
const MAX_SHOWN: usize = 8;

/// What a [`Dissector`] knows beforehand.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The camera's UID and AuthKey, to check the HMACs of CC51 packets. Those that a search in the capture shows are
    /// known without.
    pub credentials: Option<(Uid, AuthKey)>,
    /// Keys of DTLS associations.
    pub keys: KeyLog,
    /// Show passwords, AuthKeys, UIDs and MACs instead of `***`.
    pub show_secrets: bool,
}

/// Takes datagrams apart, in the order of the capture.
pub struct Dissector {
    options: Options,
    credentials: Vec<Shown>,
    associations: Associations,
}

impl fmt::Debug for Dissector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dissector")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Dissector {
    /// A dissector that has seen nothing yet.
    pub fn new(options: Options) -> Self {
        let given = options.credentials.as_ref();
        Self {
            credentials: given
                .map(|(uid, key)| (*uid.as_bytes(), *key.expose()))
                .into_iter()
                .collect(),
            options,
            associations: Associations::default(),
        }
    }

    /// Adds the key of an association whose handshake is under way.
    pub fn add_key(&mut self, client_random: [u8; 32], master: &[u8; 48]) {
        self.options.keys.insert(client_random, master);
    }

    /// One frame of a capture. A frame without a UDP datagram, or with one of another protocol, has one layer `other`.
    pub fn frame(&mut self, frame: &Frame<'_>) -> Packet {
        let mut packet = Packet {
            number: frame.number,
            time: frame.time,
            from: None,
            to: None,
            start: 0,
            length: 0,
            layers: Vec::new(),
        };
        let udp = match frame.udp() {
            Ok(udp) => udp,
            Err(why) => {
                packet.length = frame.bytes.len();
                let mut layer = Layer::new("other", 0, frame.bytes.len());
                layer.summary = match why {
                    NoUdp::Link(link) => format!("link type {link} is not known"),
                    NoUdp::Other => "no UDP".to_owned(),
                    NoUdp::Fragment => "a fragment of an IP packet".to_owned(),
                };
                packet.layers.push(layer);
                return packet;
            }
        };
        packet.from = Some(udp.from);
        packet.to = Some(udp.to);
        packet.start = udp.start;
        packet.length = udp.payload.len();
        packet.layers = self.datagram(udp.from, udp.to, udp.payload);
        if let Some(layer) = packet.layers.first_mut()
            && udp.payload.len() < udp.declared
            && layer.name != "other"
        {
            layer.expert(
                Severity::Error,
                udp.payload.len(),
                0,
                format!(
                    "captured only in part: {} of {} bytes",
                    udp.payload.len(),
                    udp.declared
                ),
            );
        }
        packet
    }

    /// One UDP payload.
    pub fn datagram(&mut self, from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<Layer> {
        let mut bytes = payload.to_vec();
        let found = if bytes.starts_with(&tutk_iotc::wire::CC51_MAGIC) {
            cc51::dissect(&bytes, &self.credentials)
        } else if dtls::recognise(&bytes) {
            let carried = Carried {
                key: Key::addresses(from, to),
                from: 0,
                to: bytes.len(),
            };
            let mut layers = Vec::new();
            self.records(from, &mut bytes, &carried, &mut layers);
            return layers;
        } else {
            tutk_transcode::decode(&mut bytes);
            if !iotc::recognise(&bytes) {
                let mut layer = Layer::new("other", 0, payload.len());
                layer.summary = "not of this protocol".to_owned();
                return vec![layer];
            }
            iotc::dissect(&bytes, self.options.show_secrets)
        };
        if let Some(shown) = found.shown
            && self.credentials.len() < MAX_SHOWN
            && !self.credentials.contains(&shown)
        {
            self.credentials.push(shown);
        }
        let mut layers = vec![found.layer];
        if let Some(carried) = found.carried {
            self.records(from, &mut bytes, &carried, &mut layers);
        }
        layers
    }

    /// What a data packet carries: DTLS records, or an AV message of firmware without DTLS.
    fn records(
        &mut self,
        from: SocketAddr,
        bytes: &mut [u8],
        carried: &Carried,
        layers: &mut Vec<Layer>,
    ) {
        let association = self.associations.of(carried.key);
        association.sender = Some(from);
        let show = self.options.show_secrets;
        let inside = bytes.get(carried.from..carried.to).unwrap_or_default();
        let bare = matches!(carried.key, Key::Addresses(..));
        // A whole header, or none: a piece of one is damage, not a message.
        if !matches!(inside, [20..=23, 0xfe, ..]) {
            layers.extend(av::dissect(
                bytes,
                carried.from,
                carried.to,
                show,
                association,
            ));
            return;
        }
        let mut next = Some(carried.from);
        while let Some(at) = next {
            let keys = &self.options.keys;
            let record = dtls::record(bytes, at, carried.to, from, association, keys);
            layers.extend(record.layers);
            if let Some((from, to)) = record.data {
                if bare {
                    let mut layer = Layer::new("data", from, to.saturating_sub(from));
                    layer.summary = format!("{} bytes", layer.length);
                    layers.push(layer);
                } else {
                    layers.extend(av::dissect(bytes, from, to, show, association));
                }
            }
            next = record.next;
        }
    }
}
