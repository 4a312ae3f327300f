//! Packets as bytes: TransCode framing here, CC51 framing in [`cc51`].
//!
//! Every layout is a fixed, little-endian struct; [`Packet`] is the typed view of received bytes. Nothing here is
//! scrambled: [`open`] undoes TransCode where it applies, a sender calls [`tutk_transcode::encode`] last.
//!
//! Source: `docs/protocol.md` §2.2 to §2.4, §2.11.

#[cfg(feature = "cc51")]
pub mod cc51;
mod packet;

use core::mem::{offset_of, size_of};

pub use packet::{Packet, open, parse, session_of};
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// First two bytes of every TransCode packet, once unscrambled.
pub const MAGIC: [u8; 2] = [0x04, 0x02];
/// First two bytes of every CC51 packet.
pub const CC51_MAGIC: [u8; 2] = [0x51, 0xcc];
/// The protocol version that apps write into byte 2.
pub const VERSION: u8 = 0x1a;
/// From this version on, a device may speak DTLS; below it speaks Session16 (§2.12).
pub const VERSION_SESSION25: u8 = 0x19;
/// SDK 4.2.1.1, as TransCode packets carry it.
pub const SDK_VERSION: [u8; 4] = [0x01, 0x01, 0x02, 0x04];

/// Mode byte of the connect stage.
pub const MODE_CONNECT: u8 = 0x02;
/// Mode byte of a connected session; the whole packet is scrambled.
pub const MODE_PLAIN: u8 = 0x0a;
/// Mode byte of a packet whose payload is encrypted by itself; only its first 64 bytes are scrambled.
pub const MODE_SECURE: u8 = 0x0b;

/// Command and flag codes of [`Header`].
pub mod code {
    /// Flags: client to device.
    pub const TO_DEVICE: u16 = 0x0021;
    /// Flags: device to client.
    pub const TO_CLIENT: u16 = 0x0012;
    /// Flags: peer to peer.
    pub const PEERS: u16 = 0x0033;
    /// Search the LAN for a UID.
    pub const SEARCH: u16 = 0x0601;
    /// Answer to a search.
    pub const SEARCH_REPLY: u16 = 0x0602;
    /// Ask for a session.
    pub const SESSION: u16 = 0x0402;
    /// Grant a session.
    pub const SESSION_REPLY: u16 = 0x0404;
    /// Data, client to device.
    pub const DATA_TO_DEVICE: u16 = 0x0407;
    /// Data, device to client.
    pub const DATA_TO_CLIENT: u16 = 0x0408;
    /// Close, client to device.
    pub const CLOSE_TO_DEVICE: u16 = 0x0417;
    /// Close, device to client (direction inferred from symmetry).
    pub const CLOSE_TO_CLIENT: u16 = 0x0418;
    /// Alive, client to device.
    pub const ALIVE_TO_DEVICE: u16 = 0x0427;
    /// Alive, device to client.
    pub const ALIVE_TO_CLIENT: u16 = 0x0428;
}

/// Which way a packet travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Direction {
    /// From a client (an app).
    ToDevice,
    /// From a device (a camera).
    ToClient,
}

/// The first 16 bytes of every TransCode packet (§2.2).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: [u8; 2],
    /// The sender's protocol version.
    pub version: u8,
    /// [`MODE_CONNECT`], [`MODE_PLAIN`] or [`MODE_SECURE`]. Bit 0 selects the partial TransCode rule.
    pub mode: u8,
    /// Bytes after this header.
    pub body_len: U16,
    /// Counts data packets, wrapping; 0 in others.
    pub sequence: U16,
    /// One of [`code`].
    pub command: U16,
    /// Direction, one of [`code`].
    pub flags: U16,
    /// Data packets: the first two bytes of the session id.
    pub session: [u8; 2],
    /// Data packets: the channel.
    pub channel: u8,
    /// Data packets: 1 when the payload is encrypted by itself.
    pub marker: u8,
}

/// Bytes of [`Header`].
pub const HEADER_LEN: usize = 16;

const _: () = {
    assert!(size_of::<Header>() == HEADER_LEN);
    assert!(offset_of!(Header, body_len) == 4);
    assert!(offset_of!(Header, command) == 8);
    assert!(offset_of!(Header, session) == 12);
};

