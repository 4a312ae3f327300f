//! The messages of Session16, the oldest generation: a header of 24 bytes in front of everything.
//!
//! ```text
//!   0 type, sub   2 version   4 sequence   8 bytes of the frame   12 packet   14 bytes of FRAMEINFO   16 bytes here   20 serial
//!   frame, FRAMEINFO ─► cut together into packets of 1024 bytes (`01 03`), or FRAMEINFO in front, in one packet (`01 04`)
//! ```
//! Source: `docs/protocol.md` §2.12.

use tutk_core::wire::Malformed;
use tutk_core::{Full, TxBuf};
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, IntoBytes};

use crate::generation::OLD_VERSION;
use crate::message::{
    IoctlPart, Joined, Login, LoginReply, MediaPacket, Message, split, split_io_type,
};
use crate::wire::{FRAGMENT, Head16};
use crate::{FrameInfo, Stream};

/// First two bytes of a message, as a little-endian number.
mod kind {
    pub(super) const TIME_EMPTY: u16 = 0x0700;
    pub(super) const TIME: u16 = 0x0800;
    pub(super) const NEGOTIATE: u16 = 0x1200;
    pub(super) const NEGOTIATED: u16 = 0x1300;
    pub(super) const LOGIN_REPLY: u16 = 0x1400;
    pub(super) const IOCTL: u16 = 0x7000;
    pub(super) const IOCTL_ACK: u16 = 0x7100;
    pub(super) const CHUNK: u16 = 0x0301;
    pub(super) const WHOLE: u16 = 0x0401;
    pub(super) const TIME_REPLY: u16 = 0x0901;
    pub(super) const TIME_EMPTY_REPLY: u16 = 0x0a01;
}

/// Last bytes of a login, which its answer repeats.
pub(crate) type Trailer = [u8; 32];

/// FRAMEINFO that we send.
pub(crate) const INFO_LEN: usize = FrameInfo::PLAIN;
/// In front of the FRAMEINFO of talk: "ODUA" and the length of what follows.
const TALK_MARK: [u8; 8] = *b"ODUA\x20\0\0\0";
/// What 0x0012 says in the one capture, and 0x0013 says again.
const TERMS: [u8; 12] = [2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0];

