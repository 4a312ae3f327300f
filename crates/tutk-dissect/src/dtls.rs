//! DTLS records and handshake messages (`docs/protocol.md` §6; RFC 6347 §4.1, §4.2.2; RFC 5246 §7.4). Big-endian.

use std::net::SocketAddr;

use tutk_dtls::CipherSuite;

use crate::cursor::Cursor;
use crate::keylog::KeyLog;
use crate::sessions::{Association, RECORD_HEADER};
use crate::tree::{Field, Layer, Severity, Value};

/// The epoch that recordings with `--redact` put on records whose content they give in clear. No real session counts so
/// far.
pub(crate) const REDACTED_EPOCH: u16 = 0xffff;

/// Whether this may be the beginning of a record.
pub(crate) fn recognise(bytes: &[u8]) -> bool {
    matches!(bytes, [20..=23, 0xfe, 0xfd | 0xff, ..]) && bytes.len() >= RECORD_HEADER
}

/// One record, and the application data in it.
pub(crate) struct Record {
    /// The record's own, and those of handshake messages or an alert.
    pub(crate) layers: Vec<Layer>,
    /// Application data in clear, as a range of the datagram.
    pub(crate) data: Option<(usize, usize)>,
    /// What was protected, of whatever type, in clear.
    pub(crate) content: Option<(usize, usize)>,
    /// Where the next record begins, if one can.
    pub(crate) next: Option<usize>,
}

struct Header {
    kind: u8,
    epoch: u16,
    length: usize,
}

/// Reads the record at `at`, and opens it where it lies.
pub(crate) fn record(
    datagram: &mut [u8],
    at: usize,
    end: usize,
    from: SocketAddr,
    association: &mut Association,
    keys: &KeyLog,
) -> Record {
    let mut c = Cursor::new("dtls", datagram, at, end);
    let Some(header) = header(&mut c) else {
        let layer = c.finish("no whole record");
        return Record {
            layers: vec![layer],
            data: None,
            content: None,
            next: None,
        };
    };
    let body = c.at();
    let left = c.left();
    let whole = header.length <= left;
    if !whole {
        c.blame(
            Severity::Error,
            format!(
                "truncated: the record says {} bytes, {left} are left",
                header.length
            ),
        );
    }
    c.limit(header.length);
    let to = c.end();
    let next = (whole && to < end).then_some(to);
    let name = content_type(header.kind);
    let summary = format!("{name}, {} bytes", header.length);
    if header.epoch == 0 || header.epoch == REDACTED_EPOCH {
        let layer = c.hand_over(summary);
        let mut layers = vec![layer];
        let data = clear(datagram, &header, body, to, from, &mut layers, association);
        let content = (header.epoch == REDACTED_EPOCH).then_some((body, to));
        return Record {
            layers,
            data,
            content,
            next,
        };
    }
    let layer = c.hand_over(summary);
    let mut layers = vec![layer];
    association.make_keys(keys);
    let place = [at, body, to];
    let content = protected(datagram, place, from, &mut layers, association);
    let data = content.and_then(|(start, end)| {
        clear(
            datagram,
            &header,
            start,
            end,
            from,
            &mut layers,
            association,
        )
    });
    Record {
        layers,
        data,
        content,
        next,
    }
}

fn header(c: &mut Cursor<'_>) -> Option<Header> {
    let kind = c.le("type", 1)? as u8;
    c.note(content_type(kind));
    if !(20..=23).contains(&kind) {
        c.blame(Severity::Error, format!("{kind} is no type of record"));
    }
    let version = c.be_code("version", 2)?;
    c.note(version_name(version));
    if !matches!(version, 0xfefd | 0xfeff) {
        c.blame(
            Severity::Error,
            format!("version {version:#06x} is neither DTLS 1.2 nor 1.0"),
        );
        return None;
    }
    let epoch = c.be("epoch", 2)? as u16;
    if epoch == REDACTED_EPOCH {
        c.note("given in clear by a redacted recording");
    }
    c.be("sequence", 6)?;
    let length = c.be("length", 2)? as usize;
    Some(Header {
        kind,
        epoch,
        length,
    })
}

fn content_type(kind: u8) -> &'static str {
    match kind {
        20 => "ChangeCipherSpec",
        21 => "alert",
        22 => "handshake",
        23 => "application data",
        _ => "unknown type",
    }
}

fn version_name(version: u64) -> &'static str {
    match version {
        0xfefd => "DTLS 1.2",
        0xfeff => "DTLS 1.0",
        _ => "unknown",
    }
}

