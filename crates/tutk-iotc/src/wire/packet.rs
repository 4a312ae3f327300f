//! Typed view of received bytes.

use core::mem::offset_of;

use tutk_core::wire::Malformed;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

#[cfg(feature = "cc51")]
use super::cc51;
use super::{
    CC51_MAGIC, Control, DATA_HEADER_LEN, DataHeader, Direction, Header, MAGIC, SearchHead,
    SearchReply, Session, code,
};

/// A received packet, unscrambled and checked for magic, length and known command; nothing in it is believed yet.
///
/// `Debug` shows it whole, UID and AuthKey included: it is for dissectors, not for logs.
#[derive(Debug)]
#[non_exhaustive]
pub enum Packet<'p> {
    /// 0x0601.
    Search(&'p SearchHead),
    /// 0x0602.
    SearchReply {
        /// The protocol version of who answers.
        version: u8,
        /// Who answers.
        uid: &'p [u8; 20],
        /// The session id of the search; shorter answers carry none.
        sid: Option<&'p [u8; 8]>,
    },
    /// 0x0402.
    Session(&'p Session),
    /// 0x0404.
    SessionReply(&'p Session),
    /// 0x0427, 0x0428.
    Alive {
        /// Which of the two.
        direction: Direction,
        /// To be repeated in the answer.
        token: &'p [u8; 8],
    },
    /// 0x0417, 0x0418.
    Close {
        /// Which of the two.
        direction: Direction,
        /// Session id.
        sid: &'p [u8; 8],
    },
    /// 0x0407, 0x0408.
    Data {
        /// Which of the two.
        direction: Direction,
        /// The 28 bytes before the payload.
        header: &'p DataHeader,
        /// What the packet carries, at least one byte.
        payload: &'p mut [u8],
    },
    /// A CC51 packet.
    #[cfg(feature = "cc51")]
    Cc51(cc51::Packet<'p>),
    /// A well-formed TransCode packet that has no meaning here.
    Unknown {
        /// The command code.
        command: u16,
        /// The flags.
        flags: u16,
    },
}

/// Reads one datagram, undoing TransCode in place unless it starts with [`CC51_MAGIC`].
///
/// # Errors
/// It is no packet. TransCode has no checksum: stray bytes are recognised by magic and length only.
pub fn open(datagram: &mut [u8]) -> Result<Packet<'_>, Malformed> {
    if datagram.starts_with(&CC51_MAGIC) {
        #[cfg(feature = "cc51")]
        return cc51::parse(datagram).map(Packet::Cc51);
        #[cfg(not(feature = "cc51"))]
        return Err(Malformed::BadMagic);
    }
    tutk_transcode::decode(datagram);
    parse(datagram)
}

/// The session id in a packet that a client sends in an open session (data, alive, close), either framing; `None` in
/// anything else. The datagram stays as it is: whoever serves several clients sees whose it claims to be.
pub fn session_of(datagram: &[u8]) -> Option<[u8; 8]> {
    #[cfg(feature = "cc51")]
    if datagram.starts_with(&CC51_MAGIC) {
        return cc51::session_of(datagram);
    }
    // Two blocks, or a shorter packet whole: that much can be unscrambled by itself.
    let mut start = [0; 2 * tutk_transcode::BLOCK];
    let len = datagram.len().min(start.len());
    let start = start.get_mut(..len)?;
    start.copy_from_slice(datagram.get(..len)?);
    tutk_transcode::decode(start);
    let header: &Header = prefix(start).ok()?;
    let body_len = usize::from(header.body_len.get());
    if header.magic != MAGIC
        || header.flags.get() != code::TO_DEVICE
        || body_len + super::HEADER_LEN != datagram.len()
    {
        return None;
    }
    let at = match header.command.get() {
        code::DATA_TO_DEVICE => offset_of!(DataHeader, sid),
        code::ALIVE_TO_DEVICE | code::CLOSE_TO_DEVICE => offset_of!(Control, token),
        _ => return None,
    };
    start.get(at..)?.first_chunk().copied()
}

/// Reads one TransCode packet that is unscrambled already.
///
/// # Errors
/// It is no packet.
pub fn parse(packet: &mut [u8]) -> Result<Packet<'_>, Malformed> {
    let (header, body) = Header::ref_from_prefix(packet).map_err(|_| Malformed::Truncated)?;
    if header.magic != MAGIC {
        return Err(Malformed::BadMagic);
    }
    if usize::from(header.body_len.get()) != body.len() {
        return Err(Malformed::BadLength);
    }
    let (command, flags) = (header.command.get(), header.flags.get());
    match (command, flags) {
        (code::SEARCH, code::TO_DEVICE) => prefix(packet).map(Packet::Search),
        (code::SEARCH_REPLY, code::TO_CLIENT) => search_reply(packet),
        (code::SESSION, code::PEERS) => prefix(packet).map(Packet::Session),
        (code::SESSION_REPLY, code::PEERS) => prefix(packet).map(Packet::SessionReply),
        (code::ALIVE_TO_DEVICE, code::TO_DEVICE) => alive(Direction::ToDevice, packet),
        (code::ALIVE_TO_CLIENT, code::TO_CLIENT) => alive(Direction::ToClient, packet),
        (code::CLOSE_TO_DEVICE, code::TO_DEVICE) => close(Direction::ToDevice, packet),
        (code::CLOSE_TO_CLIENT, code::TO_CLIENT) => close(Direction::ToClient, packet),
        (code::DATA_TO_DEVICE, code::TO_DEVICE) => data(Direction::ToDevice, packet),
        (code::DATA_TO_CLIENT, code::TO_CLIENT) => data(Direction::ToClient, packet),
        _ => Ok(Packet::Unknown { command, flags }),
    }
}

pub(super) fn prefix<T: FromBytes + KnownLayout + Immutable + Unaligned>(
    packet: &[u8],
) -> Result<&T, Malformed> {
    T::ref_from_prefix(packet)
        .map(|(found, _)| found)
        .map_err(|_| Malformed::Truncated)
}

fn search_reply(packet: &[u8]) -> Result<Packet<'_>, Malformed> {
    let (header, uid) = Header::ref_from_prefix(packet).map_err(|_| Malformed::Truncated)?;
    Ok(Packet::SearchReply {
        version: header.version,
        uid: prefix(uid)?,
        sid: packet
            .get(offset_of!(SearchReply, sid)..)
            .and_then(<[u8]>::first_chunk),
    })
}

fn alive(direction: Direction, packet: &[u8]) -> Result<Packet<'_>, Malformed> {
    let token = &prefix::<Control>(packet)?.token;
    Ok(Packet::Alive { direction, token })
}

fn close(direction: Direction, packet: &[u8]) -> Result<Packet<'_>, Malformed> {
    let sid = &prefix::<Control>(packet)?.token;
    Ok(Packet::Close { direction, sid })
}

fn data(direction: Direction, packet: &mut [u8]) -> Result<Packet<'_>, Malformed> {
    let (header, payload) = packet
        .split_at_mut_checked(DATA_HEADER_LEN)
        .ok_or(Malformed::Truncated)?;
    if payload.is_empty() {
        return Err(Malformed::Truncated);
    }
    Ok(Packet::Data {
        direction,
        header: prefix(header)?,
        payload,
    })
}
