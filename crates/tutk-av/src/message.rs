//! One AV message: what one DTLS record (or, without DTLS, one IOTC payload) holds.
//!
//! ```text
//! outer  8 B   type, flags, version, sequence number
//! [fec   8 B   when type is 0x0c]
//! [ext   8 B   when flag bit 3 is set: a statistics request]
//! inner 20 B   type, last, counter, packets in frame, index or FRAMEINFO length, payload length, previous, current
//! payload
//! ```
//! for media and IOCTRL; login, ACK and statistics have fixed layouts instead. Source: `docs/protocol.md` §2.5 to §2.8.

use core::fmt;

use tutk_core::wire::Malformed;
use zerocopy::FromBytes;
use zerocopy::little_endian::U16;

use crate::FrameInfo;
use crate::redact::Len;
use crate::wire::{
    AckHead, ExtBlock, FLAG_EXT, FLAG_LAST, FRAGMENT, FecBlock, Inner, LoginBody, LoginReplyBody,
    Outer, StatsReplyBody, WRAPPED, kind,
};

/// Type byte of the IOCTRL inner header's second half: with type 0 in front it reads `00 70`.
const IOCTL_SUB: u8 = 0x70;

/// Which of the two media streams of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Stream {
    /// Channel bytes 5 (key frames) and 7 (others).
    Video,
    /// Channel byte 3.
    Audio,
}

/// One AV message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'p> {
    /// The initiating side introduces itself, in two packets.
    Login(Login<'p>),
    /// The answer to them.
    LoginReply(LoginReply),
    /// What the peer has received.
    Ack(Ack<'p>),
    /// The peer asks for its clock to be echoed.
    StatsRequest(StatsBlock),
    /// Our clock, echoed.
    StatsReply {
        /// The clock of our request, in milliseconds.
        clock: u16,
    },
    /// One packet of an IOCTRL.
    Ioctl(IoctlPart<'p>),
    /// One packet of a video or audio frame.
    Media(MediaPacket<'p>),
    /// XOR of the packets of a FEC group.
    Parity(Parity<'p>),
    /// A channel message (type 0x1000), to be acknowledged; its contents are not understood.
    Channel,
    /// A message type that nobody has described.
    Unknown(u16),
}

/// One of the two login packets. Layout: `docs/protocol.md` §2.7.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Login<'p> {
    /// Whether this is the second packet of the pair.
    pub second: bool,
    /// Chosen by the sender; the second packet's is one higher.
    pub serial: u32,
    /// Account name, up to the first zero byte.
    pub user: &'p [u8],
    /// Password, up to the first zero byte.
    pub password: &'p [u8],
    /// Whether the sender wants lossless mode.
    pub resend: bool,
}

impl core::fmt::Debug for Login<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Login")
            .field("second", &self.second)
            .field("resend", &self.resend)
            .finish_non_exhaustive()
    }
}

/// The answer to a login. Layout: `docs/protocol.md` §2.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginReply {
    /// Serial of the login packet that is answered.
    pub serial: u32,
    /// Lossless mode is granted; cameras also say so to those who did not ask.
    pub enable: bool,
    /// The peer can play audio.
    pub two_way: bool,
}

/// What the peer has received. Layout: `docs/protocol.md` §2.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack<'p> {
    /// Sequence number of the peer's reliable messages.
    pub seq: u16,
    /// The `highest` of its ACK before, or the edge up to which nothing is missing. 0xffff before any media.
    pub from: u16,
    /// Highest media counter it has seen. 0xffff before any media.
    pub highest: u16,
    /// Highest IOCTRL counter up to which it has all of ours.
    pub ioctl: u16,
    /// 1, 2, 3 …
    pub ordinal: u16,
    missing: &'p [U16],
}

impl Ack<'_> {
    /// Media counters that the peer asks for again.
    pub fn missing(&self) -> impl Iterator<Item = u16> + '_ {
        self.missing
            .iter()
            .map(|offset| self.from.wrapping_add(offset.get()))
    }
}

/// A statistics request, as a message of its own or as the extension block of another (`docs/protocol.md` §2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StatsBlock {
    /// The sender's millisecond clock; wants to be echoed.
    pub clock: u16,
    /// The sender's estimate of a good resend timeout, in milliseconds.
    pub timeout_ms: u16,
    /// The sender's high-water mark.
    pub highest: u32,
}

