//! CC51 framing: clear packets that start with `51 CC` and end with an HMAC-SHA1 (§2.11).

use core::mem::{offset_of, size_of};

use tutk_core::wire::Malformed;
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::CC51_MAGIC;
use super::packet::prefix;

/// Command: search and session, both directions.
pub const SEARCH: u16 = 0x1002;
/// Command: alive, both directions.
pub const ALIVE: u16 = 0x1202;
/// Command: close. Its layout is unknown; neither written nor read.
pub const CLOSE: u16 = 0x1302;
/// Command: data, both directions.
pub const DATA: u16 = 0x1502;
/// SDK 4.3.8.0, as CC51 packets carry it.
pub const SDK_VERSION: [u8; 4] = [0x00, 0x08, 0x03, 0x04];
/// The protocol version that goes with it.
pub const PROTOCOL_VERSION: u32 = 0x1d;
/// Bytes of the HMAC-SHA1 at the end of every packet.
pub const MAC_LEN: usize = 20;
/// [`Header::direction`] of a device's search answer; everything else has 0.
pub const REPLY: u16 = 0xffff;

/// The first 12 bytes of every CC51 packet.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Header {
    /// [`CC51_MAGIC`].
    pub magic: [u8; 2],
    /// Zero.
    pub zero1: U16,
    /// [`SEARCH`], [`ALIVE`], [`DATA`].
    pub command: U16,
    /// A length: 0x28 in a search, 0x24 in an alive, 36 more than the payload in data.
    pub body_len: U16,
    /// 0xFFFF in a device's search answer, else 0.
    pub direction: U16,
    /// Zero.
    pub zero2: U16,
}

impl Header {
    const fn new(command: u16, body_len: u16, direction: u16) -> Self {
        Self {
            magic: CC51_MAGIC,
            zero1: U16::ZERO,
            command: U16::new(command),
            body_len: U16::new(body_len),
            direction: U16::new(direction),
            zero2: U16::ZERO,
        }
    }
}

/// 0x1002 without its HMAC, 32 bytes. The four steps of opening a session.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct SearchBody {
    /// Command 0x1002.
    pub header: Header,
    /// 0 search, 1 found, 2 ask for a session, 3 granted. Odd ones come from the device.
    pub step: U16,
    /// 0 in step 0, then what the device chose.
    pub ticket: [u8; 2],
    /// Session id, picked by the client.
    pub sid: [u8; 8],
    /// SDK version, last part first.
    pub sdk: [u8; 4],
    /// Protocol version.
    pub version: U32,
}

/// Header of 0x1502, 28 bytes. Payload and HMAC follow; the HMAC covers these 28 bytes only.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct DataHeader {
    /// Command 0x1502.
    pub header: Header,
    /// 0x10.
    pub marker: u8,
    /// The channel.
    pub channel: u8,
    /// The session's ticket.
    pub ticket: [u8; 2],
    /// The session's id.
    pub sid: [u8; 8],
    /// 1.
    pub one: U32,
}

/// 0x1202 without its HMAC, 28 bytes.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct AliveBody {
    /// Command 0x1202.
    pub header: Header,
    /// Zero.
    pub zero: U32,
    /// Grows by 2 with each packet of a sender.
    pub counter: U32,
    /// The session's id.
    pub sid: [u8; 8],
}

/// The session id in data or an alive.
pub(super) fn session_of(datagram: &[u8]) -> Option<[u8; 8]> {
    let header: &Header = prefix(datagram).ok()?;
    let at = match header.command.get() {
        DATA => offset_of!(DataHeader, sid),
        ALIVE => offset_of!(AliveBody, sid),
        _ => return None,
    };
    datagram.get(at..)?.first_chunk().copied()
}

/// Longest payload of a data packet, in bytes.
pub const MAX_DATA: usize = u16::MAX as usize - 36;

const _: () = {
    assert!(size_of::<Header>() == 12);
    assert!(size_of::<SearchBody>() == 32);
    assert!(offset_of!(SearchBody, ticket) == 14);
    assert!(offset_of!(SearchBody, sid) == 16);
    assert!(offset_of!(SearchBody, sdk) == 24);
    assert!(size_of::<DataHeader>() == super::DATA_HEADER_LEN);
    assert!(offset_of!(DataHeader, channel) == 13);
    assert!(offset_of!(DataHeader, sid) == 16);
    assert!(size_of::<AliveBody>() == 28);
    assert!(offset_of!(AliveBody, counter) == 16);
    assert!(offset_of!(AliveBody, sid) == 20);
};

