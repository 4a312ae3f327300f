//! AV messages (`docs/protocol.md` §2.5 to §2.8).

use tutk_av::{Codec, Message};

use crate::command;
use crate::cursor::Cursor;
use crate::sessions::{Association, Progress};
use crate::tree::{Layer, Severity};

/// Flag: this packet ends a frame, and FRAMEINFO stands behind its payload.
const LAST: u64 = 0x01;
/// Flag: an extension block follows the outer header.
const EXTENSION: u64 = 0x08;
/// Type of the wrapper for forward error correction.
const WRAPPED: u64 = 0x0c;
/// Second byte of an IOCTRL.
const IOCTL: u64 = 0x70;

/// Reads the message in `datagram[from..to]`.
pub(crate) fn dissect(
    datagram: &[u8],
    from: usize,
    to: usize,
    show: bool,
    association: &mut Association,
) -> Vec<Layer> {
    let mut c = Cursor::new("av", datagram, from, to);
    let mut inner = Inner::default();
    let bytes = c.rest();
    let summary = read(&mut c, show, &mut inner).unwrap_or_else(|| "cut off".to_owned());
    let complained = !c.layer.experts.is_empty();
    if let (false, Err(why)) = (complained, Message::parse(bytes)) {
        let length = c.layer.length;
        c.layer.expert(
            Severity::Error,
            from,
            length,
            format!("a receiver refuses it: {why}"),
        );
    }
    let mut layers = vec![c.finish(summary)];
    match inner {
        Inner::Nothing => {}
        Inner::FrameInfo(last) => layers.push(frame_info(datagram, &last, show, association)),
        Inner::Part(part) => {
            association.went_on(&part);
        }
        Inner::Command { from, to, whole } => {
            layers.push(command::dissect(datagram, from, to, whole, show));
        }
    }
    layers
}

/// One packet of a frame.
#[derive(Clone, Copy)]
struct Part {
    audio: bool,
    frame: u64,
    index: u64,
    bytes: u64,
}

struct Last {
    part: Part,
    from: usize,
    to: usize,
}

/// What is inside of a message.
#[derive(Default)]
enum Inner {
    #[default]
    Nothing,
    FrameInfo(Last),
    Part(Part),
    Command {
        from: usize,
        to: usize,
        /// The message is not cut into several packets.
        whole: bool,
    },
}

impl Association {
    fn went_on(&mut self, part: &Part) -> Option<u64> {
        let slot = self.progress.get_mut(usize::from(!part.audio))?;
        let so_far = match slot {
            _ if part.index == 0 => Some(0),
            Some(p) if p.frame == part.frame && p.next == part.index => Some(p.bytes),
            _ => None,
        };
        *slot = so_far.map(|bytes| Progress {
            frame: part.frame,
            next: part.index + 1,
            bytes: bytes + part.bytes,
        });
        so_far.map(|bytes| bytes + part.bytes)
    }
}

