//! What comes out: packets, their layers, the fields of those, and what looks wrong.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// One packet of a capture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Packet {
    /// Its number in the capture, from 1, as Wireshark counts.
    pub number: u64,
    /// When, in seconds since 1970.
    #[serde(serialize_with = "seconds")]
    pub time: Duration,
    /// Sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<SocketAddr>,
    /// Receiver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<SocketAddr>,
    /// Where the UDP payload begins in the captured frame, bytes. Offsets of all fields count from there.
    pub start: usize,
    /// Bytes of the UDP payload.
    pub length: usize,
    /// From the outermost to the innermost; of several DTLS records in a datagram, one after the other.
    pub layers: Vec<Layer>,
}

impl Packet {
    /// Everything in the packet that looks wrong.
    pub fn experts(&self) -> impl Iterator<Item = &Expert> {
        self.layers.iter().flat_map(|layer| &layer.experts)
    }

    /// The first layer of this name.
    pub fn layer(&self, name: &str) -> Option<&Layer> {
        self.layers.iter().find(|layer| layer.name == name)
    }
}

fn seconds<S: Serializer>(time: &Duration, s: S) -> Result<S::Ok, S::Error> {
    // As text: a double cannot hold nanoseconds of this century.
    s.serialize_str(&format!("{}.{:09}", time.as_secs(), time.subsec_nanos()))
}

/// One layer of a packet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Layer {
    /// Such as `iotc`, `cc51`, `dtls`, `av`, `frameinfo`, `hl`.
    pub name: &'static str,
    /// Where it begins in the UDP payload, bytes.
    pub offset: usize,
    /// How long it is, bytes.
    pub length: usize,
    /// What it is, in a few words.
    pub summary: String,
    /// Its fields in wire order.
    pub fields: Vec<Field>,
    /// What looks wrong in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub experts: Vec<Expert>,
}

impl Layer {
    pub(crate) fn new(name: &'static str, offset: usize, length: usize) -> Self {
        Self {
            name,
            offset,
            length,
            summary: String::new(),
            fields: Vec::new(),
            experts: Vec::new(),
        }
    }

    /// The first field of this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    pub(crate) fn expert(
        &mut self,
        severity: Severity,
        offset: usize,
        length: usize,
        reason: impl Into<String>,
    ) {
        self.experts.push(Expert {
            severity,
            offset,
            length,
            reason: reason.into(),
        });
    }
}

/// One field of a layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Field {
    /// Its name, unique within one header.
    pub name: &'static str,
    /// Where it stands in the UDP payload, bytes, obfuscation and encryption undone in place.
    pub offset: usize,
    /// How long it is, bytes.
    pub length: usize,
    /// What it holds.
    pub value: Value,
    /// What that means.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A number to be read as decimal.
    Number(u64),
    /// A number to be read as hexadecimal: a code or a bit mask. In JSON a number too.
    Code(u64),
    /// Bytes, hexadecimal in JSON.
    #[serde(serialize_with = "as_hex")]
    Bytes(Vec<u8>),
    /// Text from the packet, with everything escaped that a terminal could obey.
    Text(String),
    /// A secret or an identity that was not asked for. In JSON `"***"`.
    #[serde(serialize_with = "as_stars")]
    Hidden,
}

fn as_hex<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&hex::encode(bytes))
}

fn as_stars<S: Serializer>(s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str("***")
}

/// Something that looks wrong, or that a reader should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expert {
    /// How bad it is.
    pub severity: Severity,
    /// Where in the UDP payload, bytes.
    pub offset: usize,
    /// How many bytes.
    pub length: usize,
    /// What is wrong, and with what it was compared.
    pub reason: String,
}

/// How bad an [`Expert`] finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Note,
    /// Unusual: no known implementation sends this, or something could not be checked or opened.
    Warning,
    /// Wrong: a receiver that is careful drops it.
    Error,
}