/// One message. `MediaPacket::frame` has 16 bits only and begins at 0.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message16<'p> {
    Login(Login<'p>, Trailer),
    LoginReply(LoginReply),
    /// With the answer that is owed.
    Ioctl(IoctlPart<'p>, Answer),
    Media(MediaPacket<'p>),
    /// What it means is not known, but what is answered to it.
    Ask(Answer),
    /// An answer of the peer's.
    Answer,
    Unknown(u16),
}

/// What is to be sent in answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 0x7100: version and sequence, serial of the IOCTRL.
    Ioctl([u8; 4], [u8; 4]),
    /// 0x0013: the terms of 0x0012.
    Negotiated([u8; 12]),
    /// `01 09`: the time of 0x0008.
    Time([u8; 12]),
    /// `01 0a`.
    TimeEmpty,
    /// 0x0012, which asks for 0x0013: the side that is logged in to sends it behind its answer.
    Negotiate,
}

impl Answer {
    pub(crate) fn write(self, tx: &mut TxBuf<'_>) -> Result<(), Full> {
        let (code, size) = match self {
            Self::Ioctl(..) => (kind::IOCTL_ACK, 24),
            Self::Negotiated(_) => (kind::NEGOTIATED, 44),
            Self::Negotiate => (kind::NEGOTIATE, 36),
            Self::Time(_) => (kind::TIME_REPLY, 32),
            Self::TimeEmpty => (kind::TIME_EMPTY_REPLY, 28),
        };
        let bytes = tx.grow(size)?;
        bytes.fill(0);
        let (head, rest) = Head16::mut_from_prefix(bytes).map_err(|_| Full)?;
        head.kind = U16::new(code);
        head.version = U16::new(OLD_VERSION);
        match self {
            Self::Ioctl([v0, v1, s0, s1], serial) => {
                head.version = U16::from_bytes([v0, v1]);
                head.seq = U16::from_bytes([s0, s1]);
                head.serial = U32::from_bytes(serial);
            }
            Self::Negotiated(terms) => fill(head, rest, 20, &terms),
            Self::Negotiate => fill(head, rest, 12, &TERMS),
            Self::Time([a, b, c, d, time @ ..]) => {
                head.serial = U32::from_bytes([a, b, c, d]);
                copy(rest, &time);
            }
            Self::TimeEmpty => head.serial = U32::new(1),
        }
        Ok(())
    }
}

fn fill(head: &mut Head16, rest: &mut [u8], size: u16, terms: &[u8]) {
    head.size = U16::new(size);
    copy(rest, terms);
}

fn copy(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

/// Reads one message. Bytes behind it are ignored.
pub(crate) fn parse(bytes: &[u8]) -> Result<Message16<'_>, Malformed> {
    let (head, rest) = split::<Head16>(bytes)?;
    let twelve = |at: usize| {
        let found = bytes.get(at..).and_then(<[u8]>::first_chunk::<12>);
        found.copied().ok_or(Malformed::Truncated)
    };
    match head.kind.get() {
        kind::LOGIN_REPLY => Ok(Message16::LoginReply(LoginReply {
            serial: head.serial.get(),
            enable: false,
            // It does not tell.
            two_way: false,
        })),
        kind::IOCTL => parse_ioctl(head, rest),
        kind::CHUNK => parse_chunk(head, rest).map(Message16::Media),
        kind::WHOLE => parse_whole(head, rest).map(Message16::Media),
        kind::NEGOTIATE => Ok(Message16::Ask(Answer::Negotiated(twelve(24)?))),
        kind::TIME => Ok(Message16::Ask(Answer::Time(twelve(20)?))),
        kind::TIME_EMPTY => Ok(Message16::Ask(Answer::TimeEmpty)),
        kind::NEGOTIATED | kind::IOCTL_ACK | kind::TIME_REPLY | kind::TIME_EMPTY_REPLY => {
            Ok(Message16::Answer)
        }
        // The login and one of its answers are those of the later generations.
        other => Ok(match Message::parse(bytes)? {
            Message::Login(login) => {
                let trailer = bytes.last_chunk().ok_or(Malformed::Truncated)?;
                Message16::Login(login, *trailer)
            }
            Message::LoginReply(reply) => Message16::LoginReply(reply),
            _ => Message16::Unknown(other),
        }),
    }
}

fn parse_ioctl<'p>(head: &Head16, rest: &'p [u8]) -> Result<Message16<'p>, Malformed> {
    let body = rest
        .get(..head.size.get().into())
        .ok_or(Malformed::BadLength)?;
    split_io_type(body).ok_or(Malformed::Truncated)?;
    let seq = head.seq.get();
    // Counted from 1.
    let counter = seq.wrapping_sub(1);
    let part = IoctlPart {
        seq,
        counter,
        message: counter,
        index: 0,
        total: 1,
        stats: None,
        body,
    };
    let ([v0, v1], [s0, s1]) = (head.version.to_bytes(), head.seq.to_bytes());
    let answer = Answer::Ioctl([v0, v1, s0, s1], head.serial.to_bytes());
    Ok(Message16::Ioctl(part, answer))
}

/// `01 03`.
fn parse_chunk<'p>(head: &Head16, rest: &'p [u8]) -> Result<MediaPacket<'p>, Malformed> {
    let (data_len, info_len) = (head.total.get(), head.info_len.get());
    let here: usize = head.size.get().into();
    let bytes = rest.get(..here).ok_or(Malformed::BadLength)?;
    let whole = data_len
        .checked_add(info_len.into())
        .ok_or(Malformed::BadLength)?;
    let fragment = FRAGMENT as u32;
    let total = u16::try_from(whole.div_ceil(fragment)).map_err(|_| Malformed::BadLength)?;
    let index = head.chunk.get();
    if index >= total {
        return Err(Malformed::BadValue);
    }
    let last = index + 1 == total;
    let expected = if last {
        whole - u32::from(index) * fragment
    } else {
        fragment
    };
    if u32::try_from(here) != Ok(expected) {
        return Err(Malformed::BadLength);
    }
    if total == 1 {
        let (data, info) = bytes
            .split_at_checked(data_len as usize)
            .ok_or(Malformed::BadLength)?;
        let info = info.strip_prefix(TALK_MARK.as_slice()).unwrap_or(info);
        return Ok(whole_frame(head, data, FrameInfo::parse(info)?));
    }
    if !(FrameInfo::TALK..=FrameInfo::MAX).contains(&info_len.into()) {
        return Err(Malformed::BadLength);
    }
    Ok(MediaPacket {
        // Nothing but FRAMEINFO tells, and that comes last. Audio fits into one packet.
        stream: Stream::Video,
        index,
        total,
        last,
        payload: bytes,
        info: None,
        joined: Some(Joined {
            data: data_len,
            info: info_len,
        }),
        ..numbered(head)
    })
}