fn read(c: &mut Cursor<'_>, show: bool, inner: &mut Inner) -> Option<String> {
    let (kind, flags) = match c.rest() {
        [kind, flags, ..] => (u64::from(*kind), u64::from(*flags)),
        _ => {
            c.bytes("code", 2)?;
            return None;
        }
    };
    let code = flags << 8 | kind;
    if kind == WRAPPED || (3..=8).contains(&kind) || code & !(EXTENSION << 8) == IOCTL << 8 {
        return streamed(c, inner);
    }
    c.code("code", 2)?;
    let name = match code {
        0x0000 => "login 1",
        0x2000 => "login 2",
        0x2100 => "login response",
        0x0009 => "acknowledgement",
        0x080a => "statistics request",
        0x000b => "statistics reply",
        0x1000 => "channel message",
        0x1100 => "acknowledgement of a channel message",
        0x1200 | 0x1300 => "talk negotiation without DTLS",
        0x1400 => "login response without DTLS",
        0x7100 => "acknowledgement of an IOCTRL without DTLS",
        0x0700 | 0x0800 => "time synchronisation",
        0x0a01 | 0x0901 => "time synchronisation, reply",
        0x0301 | 0x0401 => "media without DTLS, old form",
        _ => "unknown message",
    };
    c.note(name);
    if name == "unknown message" {
        c.blame(
            Severity::Warning,
            format!("message {code:#06x} is not known"),
        );
    }
    c.code("version", 2)?;
    match code {
        0x0000 | 0x2000 => login(c, code, show)?,
        0x2100 => login_reply(c)?,
        0x0009 => return ack(c),
        0x080a => {
            c.le("sequence", 2)?;
            c.zeros(2)?;
            statistics(c)?;
        }
        0x000b => {
            c.zeros(4)?;
            c.le("clock", 2)?;
            c.le("count", 2)?;
            c.le("count_2", 2)?;
            c.zeros(6)?;
        }
        _ => {
            let n = c.left();
            c.opaque("body", n)?;
        }
    }
    Some(name.to_owned())
}

fn login(c: &mut Cursor<'_>, code: u64, show: bool) -> Option<()> {
    c.zeros(12)?;
    c.code("size", 2)?;
    c.le("first", 2)?;
    c.code("serial", 4)?;
    c.text("user", 257)?;
    c.secret("password", 257, show)?;
    let resend = c.le("resend", 4)?;
    c.note(if resend == 0 {
        "plain"
    } else {
        "asks for lossless mode"
    });
    c.le("words", 4)?;
    c.bytes("capabilities", 16)?;
    c.le("auth_type", 4)?;
    c.le("one", 4)?;
    if code == 0x2000 {
        c.le("audio", 2)?;
    }
    Some(())
}

fn login_reply(c: &mut Cursor<'_>) -> Option<()> {
    c.code("result", 4)?;
    c.zeros(8)?;
    c.code("size", 4)?;
    c.code("serial", 4)?;
    c.zeros(5)?;
    c.le("resend", 1)?;
    c.zeros(1)?;
    c.le("two_way", 1)?;
    c.zeros(4)?;
    c.le("words", 4)?;
    c.bytes("capabilities", 16)?;
    c.le("two", 4)?;
    Some(())
}

fn ack(c: &mut Cursor<'_>) -> Option<String> {
    c.le("sequence", 2)?;
    c.zeros(2)?;
    let from = c.le("from", 2)?;
    let highest = c.le("highest", 2)?;
    if (from, highest) == (0xffff, 0xffff) {
        c.note("no media yet");
    }
    c.le("ioctl", 2)?;
    let missing = c.le("missing", 2)?;
    c.zeros(2)?;
    let ordinal = c.le("ordinal", 2)?;
    if missing == 0 {
        if c.left() > 0 {
            c.code("clock", 4)?;
            c.note("milliseconds, halves swapped");
        }
        return Some(format!("acknowledgement {ordinal}, media up to {highest}"));
    }
    c.code("clock", 2)?;
    if c.left() as u64 != missing * 2 {
        let left = c.left();
        c.layer.expert(
            Severity::Error,
            c.layer.offset + 14,
            2,
            format!(
                "{missing} missing counters are announced, room is for {}",
                left / 2
            ),
        );
    }
    if missing == 1 {
        c.layer.expert(
            Severity::Note,
            c.layer.offset + 14,
            2,
            "cameras do not honour a list of one",
        );
    }
    for _ in 0..missing {
        let distance = c.le("missing_counter", 2)?;
        c.note(format!("counter {}", (from + distance) & 0xffff));
    }
    Some(format!(
        "acknowledgement {ordinal}, asks for {missing} again"
    ))
}

/// The statistics request, as a message or as the extension of another.
fn statistics(c: &mut Cursor<'_>) -> Option<()> {
    c.le("clock", 2)?;
    c.le("timeout_ms", 2)?;
    c.le("high_water", 4)?;
    Some(())
}