/// A record in clear.
fn clear(
    datagram: &[u8],
    header: &Header,
    from: usize,
    to: usize,
    sender: SocketAddr,
    layers: &mut Vec<Layer>,
    association: &mut Association,
) -> Option<(usize, usize)> {
    match header.kind {
        20 => {
            layers.extend(content_layer("ccs", datagram, from, to, |c| {
                c.le("message", 1)?;
                Some("from here on encrypted".to_owned())
            }));
            None
        }
        21 => {
            layers.push(alert(datagram, from, to));
            None
        }
        22 => {
            handshake(datagram, from, to, sender, layers, association);
            None
        }
        23 => {
            if let (0, Some(layer)) = (header.epoch, layers.first_mut()) {
                layer.expert(
                    Severity::Error,
                    from,
                    to.saturating_sub(from),
                    "application data in clear: a receiver drops it, anybody could have sent it",
                );
            }
            Some((from, to))
        }
        _ => None,
    }
}

fn content_layer(
    name: &'static str,
    datagram: &[u8],
    from: usize,
    to: usize,
    read: impl FnOnce(&mut Cursor<'_>) -> Option<String>,
) -> Option<Layer> {
    let mut c = Cursor::new(name, datagram, from, to);
    let summary = read(&mut c).unwrap_or_else(|| "cut off".to_owned());
    Some(c.finish(summary))
}

fn protected(
    datagram: &mut [u8],
    [at, body, to]: [usize; 3],
    sender: SocketAddr,
    layers: &mut [Layer],
    association: &mut Association,
) -> Option<(usize, usize)> {
    let layer = layers.first_mut()?;
    let sealed = datagram.get(body..to)?.get(..16.min(to - body))?.to_vec();
    let Some(opened) = association.open(sender, datagram, at, to) else {
        layer
            .fields
            .push(field("ciphertext", body, to - body, sealed));
        if association.has_keys() {
            layer.expert(
                Severity::Error,
                body,
                to - body,
                "does not authenticate with the keys of this association: damaged, forged, or of another handshake",
            );
        } else {
            layer.expert(
                Severity::Warning,
                body,
                to - body,
                association.missing.reason(),
            );
        }
        return None;
    };
    layer.summary.push_str(", decrypted");
    if opened.from > body {
        layer
            .fields
            .push(field("iv", body, opened.from - body, sealed));
    }
    let tail = datagram.get(opened.to..to).unwrap_or_default();
    let name = match opened.suite {
        CipherSuite::EcdhePskChaCha20Poly1305 => "tag",
        CipherSuite::PskAes128CbcSha256 => "mac_and_padding",
    };
    layer
        .fields
        .push(field(name, opened.to, to - opened.to, tail.to_vec()));
    Some((opened.from, opened.to))
}

fn field(name: &'static str, offset: usize, length: usize, bytes: Vec<u8>) -> Field {
    Field {
        name,
        offset,
        length,
        value: Value::Bytes(bytes),
        note: String::new(),
    }
}

fn alert(datagram: &[u8], from: usize, to: usize) -> Layer {
    let mut c = Cursor::new("alert", datagram, from, to);
    let summary = (|| {
        let level = c.le("level", 1)?;
        c.note(if level == 1 { "warning" } else { "fatal" });
        let description = c.le("description", 1)?;
        let name = match description {
            0 => "close_notify",
            10 => "unexpected_message",
            20 => "bad_record_mac",
            40 => "handshake_failure",
            47 => "illegal_parameter",
            50 => "decode_error",
            51 => "decrypt_error",
            70 => "protocol_version",
            71 => "insufficient_security",
            80 => "internal_error",
            90 => "user_canceled",
            110 => "unsupported_extension",
            115 => "unknown_psk_identity",
            _ => "unknown",
        };
        c.note(name);
        Some(name.to_owned())
    })();
    c.finish(summary.unwrap_or_else(|| "cut off".to_owned()))
}

/// All messages, or parts of one, in a record.
fn handshake(
    datagram: &[u8],
    mut from: usize,
    to: usize,
    sender: SocketAddr,
    layers: &mut Vec<Layer>,
    association: &mut Association,
) {
    while from < to {
        let mut c = Cursor::new("handshake", datagram, from, to);
        let read = message(&mut c, sender, association);
        from = c.end();
        let ended = read.is_none();
        layers.push(c.finish(read.unwrap_or_else(|| "cut off".to_owned())));
        if ended {
            return;
        }
    }
}

fn message(
    c: &mut Cursor<'_>,
    sender: SocketAddr,
    association: &mut Association,
) -> Option<String> {
    let kind = c.le("type", 1)?;
    let name = match kind {
        1 => "ClientHello",
        2 => "ServerHello",
        3 => "HelloVerifyRequest",
        4 => "NewSessionTicket",
        12 => "ServerKeyExchange",
        14 => "ServerHelloDone",
        16 => "ClientKeyExchange",
        20 => "Finished",
        _ => "unknown message",
    };
    c.note(name);
    let length = c.be("length", 3)?;
    c.be("message_seq", 2)?;
    let offset = c.be("fragment_offset", 3)?;
    let part = c.be("fragment_length", 3)?;
    if offset + part > length {
        c.blame(
            Severity::Error,
            format!(
                "the fragment ends at {} of a message of {length} bytes",
                offset + part
            ),
        );
    }
    if part > c.left() as u64 {
        let left = c.left();
        c.blame(
            Severity::Error,
            format!("truncated: the fragment says {part} bytes, {left} are left"),
        );
        return None;
    }
    c.limit(part as usize);
    if offset == 0 {
        note_hello(kind, c.rest(), sender, association);
    }
    if part != length {
        let n = c.left();
        c.opaque("fragment", n)?;
        return Some(format!(
            "{name}, bytes {offset} to {} of {length}",
            offset + part
        ));
    }
    match kind {
        1 => client_hello(c)?,
        2 => server_hello(c)?,
        3 => {
            version(c)?;
            vector(c, "cookie", 1)?;
        }
        12 => {
            let hint = c.be("hint_length", 2)? as usize;
            c.text("hint", hint)?;
            if c.left() > 0 {
                c.le("curve_type", 1)?;
                c.be_code("group", 2)?;
                vector(c, "public_key", 1)?;
            }
        }
        16 => {
            let identity = c.be("identity_length", 2)? as usize;
            c.text("identity", identity)?;
            if c.left() > 0 {
                vector(c, "public_key", 1)?;
            }
        }
        20 => {
            c.bytes("verify_data", 12)?;
        }
        _ => {}
    }
    Some(name.to_owned())
}

/// The randoms make the keys; they stand at the front of a hello, so that its first fragment will do.
fn note_hello(
    kind: u64,
    body: &[u8],
    sender: SocketAddr,
    association: &mut Association,
) -> Option<()> {
    let random = *body.get(2..)?.first_chunk::<32>()?;
    match kind {
        1 => association.client_hello(sender, random),
        2 => {
            let session_id = usize::from(*body.get(34)?);
            let suite = body.get(35 + session_id..)?.first_chunk::<2>()?;
            association.server_hello(random, u16::from_be_bytes(*suite));
        }
        _ => {}
    }
    Some(())
}

fn version(c: &mut Cursor<'_>) -> Option<()> {
    let version = c.be_code("version", 2)?;
    c.note(version_name(version));
    Some(())
}

/// Bytes with their length in front, which takes `n` bytes.
fn vector<'b>(c: &mut Cursor<'b>, name: &'static str, n: usize) -> Option<&'b [u8]> {
    let length = c.be("vector_length", n)? as usize;
    c.bytes(name, length)
}

fn client_hello(c: &mut Cursor<'_>) -> Option<()> {
    version(c)?;
    c.bytes("random", 32)?;
    vector(c, "session_id", 1)?;
    vector(c, "cookie", 1)?;
    let suites = vector(c, "cipher_suites", 2)?;
    let names: Vec<String> = suites
        .as_chunks()
        .0
        .iter()
        .take(32)
        .map(|code| suite_name(u16::from_be_bytes(*code)))
        .collect();
    c.note(names.join(", "));
    vector(c, "compression", 1)?;
    extensions(c)
}

fn server_hello(c: &mut Cursor<'_>) -> Option<()> {
    version(c)?;
    c.bytes("random", 32)?;
    vector(c, "session_id", 1)?;
    let suite = c.be_code("cipher_suite", 2)? as u16;
    c.note(suite_name(suite));
    if CipherSuite::from_code(suite).is_none() {
        c.blame(
            Severity::Warning,
            "no suite that cameras are known to speak",
        );
    }
    c.le("compression", 1)?;
    extensions(c)
}

fn suite_name(code: u16) -> String {
    CipherSuite::from_code(code).map_or_else(|| format!("{code:#06x}"), |suite| suite.to_string())
}

fn extensions(c: &mut Cursor<'_>) -> Option<()> {
    if c.left() == 0 {
        return Some(());
    }
    c.be("extensions_length", 2)?;
    while c.left() > 0 {
        let kind = c.be_code("extension", 2)?;
        c.note(match kind {
            0x000a => "supported groups",
            0x000b => "point formats",
            0x000d => "signature algorithms",
            0x0016 => "encrypt-then-MAC",
            0x0017 => "extended master secret",
            0x0023 => "session ticket",
            0xff01 => "renegotiation info",
            _ => "",
        });
        vector(c, "extension_data", 2)?;
    }
    Some(())
}
