//! The older framing, TransCode undone (`docs/protocol.md` §2.2 to §2.4).

use tutk_iotc::wire::{MODE_CONNECT, MODE_PLAIN, MODE_SECURE, code};

use crate::cursor::Cursor;
use crate::sessions::Key;
use crate::tree::{Layer, Severity};

/// What a data packet of either framing carries.
pub(crate) struct Carried {
    pub(crate) key: Key,
    /// As a range of the datagram.
    pub(crate) from: usize,
    pub(crate) to: usize,
}

/// A search packet shows who is looked for, and the key that CC51 packets are authenticated with.
pub(crate) type Shown = ([u8; 20], [u8; 8]);

pub(crate) struct Dissected {
    pub(crate) layer: Layer,
    pub(crate) carried: Option<Carried>,
    pub(crate) shown: Option<Shown>,
}

struct Command {
    code: u16,
    flags: u16,
    name: &'static str,
}

const HOLE_PUNCH: u16 = 0x0401;

const COMMANDS: [Command; 11] = [
    c(code::SEARCH, code::TO_DEVICE, "search"),
    c(code::SEARCH_REPLY, code::TO_CLIENT, "search response"),
    c(code::SESSION, code::PEERS, "session request"),
    c(code::SESSION_REPLY, code::PEERS, "session response"),
    c(HOLE_PUNCH, code::PEERS, "hole punch"),
    c(code::DATA_TO_DEVICE, code::TO_DEVICE, "data to the camera"),
    c(code::DATA_TO_CLIENT, code::TO_CLIENT, "data to the app"),
    c(code::ALIVE_TO_DEVICE, code::TO_DEVICE, "alive of the app"),
    c(
        code::ALIVE_TO_CLIENT,
        code::TO_CLIENT,
        "alive of the camera",
    ),
    c(code::CLOSE_TO_DEVICE, code::TO_DEVICE, "close by the app"),
    c(
        code::CLOSE_TO_CLIENT,
        code::TO_CLIENT,
        "close by the camera",
    ),
];

const fn c(code: u16, flags: u16, name: &'static str) -> Command {
    Command { code, flags, name }
}

/// Whether decoded bytes are a packet of this framing: its magic, and a length that is right or a command that is known.
pub(crate) fn recognise(bytes: &[u8]) -> bool {
    let Some(header) = bytes.first_chunk::<16>() else {
        return false;
    };
    let [0x04, 0x02, _, _, l0, l1, _, _, c0, c1, ..] = *header else {
        return false;
    };
    let length = usize::from(u16::from_le_bytes([l0, l1]));
    let command = u16::from_le_bytes([c0, c1]);
    length + 16 == bytes.len() || COMMANDS.iter().any(|c| c.code == command)
}

/// Reads a decoded packet.
pub(crate) fn dissect(bytes: &[u8], show: bool) -> Dissected {
    let mut c = Cursor::new("iotc", bytes, 0, bytes.len());
    let mut found = Found::default();
    let summary = read(&mut c, show, &mut found).unwrap_or_else(|| "cut off".to_owned());
    let layer = match &found.carried {
        Some(_) => {
            let length = c.at();
            let mut layer = c.hand_over(summary);
            layer.length = length;
            layer
        }
        None => c.finish(summary),
    };
    Dissected {
        layer,
        carried: found.carried,
        shown: found.shown,
    }
}

#[derive(Default)]
struct Found {
    carried: Option<Carried>,
    shown: Option<Shown>,
}

