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
        let Some(all) = self.all() else { return false };
        let missing = all & !self.seen;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Message;
    use crate::wire::WRAPPED;

    const COUNTER: u16 = 0xfffa;

    /// A data packet of a group: type of its inner header, and bytes behind that.
    fn packet(group: u16, index: u8, size: u8, kind: u8, bytes: &[u8]) -> Vec<u8> {
        let mut all = vec![WRAPPED, 0, 0x0c, 0, 0, 0, 0, 0];
        all.extend(group.to_le_bytes());
        all.extend([index, size, 1, 0, 0, 0]);
        let counter = COUNTER.wrapping_add(index.into());
        all.extend([kind, 0]);
        for field in [counter, 999, index.into(), bytes.len() as u16, 0] {
            all.extend(field.to_le_bytes());
        }
        all.extend([1, 0, 0, 0, 2, 0, 0, 0]);
        all.extend(bytes);
        all
    }

    fn media(bytes: &[u8]) -> MediaPacket<'_> {
        match Message::parse(bytes) {
            Ok(Message::Media(packet)) => packet,
            other => panic!("{other:?}"),
        }
    }

    /// The packets of group 5, each of another length and with other bytes.
    fn group(size: u8) -> Vec<Vec<u8>> {
        let kind = |i: u8| [5, 7, 3][usize::from(i % 3)];
        (0..size)
            .map(|i| packet(5, i, size, kind(i), &vec![i ^ 0x5a; 100 + usize::from(i)]))
            .collect()
    }

    fn parity_of(packets: &[Vec<u8>]) -> (FecPlace, Vec<u8>) {
        let mut sender = ParityGroup::new();
        packets.iter().for_each(|bytes| sender.add(&media(bytes)));
        assert!(sender.is_complete());
        let (place, bytes) = sender.parity();
        (place, bytes.to_vec())
    }

    /// What comes of parity when `missing` has not come, and `also` came besides.
    fn recovered(packets: &[Vec<u8>], missing: usize, also: &[Vec<u8>]) -> Option<Vec<u8>> {
        let (place, mut parity) = parity_of(packets);
        let mut receiver = ParityGroup::new();
        for (i, bytes) in packets.iter().enumerate() {
            if i != missing {
                receiver.add(&media(bytes));
            }
        }
        also.iter().for_each(|bytes| receiver.add(&media(bytes)));
        let len = media(&packets[missing]).protected.len();
        receiver
            .recover(place, &mut parity)
            .then(|| parity[..len].to_vec())
    }

    #[test]
    fn any_one_packet_of_a_group_of_2_to_32_comes_back() {
        for size in [2, 20, 31, 32] {
            let packets = group(size);
            for missing in 0..packets.len() {
                let back = recovered(&packets, missing, &[]);
                assert_eq!(back.as_deref(), Some(media(&packets[missing]).protected));
            }
        }
    }

    #[test]
    fn a_packet_twice_or_of_another_stream_of_counters_does_not_spoil_a_group() {
        let packets = group(20);
        let good = Some(media(&packets[7]).protected.to_vec());
        assert_eq!(recovered(&packets, 7, &packets[3..4]), good, "twice");
        let mut other = packets[7].clone();
        other[18] ^= 1; // its counter
        assert_eq!(recovered(&packets, 7, &[other]), good, "another counter");
        let mut other = packets[7].clone();
        other[11] = 19; // the size of its group
        assert_eq!(recovered(&packets, 7, &[other]), good, "another size");
        let older = packet(4, 7, 20, 5, &[1; 100]);
        assert_eq!(recovered(&packets, 7, &[older]), good, "an older group");
        for (index, size) in [(20, 20), (33, 40), (255, 255), (0, 0)] {
            let other = packet(5, index, size, 5, &[1; 100]);
            assert_eq!(recovered(&packets, 7, &[other]), good, "{index} of {size}");
        }
    }

    #[test]
    fn a_copy_counts_like_the_packet_it_is_a_copy_of() {
        let packets = group(6);
        for copied in 0..6 {
            let mut copy = packets[copied].clone();
            copy[16] += 1;
            assert!(media(&copy).resent);
            for missing in (0..6).filter(|missing| *missing != copied) {
                let (place, mut parity) = parity_of(&packets);
                let mut receiver = ParityGroup::new();
                for i in (0..6).filter(|i| *i != missing) {
                    receiver.add(&media(if i == copied { &copy } else { &packets[i] }));
                }
                assert!(receiver.recover(place, &mut parity));
                let expected = media(&packets[missing]).protected;
                assert_eq!(&parity[..expected.len()], expected);
            }
        }
    }

    #[test]
    fn the_longest_packet_takes_part_and_a_longer_one_does_not() {
        let longest = LONGEST - size_of::<Inner>() - FrameInfo::CAMERA;
        // The last packet of a frame: a whole fragment and FRAMEINFO of 40 bytes, or of 41.
        let last = |info: u16| {
            let mut bytes = packet(5, 1, 2, 5, &vec![7; longest + usize::from(info)]);
            (bytes[17], bytes[1]) = (1, 1);
            bytes[22..24].copy_from_slice(&info.to_le_bytes());
            bytes
        };
        let first = packet(5, 0, 2, 5, &[1; 1024]);
        let mut whole = ParityGroup::new();
        whole.add(&media(&first));
        whole.add(&media(&last(41)));
        assert!(!whole.is_complete());
        whole.add(&media(&last(40)));
        assert!(whole.is_complete());
        assert_eq!(whole.parity().1.len(), LONGEST);
    }

    #[test]
    fn parity_shorter_than_a_packet_of_its_group_yields_nothing() {
        let mut packets = group(20);
        packets[3] = packet(5, 3, 20, 5, &[9; 1020]);
        let (place, parity) = parity_of(&packets);
        let mut receiver = ParityGroup::new();
        for bytes in packets.iter().skip(1) {
            receiver.add(&media(bytes));
        }
        let longest = media(&packets[3]).protected.len();
        for (len, comes) in [(longest - 1, false), (longest, true), (parity.len(), true)] {
            let mut parity = parity[..len].to_vec();
            assert_eq!(receiver.recover(place, &mut parity), comes, "{len} bytes");
        }
        let mut nothing = parity.clone();
        assert!(!ParityGroup::new().recover(place, &mut nothing));
        assert_eq!(nothing, parity);
    }
}