impl SearchBody {
    /// Step `step` of opening a session.
    pub const fn new(step: u16, ticket: [u8; 2], sid: [u8; 8]) -> Self {
        let direction = if step % 2 == 1 { REPLY } else { 0 };
        Self {
            header: Header::new(SEARCH, 0x28, direction),
            step: U16::new(step),
            ticket,
            sid,
            sdk: SDK_VERSION,
            version: U32::new(PROTOCOL_VERSION),
        }
    }
}

impl DataHeader {
    /// The header of a packet with `payload_len` bytes; `None` above [`MAX_DATA`].
    pub fn new(channel: u8, ticket: [u8; 2], sid: [u8; 8], payload_len: usize) -> Option<Self> {
        let body_len = u16::try_from(payload_len.checked_add(16 + MAC_LEN)?).ok()?;
        Some(Self {
            header: Header::new(DATA, body_len, 0),
            marker: 0x10,
            channel,
            ticket,
            sid,
            one: U32::new(1),
        })
    }
}

impl AliveBody {
    /// An alive packet.
    pub const fn new(counter: u32, sid: [u8; 8]) -> Self {
        Self {
            header: Header::new(ALIVE, 0x24, 0),
            zero: U32::ZERO,
            counter: U32::new(counter),
            sid,
        }
    }
}

/// A received CC51 packet. The HMAC has not been looked at.
#[derive(Debug)]
#[non_exhaustive]
pub enum Packet<'p> {
    /// 0x1002.
    Search {
        /// All that the HMAC covers.
        body: &'p SearchBody,
        /// HMAC.
        mac: &'p [u8; MAC_LEN],
    },
    /// 0x1202.
    Alive {
        /// All that the HMAC covers.
        body: &'p AliveBody,
        /// HMAC.
        mac: &'p [u8; MAC_LEN],
    },
    /// 0x1502.
    Data {
        /// All that the HMAC covers.
        header: &'p DataHeader,
        /// What the packet carries, at least one byte.
        payload: &'p mut [u8],
        /// HMAC.
        mac: &'p [u8; MAC_LEN],
    },
    /// A command that has no meaning here.
    Unknown {
        /// The command code.
        command: u16,
    },
}

/// Reads one CC51 packet.
///
/// # Errors
/// It is no packet.
pub fn parse(packet: &mut [u8]) -> Result<Packet<'_>, Malformed> {
    let header: &Header = prefix(packet)?;
    if header.magic != CC51_MAGIC {
        return Err(Malformed::BadMagic);
    }
    let command = header.command.get();
    let body_len = usize::from(header.body_len.get());
    match command {
        SEARCH => {
            let (body, mac) = with_mac(packet)?;
            Ok(Packet::Search { body, mac })
        }
        ALIVE => {
            let (body, mac) = with_mac(packet)?;
            Ok(Packet::Alive { body, mac })
        }
        DATA => data(packet, body_len),
        _ => Ok(Packet::Unknown { command }),
    }
}

fn with_mac<T: FromBytes + KnownLayout + Immutable + Unaligned>(
    packet: &[u8],
) -> Result<(&T, &[u8; MAC_LEN]), Malformed> {
    let (body, rest) = T::ref_from_prefix(packet).map_err(|_| Malformed::Truncated)?;
    Ok((body, rest.first_chunk().ok_or(Malformed::Truncated)?))
}

fn data(packet: &mut [u8], body_len: usize) -> Result<Packet<'_>, Malformed> {
    let (header, rest) = packet
        .split_at_mut_checked(super::DATA_HEADER_LEN)
        .ok_or(Malformed::Truncated)?;
    let (payload, mac) = rest
        .split_last_chunk_mut::<MAC_LEN>()
        .ok_or(Malformed::Truncated)?;
    if payload.is_empty() {
        return Err(Malformed::Truncated);
    }
    if body_len != payload.len() + 16 + MAC_LEN {
        return Err(Malformed::BadLength);
    }
    Ok(Packet::Data {
        header: prefix(header)?,
        payload,
        mac,
    })
}