impl Header {
    /// A header of a control packet of `total` bytes.
    const fn control(mode: u8, command: u16, flags: u16, total: usize) -> Self {
        Self {
            magic: MAGIC,
            version: VERSION,
            mode,
            body_len: U16::new((total - HEADER_LEN) as u16),
            sequence: U16::ZERO,
            command: U16::new(command),
            flags: U16::new(flags),
            session: [0; 2],
            channel: 0,
            marker: 0,
        }
    }
}

/// LAN search 0x0601, 88 bytes (§2.3).
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Search {
    /// The part old clients send too.
    pub head: SearchHead,
    /// Zero.
    pub zero1: [u8; 6],
    /// The AuthKey in a search; zero in a confirmation.
    pub auth_key: [u8; 8],
    /// Zero.
    pub zero2: [u8; 6],
}

/// The first 68 bytes of [`Search`], all that SDK 3.3 sends.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct SearchHead {
    /// Command 0x0601.
    pub header: Header,
    /// Whom to find.
    pub uid: [u8; 20],
    /// Zero.
    pub zero1: [u8; 16],
    /// The client's SDK version, last part first.
    pub sdk: [u8; 4],
    /// Session id, picked by the client.
    pub sid: [u8; 8],
    /// [`STAGE_SEARCH`] or [`STAGE_CONFIRM`].
    pub stage: u8,
    /// Zero.
    pub zero2: [u8; 3],
}

/// [`SearchHead::stage`]: looking for the device.
pub const STAGE_SEARCH: u8 = 1;
/// [`SearchHead::stage`]: found it, and mean to connect. Expects no answer.
pub const STAGE_CONFIRM: u8 = 2;

/// Search response 0x0602, 200 bytes (§2.3).
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct SearchReply {
    /// Command 0x0602.
    pub header: Header,
    /// Who answers.
    pub uid: [u8; 20],
    /// Unknown, written as zero.
    pub unknown1: [u8; 148],
    /// The device's SDK version, last part first.
    pub sdk: [u8; 4],
    /// The session id of the search.
    pub sid: [u8; 8],
    /// Unknown, written as zero.
    pub unknown2: [u8; 4],
}

/// Session request 0x0402 and response 0x0404, 52 bytes (§2.3).
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Session {
    /// Command 0x0402 or 0x0404.
    pub header: Header,
    /// The device.
    pub uid: [u8; 20],
    /// Session id.
    pub sid: [u8; 8],
    /// Zero.
    pub zero: [u8; 4],
    /// SDK version, last part first.
    pub sdk: [u8; 4],
}

/// Alive 0x0427/0x0428 and close 0x0417/0x0418, 24 bytes (§2.4).
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Control {
    /// One of the four commands.
    pub header: Header,
    /// The session id; old firmware puts something else into an alive. An answer repeats what came.
    pub token: [u8; 8],
}

/// Header of data 0x0407/0x0408, 28 bytes; the payload follows (§2.4).
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct DataHeader {
    /// Command 0x0407 or 0x0408.
    pub header: Header,
    /// 12.
    pub sub_len: U32,
    /// Session id.
    pub sid: [u8; 8],
}

/// Bytes of [`DataHeader`].
pub const DATA_HEADER_LEN: usize = 28;
/// Longest payload of a data packet, in bytes.
pub const MAX_DATA: usize = u16::MAX as usize - (DATA_HEADER_LEN - HEADER_LEN);

const _: () = {
    assert!(size_of::<Search>() == 88);
    assert!(size_of::<SearchHead>() == 68);
    assert!(offset_of!(SearchHead, sdk) == 52);
    assert!(offset_of!(SearchHead, sid) == 56);
    assert!(offset_of!(SearchHead, stage) == 64);
    assert!(offset_of!(Search, auth_key) == 74);
    assert!(size_of::<SearchReply>() == 200);
    assert!(offset_of!(SearchReply, sdk) == 184);
    assert!(offset_of!(SearchReply, sid) == 188);
    assert!(size_of::<Session>() == 52);
    assert!(offset_of!(Session, sid) == 36);
    assert!(offset_of!(Session, sdk) == 48);
    assert!(size_of::<Control>() == 24);
    assert!(size_of::<DataHeader>() == DATA_HEADER_LEN);
    assert!(offset_of!(DataHeader, sid) == 20);
};