/// One packet of an IOCTRL, in wrapped or direct form (`docs/protocol.md` §2.5).
///
/// `Debug` tells how many bytes there are, and none of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IoctlPart<'p> {
    /// Sequence number of the peer's reliable messages.
    pub seq: u16,
    /// IOCTRL counter of this packet: what an ACK counts.
    pub counter: u16,
    /// Number of the message that this packet belongs to.
    pub message: u16,
    /// Which packet of the message, from 0.
    pub index: u16,
    /// Packets in the message, at least 1.
    pub total: u16,
    /// A statistics request that rides along.
    pub stats: Option<StatsBlock>,
    /// A part of: IO type (u32), then the message's payload.
    pub body: &'p [u8],
}

impl fmt::Debug for IoctlPart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IoctlPart")
            .field("seq", &self.seq)
            .field("counter", &self.counter)
            .field("message", &self.message)
            .field("index", &self.index)
            .field("total", &self.total)
            .field("body", &Len(self.body))
            .finish_non_exhaustive()
    }
}

impl<'p> IoctlPart<'p> {
    /// IO type and payload, when this one packet is all of the message and long enough to hold an IO type.
    pub fn whole(&self) -> Option<(u32, &'p [u8])> {
        (self.total == 1).then(|| split_io_type(self.body))?
    }
}

/// Splits the IO type off the front of an IOCTRL.
pub(crate) fn split_io_type(body: &[u8]) -> Option<(u32, &[u8])> {
    let (io_type, payload) = body.split_first_chunk()?;
    Some((u32::from_le_bytes(*io_type), payload))
}

/// Place of a packet in its FEC group (`docs/protocol.md` §2.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FecPlace {
    /// Number of the group.
    pub group: u16,
    /// Which packet of the group; its [`size`](Self::size) for the parity packet.
    pub index: u8,
    /// Data packets in the group.
    pub size: u8,
}

/// What the packets of a frame hold together, in Session16 (`docs/protocol.md` §2.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Joined {
    /// Bytes of the frame.
    pub data: u32,
    /// Bytes of FRAMEINFO behind it, 16 to 64.
    pub info: u16,
}

/// One packet of a video or audio frame. Layout: `docs/protocol.md` §2.8.
///
/// `Debug` tells how many bytes there are, and none of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MediaPacket<'p> {
    /// Video or audio.
    pub stream: Stream,
    /// Part of a key frame (video only).
    pub key: bool,
    /// A copy, sent because we asked for it.
    pub resent: bool,
    /// Media counter, shared by audio and video; wraps.
    pub counter: u16,
    /// Number of the frame in its stream; wraps.
    pub frame: u32,
    /// Number of the frame before it.
    pub previous: u32,
    /// Which packet of the frame, from 0.
    pub index: u16,
    /// Packets in the frame, at least 1.
    pub total: u16,
    /// The last packet of the frame: exactly then there is an [`info`](Self::info), unless it is
    /// [`joined`](Self::joined).
    pub last: bool,
    /// Bytes of the frame, at most 1024; FRAMEINFO not included, unless it is [`joined`](Self::joined).
    pub payload: &'p [u8],
    /// What the sender says about the frame.
    pub info: Option<FrameInfo>,
    /// A statistics request that rides along.
    pub stats: Option<StatsBlock>,
    /// Session16: frame and FRAMEINFO lie behind one another in the payloads, and `info` comes to light when all are put
    /// together.
    pub joined: Option<Joined>,
    /// Place in its FEC group, in lossless mode.
    pub fec: Option<FecPlace>,
    /// What FEC protects: the 20-byte inner header and all that follows.
    pub protected: &'p [u8],
}

impl fmt::Debug for MediaPacket<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaPacket")
            .field("stream", &self.stream)
            .field("key", &self.key)
            .field("resent", &self.resent)
            .field("counter", &self.counter)
            .field("frame", &self.frame)
            .field("index", &self.index)
            .field("total", &self.total)
            .field("info", &self.info)
            .field("fec", &self.fec)
            .field("payload", &Len(self.payload))
            .finish_non_exhaustive()
    }
}

/// XOR of the packets of a FEC group (`docs/protocol.md` §2.8).
///
/// `Debug` tells how many bytes there are, and none of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Parity<'p> {
    /// The group it belongs to.
    pub fec: FecPlace,
    /// Its own media counter.
    pub counter: u16,
    /// XOR of [`MediaPacket::protected`] of the group's packets, zero-padded (inferred, see `docs/protocol.md` §2.8).
    pub bytes: &'p [u8],
}

impl fmt::Debug for Parity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parity")
            .field("fec", &self.fec)
            .field("counter", &self.counter)
            .field("bytes", &Len(self.bytes))
            .finish_non_exhaustive()
    }
}