/// `01 04`.
fn parse_whole<'p>(head: &Head16, rest: &'p [u8]) -> Result<MediaPacket<'p>, Malformed> {
    let bytes = rest
        .get(..head.size.get().into())
        .ok_or(Malformed::BadLength)?;
    let (info, data) = bytes
        .split_at_checked(head.info_len.get().into())
        .ok_or(Malformed::BadLength)?;
    if data.len() > FRAGMENT {
        return Err(Malformed::BadLength);
    }
    Ok(whole_frame(head, data, FrameInfo::parse(info)?))
}

fn whole_frame<'p>(head: &Head16, payload: &'p [u8], info: FrameInfo) -> MediaPacket<'p> {
    MediaPacket {
        stream: if info.codec.is_video() {
            Stream::Video
        } else {
            Stream::Audio
        },
        key: info.is_key(),
        payload,
        info: Some(info),
        ..numbered(head)
    }
}

fn numbered(head: &Head16) -> MediaPacket<'static> {
    MediaPacket {
        stream: Stream::Video,
        key: false,
        resent: false,
        counter: 0,
        frame: head.seq.get().into(),
        previous: 0,
        index: 0,
        total: 1,
        last: true,
        payload: &[],
        info: None,
        joined: None,
        stats: None,
        fec: None,
        protected: &[],
    }
}

/// Writes the answer to the login with `serial` and `trailer`.
pub(crate) fn write_login_reply(
    serial: u32,
    trailer: &Trailer,
    tx: &mut TxBuf<'_>,
) -> Result<(), Full> {
    let head = Head16 {
        kind: U16::new(kind::LOGIN_REPLY),
        size: U16::new(trailer.len() as u16),
        serial: U32::new(serial),
        ..Head16::new()
    };
    put(&[head.as_bytes(), trailer], tx)
}

/// Writes the IOCTRL with `counter`.
pub(crate) fn write_ioctl(
    counter: u16,
    io_type: u32,
    payload: &[u8],
    tx: &mut TxBuf<'_>,
) -> Result<(), Full> {
    let seq = counter.wrapping_add(1);
    let head = Head16 {
        kind: U16::new(kind::IOCTL),
        seq: U16::new(seq),
        size: U16::new(u16::try_from(payload.len() + 4).map_err(|_| Full)?),
        // Any number of the sender's that its acknowledgement repeats.
        serial: U32::new(seq.into()),
        ..Head16::new()
    };
    put(&[head.as_bytes(), &io_type.to_le_bytes(), payload], tx)
}

/// Writes packet `index` of the frame with `number`, from 0; `false` when it has no such packet.
pub(crate) fn write_chunk(
    number: u16,
    index: u16,
    data: &[u8],
    info: &[u8; INFO_LEN],
    tx: &mut TxBuf<'_>,
) -> Result<bool, Full> {
    let whole = data.len() + info.len();
    let from = usize::from(index) * FRAGMENT;
    let to = (from + FRAGMENT).min(whole);
    if from >= to {
        return Ok(false);
    }
    let split = data.len();
    let part = data.get(from..to.min(split)).unwrap_or_default();
    let behind = info.get(from.saturating_sub(split)..to.saturating_sub(split));
    let head = Head16 {
        kind: U16::new(kind::CHUNK),
        seq: U16::new(number),
        total: U32::new(u32::try_from(split).map_err(|_| Full)?),
        chunk: U16::new(index),
        info_len: U16::new(INFO_LEN as u16),
        size: U16::new((to - from) as u16),
        serial: U32::new(1),
        ..Head16::new()
    };
    put(&[head.as_bytes(), part, behind.unwrap_or_default()], tx)?;
    Ok(true)
}

/// Writes the frame with `number` in one packet.
pub(crate) fn write_whole(
    number: u16,
    data: &[u8],
    info: &[u8; INFO_LEN],
    tx: &mut TxBuf<'_>,
) -> Result<(), Full> {
    let len = u16::try_from(data.len()).map_err(|_| Full)?;
    let head = Head16 {
        kind: U16::new(kind::WHOLE),
        seq: U16::new(number),
        total: U32::new(len.into()),
        info_len: U16::new(INFO_LEN as u16),
        size: U16::new(len.checked_add(INFO_LEN as u16).ok_or(Full)?),
        serial: U32::new(1),
        ..Head16::new()
    };
    put(&[head.as_bytes(), info, data], tx)
}

