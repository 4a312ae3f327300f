//! The fixed layouts, byte for byte. All integers are little-endian.
//!
//! Source: `docs/protocol.md` §2.5 (headers), §2.6 (ACK, statistics), §2.7 (login), §2.8 (FRAMEINFO).

use core::mem::{offset_of, size_of};

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// What we put in the version field of every message; what the peer puts there is ignored.
pub(crate) const VERSION: u16 = 0x000c;

/// Most media or IOCTRL bytes one packet carries; FRAMEINFO comes on top.
pub(crate) const FRAGMENT: usize = 1024;

/// First two bytes of a message, as a little-endian number.
pub(crate) mod kind {
    pub(crate) const LOGIN_1: u16 = 0x0000;
    pub(crate) const LOGIN_2: u16 = 0x2000;
    pub(crate) const LOGIN_REPLY: u16 = 0x2100;
    pub(crate) const ACK: u16 = 0x0009;
    pub(crate) const STATS_REQUEST: u16 = 0x080a;
    pub(crate) const STATS_REPLY: u16 = 0x000b;
    pub(crate) const CHANNEL: u16 = 0x1000;
    pub(crate) const IOCTL: u16 = 0x7000;
}

/// Type byte of a message in the FEC wrapper, and of the parity packet inside of it.
pub(crate) const WRAPPED: u8 = 0x0c;
/// Bit of the flag byte: this fragment ends a frame, FRAMEINFO stands behind its payload.
pub(crate) const FLAG_LAST: u8 = 0x01;
/// Bit of the flag byte: an extension block follows the outer header.
pub(crate) const FLAG_EXT: u8 = 0x08;

macro_rules! layout {
    ($(#[$doc:meta])* $name:ident[$size:literal] { $($(#[$field_doc:meta])* $field:ident @ $at:literal : $ty:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
        #[repr(C)]
        pub(crate) struct $name { $($(#[$field_doc])* pub(crate) $field: $ty),* }
        const _: () = {
            assert!(size_of::<$name>() == $size);
            $(assert!(offset_of!($name, $field) == $at);)*
        };
    };
}

layout! {
    /// In front of every streamed message (§2.5).
    Outer[8] { kind @ 0: u8, flags @ 1: u8, version @ 2: U16, seq @ 4: U16, extra @ 6: U16 }
}

layout! {
    /// Forward error correction group, present when `Outer::kind` is [`WRAPPED`] (§2.5, §2.8).
    FecBlock[8] { group @ 0: U16, index @ 2: u8, size @ 3: u8, parity @ 4: U32 }
}

layout! {
    /// Extension block, present with [`FLAG_EXT`]: a statistics request that rides on another message (§2.6).
    ExtBlock[8] { clock @ 0: U16, timeout_ms @ 2: U16, highest @ 4: U32 }
}

layout! {
    /// Header of one packet of a reliable or media message (§2.5, §2.8).
    Inner[20] {
        kind @ 0: u8,
        sub @ 1: u8,
        counter @ 2: U16,
        total @ 4: U16,
        index_or_info_len @ 6: U16,
        payload_len @ 8: U16,
        zero @ 10: U16,
        previous @ 12: U32,
        current @ 16: U32,
    }
}

layout! {
    /// What every AV login begins with (§2.7). Login 1 has eight bytes more, login 2 ten; the oldest cameras send no more.
    LoginBody[562] {
        kind @ 0: U16,
        version @ 2: U16,
        zero @ 4: [u8; 12],
        size @ 16: U16,
        first @ 18: U16,
        serial @ 20: U32,
        user @ 24: [u8; 257],
        password @ 281: [u8; 257],
        resend @ 538: U32,
        words @ 542: U32,
        bitmap @ 546: [U32; 4],
    }
}

/// Bytes of AV login 1: behind [`LoginBody`], the numbers 0 and 1.
pub(crate) const LOGIN_1_LEN: usize = size_of::<LoginBody>() + 8;

layout! {
    /// In front of every message of Session16 but the login (§2.12).
    Head16[24] {
        kind @ 0: U16,
        version @ 2: U16,
        seq @ 4: U16,
        zero @ 6: U16,
        total @ 8: U32,
        chunk @ 12: U16,
        info_len @ 14: U16,
        size @ 16: U16,
        zero_2 @ 18: U16,
        serial @ 20: U32,
    }
}

/// The capability words of login and reply: an opaque constant of every capture.
pub(crate) const CAPABILITIES: [U32; 4] = [
    U32::new(0x001f_07fb),
    U32::ZERO,
    U32::ZERO,
    U32::new(0x0003_0000),
];

layout! {
    /// Answer to the login (§2.7).
    LoginReplyBody[60] {
        kind @ 0: U16,
        version @ 2: U16,
        result @ 4: U32,
        zero @ 8: [u8; 8],
        size @ 16: U32,
        serial @ 20: U32,
        zero_2 @ 24: [u8; 5],
        enable @ 29: u8,
        zero_3 @ 30: u8,
        two_way @ 31: u8,
        zero_4 @ 32: U32,
        words @ 36: U32,
        bitmap @ 40: [U32; 4],
        two @ 56: U32,
    }
}

layout! {
    /// ACK up to where its two forms part (§2.6).
    AckHead[20] {
        kind @ 0: U16,
        version @ 2: U16,
        seq @ 4: U16,
        zero @ 6: U16,
        from @ 8: U16,
        highest @ 10: U16,
        ioctl @ 12: U16,
        missing @ 14: U16,
        zero_2 @ 16: U16,
        ordinal @ 18: U16,
    }
}

layout! {
    /// Statistics request as a message of its own (§2.6).
    StatsRequestBody[16] {
        kind @ 0: U16,
        version @ 2: U16,
        seq @ 4: U16,
        zero @ 6: U16,
        clock @ 8: U16,
        timeout_ms @ 10: U16,
        highest @ 12: U32,
    }
}

layout! {
    /// Statistics reply (§2.6).
    StatsReplyBody[20] {
        kind @ 0: U16,
        version @ 2: U16,
        zero @ 4: U32,
        clock @ 8: U16,
        count @ 10: U16,
        count_2 @ 12: U16,
        zero_2 @ 14: [u8; 6],
    }
}

layout! {
    /// What every FRAMEINFO begins with (§2.8).
    InfoHead[16] {
        codec @ 0: U16,
        flags @ 2: u8,
        camera @ 3: u8,
        viewers @ 4: u8,
        fps @ 5: u8,
        frame_size @ 6: u8,
        bitrate @ 7: u8,
        micros @ 8: U32,
        seconds @ 12: U32,
    }
}

layout! {
    /// What a FRAMEINFO of 40 bytes adds (§2.8).
    InfoTail[24] { length @ 0: U32, number @ 4: U32, mac @ 8: [u8; 12], token @ 20: U32 }
}

layout! {
    /// In front of each copy kept for sending again; not on the wire.
    SlotHead[8] { counter @ 0: U16, len @ 2: U16, flags @ 4: u8, zero @ 5: u8, copied_at @ 6: U16 }
}