impl<'p> Message<'p> {
    /// Reads one message. Bytes behind it are ignored.
    ///
    /// # Errors
    /// [`Malformed`]: truncated, a payload or FRAMEINFO length that contradicts the message, a packet index outside of
    /// its frame. A type that is not known is no error but [`Message::Unknown`].
    pub fn parse(bytes: &'p [u8]) -> Result<Self, Malformed> {
        let (outer, rest) = split::<Outer>(bytes)?;
        let code = u16::from_le_bytes([outer.kind, outer.flags]);
        match (code, outer.kind) {
            (kind::LOGIN_1 | kind::LOGIN_2, _) => Login::parse(bytes).map(Self::Login),
            (kind::LOGIN_REPLY, _) => LoginReply::parse(bytes).map(Self::LoginReply),
            (kind::ACK, _) => Ack::parse(bytes).map(Self::Ack),
            (kind::STATS_REQUEST, _) => Ok(Self::StatsRequest(split::<ExtBlock>(rest)?.0.into())),
            (kind::STATS_REPLY, _) => Ok(Self::StatsReply {
                clock: split::<StatsReplyBody>(bytes)?.0.clock.get(),
            }),
            (kind::CHANNEL, _) => Ok(Self::Channel),
            (_, WRAPPED | 3..=8) => parse_streamed(outer, rest),
            (code, _) if code & !(u16::from(FLAG_EXT) << 8) == kind::IOCTL => {
                parse_streamed(outer, rest)
            }
            _ => Ok(Self::Unknown(code)),
        }
    }
}

pub(crate) fn split<T>(bytes: &[u8]) -> Result<(&T, &[u8]), Malformed>
where
    T: FromBytes + zerocopy::KnownLayout + zerocopy::Immutable + zerocopy::Unaligned,
{
    T::ref_from_prefix(bytes).map_err(|_| Malformed::Truncated)
}

impl From<&ExtBlock> for StatsBlock {
    fn from(block: &ExtBlock) -> Self {
        Self {
            clock: block.clock.get(),
            timeout_ms: block.timeout_ms.get(),
            highest: block.highest.get(),
        }
    }
}

/// Media, IOCTRL and parity share their headers.
fn parse_streamed<'p>(outer: &Outer, rest: &'p [u8]) -> Result<Message<'p>, Malformed> {
    let (fec, rest) = if outer.kind == WRAPPED {
        let (block, rest) = split::<FecBlock>(rest)?;
        let place = FecPlace {
            group: block.group.get(),
            index: block.index,
            size: block.size,
        };
        // An IOCTRL travels in this wrapper without belonging to a group.
        ((place.size != 0).then_some(place), rest)
    } else {
        (None, rest)
    };
    let (stats, protected) = if outer.flags & FLAG_EXT != 0 {
        let (block, rest) = split::<ExtBlock>(rest)?;
        (Some(block.into()), rest)
    } else {
        (None, rest)
    };
    let (inner, payload) = split::<Inner>(protected)?;
    let payload = payload
        .get(..inner.payload_len.get().into())
        .ok_or(Malformed::BadLength)?;
    match inner.kind {
        3..=8 => {
            let protected = protected
                .get(..size_of::<Inner>() + payload.len())
                .ok_or(Malformed::BadLength)?;
            let last = (outer.flags | inner.sub) & FLAG_LAST != 0;
            let (index, payload, info) = split_info(inner, last, payload)?;
            Ok(Message::Media(MediaPacket {
                stream: if inner.kind < 5 {
                    Stream::Audio
                } else {
                    Stream::Video
                },
                key: matches!(inner.kind, 5 | 6),
                resent: matches!(inner.kind, 4 | 6 | 8),
                counter: inner.counter.get(),
                frame: inner.current.get(),
                previous: inner.previous.get(),
                index,
                total: inner.total.get(),
                last,
                payload,
                info,
                stats,
                joined: None,
                fec,
                protected,
            }))
        }
        0 if inner.sub == IOCTL_SUB => parse_ioctl(outer, inner, stats, payload),
        WRAPPED => Ok(Message::Parity(Parity {
            fec: fec.ok_or(Malformed::BadValue)?,
            counter: inner.counter.get(),
            bytes: payload,
        })),
        other => Ok(Message::Unknown(u16::from_le_bytes([other, inner.sub]))),
    }
}

