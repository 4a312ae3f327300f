//! XOR over the packets of a FEC group. Its semantics are inferred from the sizes alone (`docs/protocol.md` §2.8), so
//! neither role uses it unless memory for it is lent.
//!
//! ```text
//! protected bytes of a data packet: inner header, payload, FRAMEINFO, zero-padded ─┐
//! of all others of the group ─────────────────────────────────────────────── XOR ──┴─► payload of the parity packet
//! ```

use core::fmt;

use crate::FrameInfo;
use crate::message::{FecPlace, MediaPacket};
use crate::wire::{FRAGMENT, Inner};

/// Longest protected part of a packet.
const LONGEST: usize = size_of::<Inner>() + FRAGMENT + FrameInfo::CAMERA;
/// What the parity packets of cameras are long: an inner header and a whole fragment.
const USUAL: usize = size_of::<Inner>() + FRAGMENT;
/// How many groups back a copy may belong.
const LATE: u16 = 256;

/// Memory for the XOR of one FEC group, about 1100 bytes. Lend it with
/// [`Initiator::lend_parity`](crate::Initiator::lend_parity) or
/// [`Responder::lend_parity`](crate::Responder::lend_parity).
#[derive(Clone)]
pub struct ParityGroup {
    group: u16,
    /// Data packets in the group.
    size: u8,
    /// A bit for each packet that has come.
    seen: u32,
    /// Counter of the packet with index 0.
    base: u16,
    /// Longest packet so far.
    len: usize,
    xor: [u8; LONGEST],
}

impl fmt::Debug for ParityGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParityGroup")
            .field("group", &self.group)
            .field("size", &self.size)
            .field("seen", &self.seen)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

impl Default for ParityGroup {
    fn default() -> Self {
        Self::new()
    }
}

impl ParityGroup {
    /// Empty memory.
    pub const fn new() -> Self {
        Self {
            group: 0,
            size: 0,
            seen: 0,
            base: 0,
            len: 0,
            xor: [0; LONGEST],
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }

    /// A bit for each packet of the group; `None` above 32.
    fn all(&self) -> Option<u32> {
        1u64.checked_shl(self.size.into())
            .and_then(|end| u32::try_from(end - 1).ok())
    }

    /// Whether every packet of the group is in it.
    pub(crate) fn is_complete(&self) -> bool {
        self.seen != 0 && self.all() == Some(self.seen)
    }

    /// Place of the parity packet, and its payload.
    pub(crate) fn parity(&self) -> (FecPlace, &[u8]) {
        let place = FecPlace {
            group: self.group,
            index: self.size,
            size: self.size,
        };
        let bytes = self.xor.get(..self.len.max(USUAL)).unwrap_or_default();
        (place, bytes)
    }

    /// Takes a data packet in. A packet of a newer group displaces the older one.
    pub(crate) fn add(&mut self, packet: &MediaPacket<'_>) {
        let Some(place) = packet.fec else { return };
        if place.index >= place.size || place.size > 32 || packet.protected.len() > LONGEST {
            return;
        }
        if self.seen != 0 && self.group != place.group {
            // A copy of an older one comes late; further back, the sender counts anew.
            if self.group.wrapping_sub(place.group) <= LATE {
                return;
            }
            self.clear();
        }
        let base = packet.counter.wrapping_sub(place.index.into());
        if self.seen == 0 {
            (self.group, self.size, self.base) = (place.group, place.size, base);
        }
        let bit = 1u32 << place.index;
        if self.seen & bit != 0 || self.base != base || self.size != place.size {
            return;
        }
        self.seen |= bit;
        self.len = self.len.max(packet.protected.len());
        for (x, byte) in self.xor.iter_mut().zip(packet.protected) {
            *x ^= byte;
        }
        // The type of a copy is one higher than that of the packet that parity was computed over.
        if let (true, Some(x), Some(kind)) = (
            packet.resent,
            self.xor.first_mut(),
            packet.protected.first(),
        ) {
            *x ^= kind ^ kind.wrapping_sub(1);
        }
    }

    /// Turns parity into the one packet that is missing. `false`, and nothing changed, when not exactly one is, or the
    /// result would not be that packet.
    pub(crate) fn recover(&self, place: FecPlace, parity: &mut [u8]) -> bool {
        let missing = match self.all() {
            Some(all) if self.seen != 0 => all & !self.seen,
            _ => return false,
        };
        if !missing.is_power_of_two()
            || (place.group, place.size) != (self.group, self.size)
            || parity.len() < self.len
        {
            return false;
        }
        let mut head = [0; size_of::<Inner>()];
        for ((to, x), byte) in head.iter_mut().zip(&self.xor).zip(&*parity) {
            *to = x ^ byte;
        }
        let inner: Inner = zerocopy::transmute!(head);
        let counter = self.base.wrapping_add(missing.trailing_zeros() as u16);
        let len = size_of::<Inner>() + usize::from(inner.payload_len.get());
        if !matches!(inner.kind, 3 | 5 | 7) || inner.counter.get() != counter || len > parity.len()
        {
            return false;
        }
        for (byte, x) in parity.iter_mut().zip(&self.xor) {
            *byte ^= x;
        }
        true
    }
}