impl Search {
    /// A search (with the AuthKey) or a confirmation (without).
    pub const fn new(uid: [u8; 20], sid: [u8; 8], stage: u8, auth_key: [u8; 8]) -> Self {
        Self {
            head: SearchHead {
                header: Header::control(
                    MODE_CONNECT,
                    code::SEARCH,
                    code::TO_DEVICE,
                    size_of::<Self>(),
                ),
                uid,
                zero1: [0; 16],
                sdk: SDK_VERSION,
                sid,
                stage,
                zero2: [0; 3],
            },
            zero1: [0; 6],
            auth_key,
            zero2: [0; 6],
        }
    }
}

impl SearchReply {
    /// The answer of device `uid` to the search with `sid`.
    pub const fn new(uid: [u8; 20], sid: [u8; 8]) -> Self {
        Self {
            header: Header::control(
                MODE_CONNECT,
                code::SEARCH_REPLY,
                code::TO_CLIENT,
                size_of::<Self>(),
            ),
            uid,
            unknown1: [0; 148],
            sdk: SDK_VERSION,
            sid,
            unknown2: [0; 4],
        }
    }
}

impl Session {
    /// 0x0402 (a client's) or 0x0404 (a device's).
    pub const fn new(sender: Direction, uid: [u8; 20], sid: [u8; 8]) -> Self {
        let command = match sender {
            Direction::ToDevice => code::SESSION,
            Direction::ToClient => code::SESSION_REPLY,
        };
        Self {
            header: Header::control(MODE_CONNECT, command, code::PEERS, size_of::<Self>()),
            uid,
            sid,
            zero: [0; 4],
            sdk: SDK_VERSION,
        }
    }
}

impl Control {
    /// An alive.
    pub const fn alive(direction: Direction, token: [u8; 8]) -> Self {
        let (command, flags) = match direction {
            Direction::ToDevice => (code::ALIVE_TO_DEVICE, code::TO_DEVICE),
            Direction::ToClient => (code::ALIVE_TO_CLIENT, code::TO_CLIENT),
        };
        Self::new(command, flags, token)
    }

    /// A close.
    pub const fn close(direction: Direction, sid: [u8; 8]) -> Self {
        let (command, flags) = match direction {
            Direction::ToDevice => (code::CLOSE_TO_DEVICE, code::TO_DEVICE),
            Direction::ToClient => (code::CLOSE_TO_CLIENT, code::TO_CLIENT),
        };
        Self::new(command, flags, sid)
    }

    const fn new(command: u16, flags: u16, token: [u8; 8]) -> Self {
        Self {
            header: Header::control(MODE_PLAIN, command, flags, size_of::<Self>()),
            token,
        }
    }
}

impl DataHeader {
    /// The header of a packet with `payload_len` bytes; `None` above [`MAX_DATA`]. `secure` tells that the payload is
    /// encrypted by itself (DTLS).
    pub fn new(
        direction: Direction,
        secure: bool,
        sequence: u16,
        channel: u8,
        sid: [u8; 8],
        payload_len: usize,
    ) -> Option<Self> {
        let (command, flags) = match direction {
            Direction::ToDevice => (code::DATA_TO_DEVICE, code::TO_DEVICE),
            Direction::ToClient => (code::DATA_TO_CLIENT, code::TO_CLIENT),
        };
        let body_len = payload_len.checked_add(DATA_HEADER_LEN - HEADER_LEN)?;
        let [s0, s1, ..] = sid;
        Some(Self {
            header: Header {
                magic: MAGIC,
                version: VERSION,
                mode: if secure { MODE_SECURE } else { MODE_PLAIN },
                body_len: U16::new(u16::try_from(body_len).ok()?),
                sequence: U16::new(sequence),
                command: U16::new(command),
                flags: U16::new(flags),
                session: [s0, s1],
                channel,
                marker: u8::from(secure),
            },
            sub_len: U32::new(12),
            sid,
        })
    }
}
