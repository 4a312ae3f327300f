//! AV messages (`docs/protocol.md` §2.5 to §2.8).

use tutk_av::Message;

use crate::cursor::Cursor;
use crate::pending::CommandPart;
use crate::sessions::{Association, Progress};
use crate::tree::{Layer, Severity};
use crate::{command, frameinfo, session16};

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
    let oldest = session16::recognise(bytes);
    let read = if oldest {
        session16::read(&mut c, &mut inner)
    } else {
        read(&mut c, show, &mut inner)
    };
    let summary = read.unwrap_or_else(|| "cut off".to_owned());
    let complained = oldest || !c.layer.experts.is_empty();
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
        Inner::FrameInfo(last) => {
            layers.push(frameinfo::dissect(datagram, &last, show, association))
        }
        Inner::Part(part) => {
            association.went_on(&part);
        }
        Inner::InfoPart { last, begins } => {
            layers.extend(frameinfo::part(datagram, &last, begins, show, association));
        }
        Inner::Command { from, to, rest } => {
            let whole = rest.is_none();
            layers.push(command::dissect(datagram, from, to, whole, show));
            layers.extend(joined_command(datagram, from, to, rest, show, association));
        }
        Inner::CommandGoesOn { from, to, part } => {
            layers.extend(joined_command(
                datagram,
                from,
                to,
                Some(part),
                show,
                association,
            ));
        }
    }
    layers
}

/// What the packets of an IOCTRL are together, once all are there.
fn joined_command(
    datagram: &[u8],
    from: usize,
    to: usize,
    part: Option<CommandPart>,
    show: bool,
    association: &mut Association,
) -> Option<Layer> {
    let (part, bytes) = (part?, datagram.get(from..to)?);
    let sender = association.sender;
    let whole = association.pending.command(sender, part, bytes)?;
    let mut layer = command::dissect(&whole, 0, whole.len(), true, show);
    layer.summary += &format!(", put together from {} packets{APART}", part.total);
    Some(layer)
}

/// Of what lies in no packet as a whole.
pub(crate) const APART: &str = "; offsets count from its own first byte";

/// One packet of a frame.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    pub(crate) audio: bool,
    pub(crate) frame: u64,
    pub(crate) index: u64,
    pub(crate) bytes: u64,
    /// Whether FRAMEINFO counts frames as the header does.
    pub(crate) counted: bool,
}

pub(crate) struct Last {
    pub(crate) part: Part,
    pub(crate) from: usize,
    pub(crate) to: usize,
}

/// What is inside of a message.
#[derive(Default)]
pub(crate) enum Inner {
    #[default]
    Nothing,
    FrameInfo(Last),
    Part(Part),
    /// FRAMEINFO that lies across two packets: its beginning, or its end.
    InfoPart {
        last: Last,
        begins: bool,
    },
    Command {
        from: usize,
        to: usize,
        /// The message goes on in other packets.
        rest: Option<CommandPart>,
    },
    CommandGoesOn {
        from: usize,
        to: usize,
        part: CommandPart,
    },
}

impl Association {
    pub(crate) fn went_on(&mut self, part: &Part) -> Option<u64> {
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
        return streamed(c, show, inner);
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
    if c.left() == 0 {
        // The oldest talk channels say no more.
        return Some(());
    }
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
fn streamed(c: &mut Cursor<'_>, show: bool, inner: &mut Inner) -> Option<String> {
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
    let previous = c.le("previous", 4)?;
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
        (0, IOCTL) => {
            let part = CommandPart {
                message: previous,
                index,
                total,
            };
            ioctl(c, counter, part, length as usize, show, inner)
        }
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
        counted: true,
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
    part: CommandPart,
    length: usize,
    show: bool,
    inner: &mut Inner,
) -> Option<String> {
    let CommandPart { index, total, .. } = part;
    let summary = match total {
        0 | 1 => format!("IOCTRL {counter}"),
        _ => format!("IOCTRL {counter}, packet {} of {total}", index + 1),
    };
    if index > 0 {
        let from = c.at();
        // What it is a piece of may be an identity.
        if show {
            c.opaque("continuation", length)?;
        } else {
            c.secret("continuation", length, false)?;
        }
        let to = c.at();
        *inner = Inner::CommandGoesOn { from, to, part };
        return Some(summary);
    }
    let io_type = c.code("io_type", 4)?;
    if io_type != u64::from(tutk_av::IO_TYPE) {
        c.blame(Severity::Warning, "Wyze uses 0x100 only");
    }
    let from = c.at();
    let to = from + length.saturating_sub(4);
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
        rest: (total > 1).then_some(part),
    };
    Some(summary)
}
