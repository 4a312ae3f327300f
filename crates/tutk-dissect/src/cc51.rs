//! The newer framing, in clear, headers authenticated (`docs/protocol.md` §2.11).

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use tutk_iotc::wire::cc51::{ALIVE, CLOSE, DATA, MAC_LEN, REPLY, SEARCH};

use crate::cursor::Cursor;
use crate::iotc::{Carried, Dissected, Shown, channel_name, sdk};
use crate::sessions::Key;
use crate::tree::Severity;

/// Bytes of a data header.
const DATA_HEADER: usize = 28;

/// The HMAC of a header.
pub(crate) fn mac(credentials: &Shown, signed: &[u8]) -> [u8; MAC_LEN] {
    // HMAC pads a short key with zeros to the hash's block.
    let mut key = [0; 64];
    let parts = credentials.0.iter().chain(&credentials.1);
    for (slot, byte) in key.iter_mut().zip(parts) {
        *slot = *byte;
    }
    let mut hmac = Hmac::<Sha1>::new((&key).into());
    hmac.update(signed);
    hmac.finalize().into_bytes().into()
}

/// Reads a packet. `credentials` are those that may have made its HMAC.
pub(crate) fn dissect(bytes: &[u8], credentials: &[Shown]) -> Dissected {
    let mut c = Cursor::new("cc51", bytes, 0, bytes.len());
    let mut carried = None;
    let summary =
        read(&mut c, bytes, credentials, &mut carried).unwrap_or_else(|| "cut off".to_owned());
    let layer = if carried.is_some() {
        c.hand_over(summary)
    } else {
        c.finish(summary)
    };
    Dissected {
        layer,
        carried,
        shown: None,
    }
}

fn read(
    c: &mut Cursor<'_>,
    bytes: &[u8],
    credentials: &[Shown],
    carried: &mut Option<Carried>,
) -> Option<String> {
    c.bytes("magic", 2)?;
    c.zeros(2)?;
    let command = c.code("command", 2)? as u16;
    let name = match command {
        SEARCH => "search and session",
        ALIVE => "alive",
        CLOSE => "close",
        DATA => "data",
        _ => "unknown command",
    };
    c.note(name);
    if !matches!(command, SEARCH | ALIVE | CLOSE | DATA) {
        c.blame(
            Severity::Warning,
            format!("command {command:#06x} is not known"),
        );
    }
    let length = c.le("body_length", 2)? as usize;
    // All lengths count from byte 12.
    let there = c.end().saturating_sub(12);
    if length != there {
        c.blame(
            Severity::Error,
            format!("the header says {length} bytes from byte 12 on, {there} are there"),
        );
    }
    let direction = c.code("direction", 2)?;
    if direction == u64::from(REPLY) {
        c.note("a camera's answer");
    }
    c.zeros(2)?;
    match command {
        SEARCH => {
            let step = c.le("step", 2)?;
            c.note(match step {
                0 => "search",
                1 => "found",
                2 => "asks for a session",
                3 => "granted",
                _ => "unknown",
            });
            let answer = direction == u64::from(REPLY);
            if step > 3 || (step % 2 == 1) != answer {
                c.blame(
                    Severity::Warning,
                    "steps 0 and 2 come from the app, 1 and 3 from the camera",
                );
            }
            c.bytes("ticket", 2)?;
            c.bytes("sid", 8)?;
            sdk(c)?;
            c.code("protocol", 4)?;
            check(c, bytes, credentials, Severity::Error)?;
            Some(format!("{name}, step {step}"))
        }
        ALIVE => {
            c.zeros(4)?;
            let counter = c.le("counter", 4)?;
            c.bytes("sid", 8)?;
            check(c, bytes, credentials, Severity::Error)?;
            Some(format!("{name}, counter {counter}"))
        }
        DATA => data(c, bytes, credentials, carried),
        _ => Some(name.to_owned()),
    }
}

fn data(
    c: &mut Cursor<'_>,
    bytes: &[u8],
    credentials: &[Shown],
    carried: &mut Option<Carried>,
) -> Option<String> {
    c.code("marker", 1)?;
    let channel = c.le("channel", 1)?;
    c.note(channel_name(channel));
    c.bytes("ticket", 2)?;
    let sid = c.bytes("sid", 8)?.try_into().ok()?;
    c.le("one", 4)?;
    let (from, end) = (c.at(), c.end());
    let Some(to) = end.checked_sub(MAC_LEN).filter(|to| *to >= from) else {
        let left = c.left();
        c.layer.expert(
            Severity::Error,
            from,
            left,
            "truncated: no room for the HMAC",
        );
        return None;
    };
    *carried = Some(Carried {
        key: Key::Session {
            sid,
            channel: channel as u8,
        },
        from,
        to,
    });
    // The HMAC stands behind what the packet carries, which other layers read.
    let mut tail = Cursor::new("cc51", bytes, to, end);
    // Whether cameras fill it in is not known, and it protects nothing that DTLS does not protect better.
    let checked = verify(
        &mut tail,
        bytes.get(..DATA_HEADER).unwrap_or_default(),
        credentials,
        Severity::Warning,
    );
    c.layer.fields.append(&mut tail.layer.fields);
    c.layer.experts.append(&mut tail.layer.experts);
    checked?;
    Some(format!("data, channel {channel}, {} bytes", to - from))
}

fn check(
    c: &mut Cursor<'_>,
    bytes: &[u8],
    credentials: &[Shown],
    severity: Severity,
) -> Option<()> {
    let signed = bytes.get(..c.at()).unwrap_or_default();
    verify(c, signed, credentials, severity)
}

fn verify(
    c: &mut Cursor<'_>,
    signed: &[u8],
    credentials: &[Shown],
    severity: Severity,
) -> Option<()> {
    let found = c.bytes("hmac", MAC_LEN)?;
    let right = |credentials: &Shown| mac(credentials, signed) == *found;
    if credentials.is_empty() {
        c.note("not checked: that takes the UID with the AuthKey, or the ENR and the MAC");
    } else if credentials.iter().any(right) {
        c.note("right");
    } else {
        c.note("wrong");
        c.blame(
            severity,
            format!(
                "the HMAC of bytes 0 to {} is not this one: other UID, ENR or MAC, or a forgery",
                signed.len().saturating_sub(1)
            ),
        );
    }
    Some(())
}