/// Media, IOCTRL, parity.
fn streamed(c: &mut Cursor<'_>, inner: &mut Inner) -> Option<String> {
    let outer = c.code("type", 1)?;
    let flags = c.code("flags", 1)?;
    let mut set = Vec::new();
    if outer != 0 || flags != IOCTL {
        for (bit, name) in [(LAST, "last"), (0x04, "0x04"), (EXTENSION, "extension")] {
            if flags & bit != 0 {
                set.push(name);
            }
        }
        c.note(set.join(", "));
    }
    c.code("version", 2)?;
    c.le("sequence", 2)?;
    c.code("extra", 2)?;
    let mut group = None;
    if outer == WRAPPED {
        let number = c.le("fec_group", 2)?;
        let index = c.le("fec_index", 1)?;
        let size = c.le("fec_size", 1)?;
        c.le("fec_parity", 4)?;
        group = (size > 0).then_some((number, index, size));
    }
    if flags & EXTENSION != 0 {
        statistics(c)?;
    }
    let kind = c.code("inner_type", 1)?;
    let sub = c.code("inner_flags", 1)?;
    let counter = c.le("counter", 2)?;
    let total = c.le("total", 2)?;
    let media = (3..=8).contains(&kind);
    let last = media && (flags | sub) & LAST != 0;
    let index = c.le(if last { "info_length" } else { "index" }, 2)?;
    let length = c.le("payload_length", 2)?;
    let left = c.left().saturating_sub(10);
    if length as usize > left {
        c.blame(
            Severity::Error,
            format!("the header says {length} bytes of payload, {left} are left"),
        );
    }
    c.zeros(2)?;
    c.le("previous", 4)?;
    let current = c.le("current", 4)?;
    let grouped = group.map_or(String::new(), |(g, i, s)| {
        format!(", group {g}: {i} of {s}")
    });
    if media {
        let position = Position {
            kind,
            counter,
            total,
            last,
            field: index,
            length,
            frame: current,
        };
        return media_packet(c, &position, inner).map(|text| text + &grouped);
    }
    match (kind, sub) {
        (0, IOCTL) => ioctl(c, counter, total, index, length, inner),
        (WRAPPED, _) => {
            c.opaque("parity", length as usize)?;
            Some(format!("parity{grouped}"))
        }
        _ => {
            c.opaque("payload", length as usize)?;
            Some(format!("unknown type {kind:#04x}"))
        }
    }
}

struct Position {
    kind: u64,
    counter: u64,
    total: u64,
    last: bool,
    /// The index, or in the last packet the length of FRAMEINFO.
    field: u64,
    length: u64,
    frame: u64,
}

fn media_packet(c: &mut Cursor<'_>, p: &Position, inner: &mut Inner) -> Option<String> {
    let name = match p.kind {
        3 => "audio",
        4 => "audio, sent again",
        5 => "key frame",
        6 => "key frame, sent again",
        7 => "frame",
        _ => "frame, sent again",
    };
    let index = if p.last {
        p.total.saturating_sub(1)
    } else {
        p.field
    };
    let info = if p.last { p.field } else { 0 };
    let Some(bytes) = p.length.checked_sub(info) else {
        c.layer.expert(
            Severity::Error,
            c.at().saturating_sub(14),
            2,
            format!("FRAMEINFO of {info} bytes in a payload of {}", p.length),
        );
        return None;
    };
    c.opaque("media", bytes as usize)?;
    let part = Part {
        audio: p.kind < 5,
        frame: p.frame,
        index,
        bytes,
    };
    *inner = if p.last {
        let from = c.at();
        // Read by its own layer.
        c.limit(0);
        Inner::FrameInfo(Last {
            part,
            from,
            to: from + info as usize,
        })
    } else {
        Inner::Part(part)
    };
    Some(format!(
        "{name} {}, packet {} of {}, counter {}",
        p.frame,
        index + 1,
        p.total,
        p.counter
    ))
}

