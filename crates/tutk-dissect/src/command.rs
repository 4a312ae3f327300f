//! K-commands: the HL messages inside of IOCTRLs (`docs/protocol.md` §3.1, §3.2).

use wyze_kauth::hl::Code;
use wyze_kauth::support;

use crate::cursor::{Cursor, printable};
use crate::scrub;
use crate::tree::{Layer, Severity, Value};

/// Bytes of the header.
const HEADER: usize = 16;

/// Reads the message in `datagram[from..to]`; unless `whole`, it goes on in other packets.
pub(crate) fn dissect(datagram: &[u8], from: usize, to: usize, whole: bool, show: bool) -> Layer {
    let mut c = Cursor::new("hl", datagram, from, to);
    let summary = read(&mut c, whole, show).unwrap_or_else(|| "cut off".to_owned());
    c.finish(summary)
}

/// What is known about a code: "K10001, reply: hello".
pub(crate) fn name(code: u16) -> String {
    let found = |code| support::command(Code(code)).map(|command| command.name);
    match (found(code), code.checked_sub(1).and_then(found)) {
        (Some(name), _) => format!("K{code}, {name}"),
        (None, Some(name)) => format!("K{code}, reply: {name}"),
        (None, None) => format!("K{code}, not known"),
    }
}

fn read(c: &mut Cursor<'_>, whole: bool, show: bool) -> Option<String> {
    let magic = c.bytes("magic", 2)?;
    if magic != b"HL" {
        c.blame(Severity::Error, "no \"HL\": this is no K-command");
        return None;
    }
    c.le("version", 1)?;
    c.note("protocol version of the sender");
    c.zeros(1)?;
    let code = c.le("code", 2)? as u16;
    let name = name(code);
    c.note(&*name);
    if name.ends_with("not known") {
        c.blame(Severity::Warning, "this command is not known");
    }
    let length = c.le("length", 4)? as usize;
    let there = c.end().saturating_sub(c.layer.offset + HEADER);
    if length != there && (whole || length < there) {
        c.blame(
            Severity::Error,
            format!("the header says {length} bytes of payload, {there} are there"),
        );
    }
    c.zeros(6)?;
    body(c, code, show)?;
    Some(name)
}

fn body(c: &mut Cursor<'_>, code: u16, show: bool) -> Option<()> {
    match (code, c.left()) {
        (10001, 17) => {
            let status = c.le("status", 1)?;
            c.note(match status {
                1 => "default key",
                2 => "the camera is updating",
                3 => "ENR of 16 characters",
                4 => "the camera is checking the ENR",
                5 => "the camera is off",
                6 => "ENR of 32 characters",
                _ => "unknown",
            });
            c.bytes("challenge", 16)?;
        }
        (10002, 22) => response(c)?,
        (10006 | 10008, 23..) => {
            response(c)?;
            let length = c.le("id_length", 1)? as usize;
            c.secret("open_user_id", length.min(c.left()), show)?;
        }
        (10010, 2) => {
            let media = c.le("media", 1)?;
            c.note(match media {
                1 => "video",
                2 => "audio",
                3 => "talk-back",
                4 => "RDT",
                _ => "unknown",
            });
            let switch = c.le("switch", 1)?;
            c.note(if switch == 1 { "on" } else { "off" });
        }
        (10056, 3 | 5) => {
            c.le("size", 1)?;
            c.note("frame size and one");
            c.le("bitrate", 2)?;
            c.note("kilobytes a second");
            if c.left() == 2 {
                c.le("fps", 2)?;
            }
        }
        (_, 0) => {}
        // Challenge and response are random, of whatever length they come.
        _ if !matches!(code, 10001 | 10002 | 10006 | 10008) && is_json(c.rest()) => json(c, show),
        (_, n) => {
            c.opaque("payload", n)?;
        }
    }
    Some(())
}

/// What K10002, K10006 and K10008 begin with.
fn response(c: &mut Cursor<'_>) -> Option<()> {
    c.bytes("response", 16)?;
    c.bytes("prefix", 4)?;
    c.note("checked by nobody");
    c.le("video", 1)?;
    c.le("audio", 1)?;
    Some(())
}

/// Whether an object begins in these bytes; a `{` alone may be any number.
fn is_json(bytes: &[u8]) -> bool {
    bytes
        .windows(2)
        .any(|two| matches!(two, [b'{', b'"' | b'}' | b' ' | b'\t' | b'\r' | b'\n']))
}

/// The JSON, identities left out unless `show`.
fn json(c: &mut Cursor<'_>, show: bool) {
    let length = c.left();
    let Some(bytes) = c.opaque("json", length) else {
        return;
    };
    let mut text = bytes.to_vec();
    if !show {
        scrub::json(&mut text);
    }
    if let Some(field) = c.layer.fields.last_mut() {
        field.value = Value::Text(printable(&text));
        field.note = String::new();
    }
}
