//! The oldest messages, of firmware without DTLS: a header of 24 bytes in front of everything (`docs/protocol.md` §2.12).

use crate::av::{Inner, Last, Part};
use crate::cursor::Cursor;
use crate::frameinfo::is_video;
use crate::tree::Severity;

/// Bytes of the header.
const HEADER: usize = 24;
/// Bytes of frame and FRAMEINFO, put together, in every packet but the last.
const FRAGMENT: u64 = 1024;
/// In front of the FRAMEINFO of talk.
const TALK_MARK: &[u8] = b"ODUA";

mod code {
    pub(super) const IOCTL: u64 = 0x7000;
    pub(super) const IOCTL_ACK: u64 = 0x7100;
    pub(super) const LOGIN_REPLY: u64 = 0x1400;
    pub(super) const CHUNK: u64 = 0x0301;
    pub(super) const WHOLE: u64 = 0x0401;
}

fn name(code: u64) -> Option<&'static str> {
    Some(match code {
        code::LOGIN_REPLY => "login response without DTLS",
        code::IOCTL => "IOCTRL without DTLS",
        code::IOCTL_ACK => "acknowledgement of an IOCTRL without DTLS",
        code::CHUNK => "media without DTLS",
        code::WHOLE => "frame without DTLS",
        0x1200 | 0x1300 => "talk negotiation without DTLS",
        0x0700 | 0x0800 => "time synchronisation",
        0x0a01 | 0x0901 => "time synchronisation, reply",
        _ => return None,
    })
}

fn le16(bytes: &[u8], at: usize) -> Option<u64> {
    let two = bytes.get(at..)?.first_chunk::<2>()?;
    Some(u16::from_le_bytes(*two).into())
}

/// Whether `message` is of this form. An IOCTRL begins like one of the later form, whose header is 4 bytes longer: its length
/// tells.
pub(crate) fn recognise(message: &[u8]) -> bool {
    match le16(message, 0) {
        Some(code::IOCTL) => {
            le16(message, 16).is_some_and(|size| message.len() as u64 == HEADER as u64 + size)
        }
        Some(code) => name(code).is_some(),
        None => false,
    }
}

/// Reads one message.
pub(crate) fn read(c: &mut Cursor<'_>, inner: &mut Inner) -> Option<String> {
    let code = c.code("code", 2)?;
    let name = name(code).unwrap_or("unknown message");
    c.note(name);
    c.code("version", 2)?;
    let sequence = c.le("sequence", 2)?;
    c.zeros(2)?;
    let data = c.le("frame_length", 4)?;
    let index = c.le("index", 2)?;
    let info = c.le("info_length", 2)?;
    let size = c.le("payload_length", 2)?;
    let left = c.left().saturating_sub(6) as u64;
    if size > left {
        c.blame(
            Severity::Error,
            format!("the header says {size} bytes of payload, {left} are left"),
        );
        return None;
    }
    c.zeros(2)?;
    c.code("serial", 4)?;
    match code {
        code::IOCTL => command(c, inner)?,
        code::CHUNK => {
            let packet = Packet {
                frame: sequence,
                data,
                index,
                info,
                size,
            };
            return chunk(c, &packet, inner);
        }
        code::WHOLE => return whole(c, sequence, info, size, inner),
        code::LOGIN_REPLY => {
            c.bytes("end_of_the_login", size as usize)?;
        }
        _ => {
            let n = c.left();
            c.bytes("body", n)?;
        }
    }
    Some(format!("{name}, {sequence}"))
}

fn command(c: &mut Cursor<'_>, inner: &mut Inner) -> Option<()> {
    let io_type = c.code("io_type", 4)?;
    if io_type != u64::from(tutk_av::IO_TYPE) {
        c.blame(Severity::Warning, "Wyze uses 0x100 only");
    }
    *inner = Inner::Command {
        from: c.at(),
        to: c.end(),
        rest: None,
    };
    c.limit(0);
    Some(())
}

/// What the header of a packet says.
struct Packet {
    frame: u64,
    data: u64,
    index: u64,
    info: u64,
    size: u64,
}

/// `01 03`: frame and FRAMEINFO were put together and cut into packets.
fn chunk(c: &mut Cursor<'_>, p: &Packet, inner: &mut Inner) -> Option<String> {
    let total = (p.data + p.info).div_ceil(FRAGMENT);
    if p.index >= total {
        c.layer.expert(
            Severity::Error,
            c.layer.offset + 12,
            2,
            format!("packet {} of a frame that fits into {total}", p.index + 1),
        );
        return None;
    }
    let data = p.data.saturating_sub(p.index * FRAGMENT).min(p.size);
    let behind = p.size - data;
    c.opaque("media", data as usize)?;
    let text = format!("frame {}, packet {} of {total}", p.frame, p.index + 1);
    let mut part = Part {
        audio: false,
        frame: p.frame,
        index: p.index,
        bytes: data,
        counted: false,
    };
    if behind == 0 {
        *inner = Inner::Part(part);
        return Some(text);
    }
    if c.rest().starts_with(TALK_MARK) && behind > 8 {
        c.text("mark", 4)?;
        c.le("info_behind", 4)?;
    }
    let (from, to) = (c.at(), c.end());
    if behind < p.info {
        // Frame and FRAMEINFO share the packets, so it may lie across two.
        c.opaque("info_part", behind as usize)?;
        *inner = Inner::InfoPart {
            last: Last { part, from, to },
            begins: data > 0,
        };
        return Some(text);
    }
    part.audio = total == 1 && !is_video(c.rest());
    c.limit(0);
    *inner = Inner::FrameInfo(Last { part, from, to });
    Some(text)
}

/// `01 04`: FRAMEINFO in front of a frame that fits into one packet.
fn whole(
    c: &mut Cursor<'_>,
    frame: u64,
    info: u64,
    size: u64,
    inner: &mut Inner,
) -> Option<String> {
    let from = c.at();
    let audio = !is_video(c.rest());
    let Some(data) = size.checked_sub(info) else {
        c.layer.expert(
            Severity::Error,
            c.layer.offset + 14,
            2,
            format!("FRAMEINFO of {info} bytes in a payload of {size}"),
        );
        return None;
    };
    c.opaque("info", info as usize)?;
    let to = c.at();
    c.opaque("media", data as usize)?;
    let part = Part {
        audio,
        frame,
        index: 0,
        bytes: data,
        counted: false,
    };
    *inner = Inner::FrameInfo(Last { part, from, to });
    Some(format!("frame {frame}, in one packet"))
}