fn ioctl(
    c: &mut Cursor<'_>,
    counter: u64,
    total: u64,
    index: u64,
    length: u64,
    inner: &mut Inner,
) -> Option<String> {
    if index > 0 {
        c.opaque("continuation", length as usize)?;
        return Some(format!("IOCTRL {counter}, packet {} of {total}", index + 1));
    }
    let io_type = c.code("io_type", 4)?;
    if io_type != u64::from(tutk_av::IO_TYPE) {
        c.blame(Severity::Warning, "Wyze uses 0x100 only");
    }
    let from = c.at();
    let to = from + length.saturating_sub(4) as usize;
    if to < c.end() {
        c.layer.expert(
            Severity::Warning,
            to,
            c.end() - to,
            "bytes behind the payload",
        );
    }
    c.limit(0);
    *inner = Inner::Command {
        from,
        to,
        whole: total <= 1,
    };
    Some(format!("IOCTRL {counter}"))
}

/// What the sender says about a frame (`docs/protocol.md` §2.8).
fn frame_info(datagram: &[u8], last: &Last, show: bool, association: &mut Association) -> Layer {
    let so_far = association.went_on(&last.part);
    let mut c = Cursor::new("frameinfo", datagram, last.from, last.to);
    let summary = info_fields(&mut c, last, show, so_far);
    if c.layer.length < last.to.saturating_sub(last.from) {
        let (offset, length) = (c.layer.offset, c.layer.length);
        c.layer.expert(
            Severity::Error,
            offset,
            length,
            "truncated: FRAMEINFO is cut off",
        );
    }
    c.finish(summary.unwrap_or_else(|| "cut off".to_owned()))
}

fn info_fields(c: &mut Cursor<'_>, last: &Last, show: bool, so_far: Option<u64>) -> Option<String> {
    let codec = Codec::from(c.code("codec", 2)? as u16);
    let name = format!("{codec:?}");
    c.note(&*name);
    if matches!(codec, Codec::Unknown(_)) {
        c.blame(Severity::Warning, "this codec is not known");
    } else if codec.is_video() == last.part.audio {
        c.blame(
            Severity::Warning,
            "the packet's type says the other of video and audio",
        );
    }
    let flags = c.code("flags", 1)?;
    if codec.is_video() {
        c.note(if flags & 1 == 1 { "key frame" } else { "" });
    }
    c.le("camera", 1)?;
    c.le("viewers", 1)?;
    c.le("fps", 1)?;
    c.le("frame_size", 1)?;
    c.le("bitrate", 1)?;
    c.note("kilobytes a second");
    if c.left() < 8 {
        return Some(name);
    }
    let micros = c.le("micros", 4)?;
    if c.left() == 4 {
        c.le("talk_millis", 4)?;
        return Some(name);
    }
    if micros > 999_999 {
        c.blame(Severity::Warning, "more microseconds than a second has");
    }
    c.le("seconds", 4)?;
    if c.left() < 8 {
        return Some(name);
    }
    let length = c.le("length", 4)?;
    if let Some(bytes) = so_far
        && bytes != length
    {
        c.blame(
            Severity::Error,
            format!("the frame is said to have {length} bytes, {bytes} came"),
        );
    }
    let number = c.le("number", 4)?;
    if number != last.part.frame {
        c.blame(
            Severity::Note,
            format!(
                "the packet's header counts the frame as {}",
                last.part.frame
            ),
        );
    }
    if c.left() >= 16 {
        c.secret("mac", 12, show)?;
        c.code("token", 4)?;
    }
    if c.left() == 8 {
        for name in ["face_x", "face_y", "face_width", "face_height"] {
            c.le(name, 2)?;
        }
    }
    Some(format!("{name}, {length} bytes"))
}