/// Writes a frame of talk with `number`, from 0.
pub(crate) fn write_talk(
    number: u16,
    data: &[u8],
    info: &[u8; INFO_LEN],
    tx: &mut TxBuf<'_>,
) -> Result<(), Full> {
    let behind = (TALK_MARK.len() + INFO_LEN) as u16;
    // One packet must hold it all: the marker is not looked for across two.
    if data.len() + usize::from(behind) > FRAGMENT {
        return Err(Full);
    }
    let len = data.len() as u16;
    let head = Head16 {
        kind: U16::new(kind::CHUNK),
        seq: U16::new(number),
        total: U32::new(len.into()),
        info_len: U16::new(behind),
        size: U16::new(len + behind),
        serial: U32::new(1),
        ..Head16::new()
    };
    put(&[head.as_bytes(), data, &TALK_MARK, info], tx)
}

impl Head16 {
    fn new() -> Self {
        Self {
            version: U16::new(OLD_VERSION),
            ..zerocopy::transmute!([0u8; size_of::<Self>()])
        }
    }
}

/// Writes all parts, or nothing.
fn put(parts: &[&[u8]], tx: &mut TxBuf<'_>) -> Result<(), Full> {
    if parts.iter().map(|part| part.len()).sum::<usize>() > tx.room() {
        return Err(Full);
    }
    parts.iter().try_for_each(|part| tx.append(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_written_whole_or_not_at_all() {
        type Write = fn(&mut TxBuf<'_>) -> Result<(), Full>;
        let all: [(Write, usize); 5] = [
            (|tx| write_ioctl(0, 1, &[7; 50], tx), 24 + 4 + 50),
            (
                |tx| write_whole(0, &[7; 50], &[0; INFO_LEN], tx),
                24 + 32 + 50,
            ),
            (
                |tx| write_talk(0, &[7; 50], &[0; INFO_LEN], tx),
                24 + 50 + 8 + 32,
            ),
            (|tx| write_login_reply(0, &[0; 32], tx), 24 + 32),
            (
                |tx| {
                    write_chunk(0, 1, &[7; 1500], &[0; INFO_LEN], tx)
                        .map(|written| assert!(written))
                },
                24 + 1500 - 1024 + 32,
            ),
        ];
        for (write, needed) in all {
            let mut memory = [0; 200 + FRAGMENT];
            let mut tx = TxBuf::new(&mut memory[..needed]);
            assert_eq!(write(&mut tx), Ok(()));
            assert_eq!(tx.len(), needed);
            let mut tx = TxBuf::new(&mut memory[..needed - 1]);
            assert_eq!(write(&mut tx), Err(Full));
            assert!(tx.is_empty());
        }
    }

    #[test]
    fn headers_say_what_follows() {
        let mut memory = [0; 200];
        // Sequence, bytes of the frame, bytes of FRAMEINFO, bytes here; serial.
        let mut tx = TxBuf::new(&mut memory);
        write_whole(0x1234, &[7; 50], &[0; INFO_LEN], &mut tx).unwrap();
        let whole = "01040b003412000032000000000020005200000001000000";
        assert_eq!(hex::encode(&tx.payload()[..24]), whole);
        let mut tx = TxBuf::new(&mut memory);
        write_talk(0x1234, &[7; 50], &[0; INFO_LEN], &mut tx).unwrap();
        let talk = "01030b003412000032000000000028005a00000001000000";
        assert_eq!(hex::encode(&tx.payload()[..24]), talk);
    }

    #[test]
    fn a_frame_in_one_packet_has_at_most_1024_bytes() {
        for (len, taken) in [(FRAGMENT, true), (FRAGMENT + 1, false)] {
            let (data, mut memory) = (vec![7; len], [0; 2 * FRAGMENT]);
            let info = FrameInfo::video(crate::Codec::H264, 20, 0).to_bytes32();
            let mut tx = TxBuf::new(&mut memory);
            write_whole(0, &data, &info, &mut tx).unwrap();
            let read = match parse(tx.payload()) {
                Ok(Message16::Media(packet)) => Ok(packet.payload.len()),
                other => Err(other),
            };
            assert_eq!(read, taken.then_some(len).ok_or(Err(Malformed::BadLength)));
        }
    }

    #[test]
    fn an_answer_of_the_later_generations_is_one_too() {
        let mut memory = [0; 200];
        let mut tx = TxBuf::new(&mut memory);
        crate::login::write_reply(77, true, true, &mut tx).unwrap();
        let Ok(Message16::LoginReply(reply)) = parse(tx.payload()) else {
            panic!()
        };
        assert_eq!((reply.serial, reply.two_way), (77, true));
    }
}