/// Index, data and, of the last packet of a frame, FRAMEINFO.
#[inline]
fn split_info<'p>(
    inner: &Inner,
    last: bool,
    payload: &'p [u8],
) -> Result<(u16, &'p [u8], Option<FrameInfo>), Malformed> {
    let total = inner.total.get();
    let field = inner.index_or_info_len.get();
    let (index, payload, info) = if last {
        let data_len = payload
            .len()
            .checked_sub(field.into())
            .ok_or(Malformed::BadLength)?;
        let (data, info) = payload
            .split_at_checked(data_len)
            .ok_or(Malformed::BadLength)?;
        let index = total.checked_sub(1).ok_or(Malformed::BadValue)?;
        (index, data, Some(FrameInfo::parse(info)?))
    } else {
        // The last index belongs to the fragment with FRAMEINFO.
        if field.saturating_add(1) >= total {
            return Err(Malformed::BadValue);
        }
        (field, payload, None)
    };
    if payload.len() > FRAGMENT {
        return Err(Malformed::BadLength);
    }
    Ok((index, payload, info))
}

fn parse_ioctl<'p>(
    outer: &Outer,
    inner: &Inner,
    stats: Option<StatsBlock>,
    body: &'p [u8],
) -> Result<Message<'p>, Malformed> {
    let (index, total) = (inner.index_or_info_len.get(), inner.total.get());
    if index >= total {
        return Err(Malformed::BadValue);
    }
    // A message in one packet is nothing without its IO type.
    if total == 1 && split_io_type(body).is_none() {
        return Err(Malformed::Truncated);
    }
    Ok(Message::Ioctl(IoctlPart {
        seq: outer.seq.get(),
        counter: inner.counter.get(),
        message: inner.previous.get() as u16,
        index,
        total,
        stats,
        body,
    }))
}

/// The part of `slot` before its first zero byte.
fn until_zero(slot: &[u8]) -> &[u8] {
    slot.split(|&b| b == 0).next().unwrap_or_default()
}

impl<'p> Login<'p> {
    fn parse(bytes: &'p [u8]) -> Result<Self, Malformed> {
        let (body, _) = split::<LoginBody>(bytes)?;
        // go2rtc has password and resend one and two bytes earlier than the SDK. In the SDK's layout the last byte of
        // the user slot is always zero, so a byte there tells them apart.
        let [.., stray] = body.user;
        let (password, resend) = if stray == 0 {
            (body.password.as_slice(), body.resend.get())
        } else {
            let early = bytes.get(280..536).ok_or(Malformed::Truncated)?;
            let resend = bytes.get(536).copied().unwrap_or_default();
            (early, resend.into())
        };
        Ok(Self {
            second: body.kind.get() == kind::LOGIN_2,
            serial: body.serial.get(),
            user: until_zero(&body.user),
            password: until_zero(password),
            resend: resend != 0,
        })
    }
}

impl LoginReply {
    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        // Clients read no further than offset 31, and cameras may send less than the whole body.
        let head = bytes.get(..32).ok_or(Malformed::Truncated)?;
        let mut whole = [0; size_of::<LoginReplyBody>()];
        let (front, _) = whole.split_at_mut(32);
        front.copy_from_slice(head);
        let body: LoginReplyBody = zerocopy::transmute!(whole);
        Ok(Self {
            serial: body.serial.get(),
            enable: body.enable != 0,
            two_way: body.two_way != 0,
        })
    }
}