fn read(c: &mut Cursor<'_>, show: bool, found: &mut Found) -> Option<String> {
    c.bytes("magic", 2)?;
    c.code("version", 1)?;
    let mode = c.code("mode", 1)?;
    c.note(match mode as u8 {
        MODE_CONNECT => "connect stage",
        MODE_PLAIN => "connected",
        MODE_SECURE => "connected, DTLS inside",
        _ => "unknown",
    });
    let length = c.le("body_length", 2)? as usize;
    let there = c.end().saturating_sub(16);
    if length != there {
        c.blame(
            Severity::Error,
            format!("the header says {length} bytes of body, {there} are there"),
        );
    }
    c.le("sequence", 2)?;
    let code = c.code("command", 2)?;
    let command = COMMANDS.iter().find(|c| u64::from(c.code) == code);
    let name = command.map_or("unknown command", |c| c.name);
    c.note(name);
    if command.is_none() {
        c.blame(
            Severity::Warning,
            format!("command {code:#06x} is not known"),
        );
    }
    let flags = c.code("flags", 2)?;
    c.note(match flags as u16 {
        code::TO_DEVICE => "app to camera",
        code::TO_CLIENT => "camera to app",
        code::PEERS => "peer to peer",
        _ => "through a server",
    });
    if let Some(command) = command
        && u64::from(command.flags) != flags
    {
        c.blame(
            Severity::Warning,
            format!("{name} has the flags {:#06x}", command.flags),
        );
    }
    body(c, code as u16, show, found).map(|more| format!("{name}{more}"))
}

/// The part behind the common header, and what to add to the summary.
fn body(c: &mut Cursor<'_>, code: u16, show: bool, found: &mut Found) -> Option<String> {
    let none = Some(String::new());
    match code {
        code::DATA_TO_DEVICE | code::DATA_TO_CLIENT => return data(c, found),
        code::SEARCH => {
            c.zeros(4)?;
            return search(c, show, found);
        }
        _ => c.zeros(4)?,
    }
    match code {
        code::SEARCH_REPLY => {
            c.secret("uid", 20, show)?;
            if c.left() < 164 {
                let n = c.left();
                c.opaque("not_known", n)?;
                return Some(format!(", shorter than the usual 200 bytes by {}", 164 - n));
            }
            c.opaque("not_known", 148)?;
            sdk(c)?;
            c.bytes("sid", 8)?;
            c.bytes("not_known", 4)?;
        }
        code::SESSION | code::SESSION_REPLY | HOLE_PUNCH => {
            c.secret("uid", 20, show)?;
            c.bytes("sid", 8)?;
            c.zeros(4)?;
            c.bytes("sdk_or_time", 4)?;
        }
        code::ALIVE_TO_DEVICE
        | code::ALIVE_TO_CLIENT
        | code::CLOSE_TO_DEVICE
        | code::CLOSE_TO_CLIENT => {
            c.bytes("token", 8)?;
        }
        _ => {}
    }
    none
}

fn search(c: &mut Cursor<'_>, show: bool, found: &mut Found) -> Option<String> {
    let uid = c.secret("uid", 20, show)?;
    c.zeros(16)?;
    sdk(c)?;
    c.bytes("sid", 8)?;
    let stage = c.le("stage", 1)?;
    c.note(match stage {
        1 => "search",
        2 => "directed",
        _ => "unknown",
    });
    if c.left() >= 23 {
        c.zeros(9)?;
        let key = c.secret("auth_key", 8, show)?;
        if let (Ok(uid), Ok(key)) = (uid.try_into(), key.try_into()) {
            found.shown = Some((uid, key));
        }
        c.zeros(6)?;
    } else {
        let n = c.left();
        c.zeros(n)?;
    }
    Some(format!(", stage {stage}"))
}

fn data(c: &mut Cursor<'_>, found: &mut Found) -> Option<String> {
    let head = c.bytes("sid_head", 2)?;
    let channel = c.le("channel", 1)?;
    c.note(channel_name(channel));
    c.le("secure", 1)?;
    c.le("header_size", 4)?;
    let sid: [u8; 8] = c.bytes("sid", 8)?.try_into().ok()?;
    if sid.get(..2) != Some(head) {
        c.blame(
            Severity::Warning,
            "the two bytes at 12 are not the first of the session's id",
        );
    }
    found.carried = Some(Carried {
        key: Key::Session {
            sid,
            channel: channel as u8,
        },
        from: c.at(),
        to: c.end(),
    });
    Some(format!(", channel {channel}, {} bytes", c.left()))
}

pub(crate) fn channel_name(channel: u64) -> &'static str {
    match channel {
        0 => "main",
        1 => "talk-back",
        _ => "",
    }
}

/// The SDK's version, written last part first.
pub(crate) fn sdk(c: &mut Cursor<'_>) -> Option<()> {
    if let [d, c3, b, a] = *c.bytes("sdk", 4)? {
        c.note(format!("{a}.{b}.{c3}.{d}"));
    }
    Some(())
}