impl<'p> Ack<'p> {
    fn parse(bytes: &'p [u8]) -> Result<Self, Malformed> {
        let (head, rest) = split::<AckHead>(bytes)?;
        let missing = match usize::from(head.missing.get()) {
            0 => &[],
            // Two bytes of clock stand before the list.
            n => {
                let list = rest.get(2..).ok_or(Malformed::Truncated)?;
                <[U16]>::ref_from_prefix_with_elems(list, n)
                    .map_err(|_| Malformed::BadLength)?
                    .0
            }
        };
        Ok(Self {
            seq: head.seq.get(),
            from: head.from.get(),
            highest: head.highest.get(),
            ioctl: head.ioctl.get(),
            ordinal: head.ordinal.get(),
            missing,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A direct packet: type 7, the given flag byte, index field and payload.
    fn packet(flags: u8, total: u16, field: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![7, flags, 0x0c, 0, 0, 0, 0, 0];
        bytes.extend([7, flags & 1, 9, 0]);
        for v in [total, field, payload.len() as u16, 0] {
            bytes.extend(v.to_le_bytes());
        }
        bytes.extend([1, 0, 0, 0, 2, 0, 0, 0]);
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn hostile_indices_and_lengths_are_malformed() {
        let cases: [(u8, u16, u16, usize); 8] = [
            (0, 0, 0, 10), // no packet in the frame
            (0, 1, 0, 10), // a single packet without FRAMEINFO
            (0, 3, 2, 10), // the last index without FRAMEINFO
            (0, 3, 0xffff, 10),
            (0, 3, 0, 1025), // longer than a fragment
            (1, 0, 40, 60),  // no packet in the frame
            (1, 1, 40, 39),  // FRAMEINFO longer than the payload
            (1, 1, 15, 60),  // FRAMEINFO too short
        ];
        for case in cases {
            let (flags, total, field, len) = case;
            let bytes = packet(flags, total, field, &vec![0; len]);
            assert!(Message::parse(&bytes).is_err(), "{case:?}");
        }
        let mut truncated = packet(1, 1, 40, &[0; 60]);
        truncated.pop();
        assert_eq!(Message::parse(&truncated), Err(Malformed::BadLength));
    }

    #[test]
    fn only_one_kind_of_control_packet_is_an_ioctl() {
        let mut bytes = packet(0, 1, 0, &[0, 1, 0, 0]);
        (bytes[8], bytes[9]) = (0, IOCTL_SUB);
        assert!(matches!(Message::parse(&bytes), Ok(Message::Ioctl(_))));
        for other in [0, 0x71, 0xf0] {
            bytes[9] = other;
            let code = u16::from_le_bytes([0, other]);
            assert_eq!(Message::parse(&bytes), Ok(Message::Unknown(code)));
        }
    }

    #[test]
    fn only_a_message_of_several_packets_may_end_in_less_than_an_io_type() {
        let ioctl = |total: u16, index: u16, len: usize| {
            let mut bytes = packet(0, total, index, &vec![7; len]);
            (bytes[8], bytes[9]) = (0, IOCTL_SUB);
            match Message::parse(&bytes) {
                Ok(Message::Ioctl(part)) => Ok(part.body.len()),
                other => Err(other.err()),
            }
        };
        assert_eq!(ioctl(1, 0, 3), Err(Some(Malformed::Truncated)));
        assert_eq!(ioctl(1, 0, 4), Ok(4));
        assert_eq!(ioctl(2, 1, 3), Ok(3));
        assert_eq!(ioctl(2, 2, 3), Err(Some(Malformed::BadValue)));
    }

    #[test]
    fn info_length_is_what_the_field_says() {
        for info_len in [16u16, 24, 32, 40, 48] {
            let bytes = packet(1, 3, info_len, &[0; 100]);
            let Ok(Message::Media(p)) = Message::parse(&bytes) else {
                panic!("{info_len}")
            };
            assert_eq!((p.index, p.last), (2, true));
            assert_eq!(p.payload.len(), 100 - usize::from(info_len));
            assert_eq!(u16::from(p.info.unwrap().size), info_len);
        }
    }

    #[test]
    fn direct_ioctl_with_extension_starts_eight_bytes_later() {
        let mut bytes = hex::decode("00780c0001000000").unwrap();
        bytes.extend([0x34, 0x12, 0x55, 0, 7, 0, 0, 0]); // clock, timeout, high-water mark
        bytes.extend(hex::decode("0070020001000000060000000200000000000000").unwrap());
        bytes.extend([0, 1, 0, 0, b'H', b'L']);
        let Ok(Message::Ioctl(part)) = Message::parse(&bytes) else {
            panic!()
        };
        assert_eq!(part.whole(), Some((0x100, b"HL".as_slice())));
        assert_eq!((part.seq, part.counter, part.message), (1, 2, 2));
        assert_eq!(part.stats.unwrap().clock, 0x1234);
    }

    #[test]
    fn parity_packets_are_told_from_data() {
        let mut bytes = hex::decode("0c050b00e40064000a00141401000000").unwrap();
        bytes.extend(hex::decode("0c0110000100000014040000000000000000000000").unwrap());
        bytes.resize(1080, 0x5a);
        let Ok(Message::Parity(parity)) = Message::parse(&bytes) else {
            panic!()
        };
        assert_eq!((parity.fec.group, parity.fec.index), (10, 20));
        assert_eq!((parity.fec.size, parity.bytes.len()), (20, 1044));
    }

    #[test]
    fn debug_of_a_login_shows_no_credentials() {
        let login = Login {
            second: false,
            serial: 1,
            user: b"admin",
            password: b"hunter2",
            resend: false,
        };
        let shown = format!("{login:?}");
        assert!(!shown.contains("104") && !shown.contains("97"), "{shown}");
    }
}
