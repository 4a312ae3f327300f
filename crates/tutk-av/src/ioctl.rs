//! IOCTRL: reliable messages of up to 32 KiB in packets of 1024 bytes.
//!
//! A message is its IO type (u32) followed by its payload; each packet carries up to 1024 bytes of that in wrapped or
//! direct form (`docs/protocol.md` §2.5). Every packet of a message of ours bears the same sequence number and counter;
//! of a peer's we also understand packets that are counted one by one.

use core::fmt;

use tutk_core::{Full, TxBuf};
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32};

use crate::message::{IoctlPart, split_io_type};
use crate::redact::Len;
use crate::session16;
use crate::wire::{FRAGMENT, Inner, Outer, VERSION, WRAPPED, kind};

/// The only IO type that Wyze uses: the payload is an HL message. Other makers have others (`docs/protocol.md` §2.12).
pub const IO_TYPE: u32 = 0x0100;

/// Packets that a received message may have.
const MAX_PARTS: u16 = 32;

/// A received IOCTRL.
///
/// `Debug` tells the length of the payload only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ioctl<'p> {
    /// IO type; [`IO_TYPE`] for all that Wyze sends.
    pub kind: u32,
    /// What follows the IO type.
    pub payload: &'p [u8],
    /// The peer has sent this one before: it did not see our answer, or our ACK.
    pub repeat: bool,
}

impl fmt::Debug for Ioctl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ioctl")
            .field("kind", &self.kind)
            .field("repeat", &self.repeat)
            .field("payload", &Len(self.payload))
            .finish()
    }
}

/// How the header of an IOCTRL of ours is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum IoctlForm {
    /// Inside the FEC wrapper: 36 bytes in front of the IO type. What clients send.
    #[default]
    Wrapped,
    /// 28 bytes in front of the IO type. What cameras send without lossless mode.
    Direct,
    /// 24 bytes in front of the IO type, and all of it in one packet (`docs/protocol.md` §2.12).
    Session16,
}

/// Sequence number and counter of one IOCTRL of ours.
///
/// The same ticket with the same payload writes the same bytes, so a resend is recognised for what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct IoctlTicket {
    seq: u16,
    counter: u16,
    index: u16,
    form: IoctlForm,
}

impl IoctlTicket {
    pub(crate) const fn new(seq: u16, counter: u16) -> Self {
        Self {
            seq,
            counter,
            index: 0,
            form: IoctlForm::Wrapped,
        }
    }

    /// Packets that a payload of `len` bytes needs: 1 up to 1020 bytes.
    pub const fn fragments(len: usize) -> usize {
        (len + 4).div_ceil(FRAGMENT)
    }

    /// The same message, its packet `index`.
    #[must_use]
    pub const fn fragment(self, index: u16) -> Self {
        Self { index, ..self }
    }

    /// The same message in another form.
    #[must_use]
    pub const fn form(self, form: IoctlForm) -> Self {
        Self { form, ..self }
    }

    /// Writes one packet.
    pub(crate) fn write(
        self,
        io_type: u32,
        payload: &[u8],
        tx: &mut TxBuf<'_>,
    ) -> Result<(), Full> {
        if cfg!(feature = "plain") && self.form == IoctlForm::Session16 {
            return session16::write_ioctl(self.counter, io_type, payload, tx);
        }
        let total = u16::try_from(Self::fragments(payload.len())).map_err(|_| Full)?;
        // The IO type takes the first four bytes of the first packet.
        let first = usize::from(self.index) * FRAGMENT;
        let from = first.saturating_sub(4);
        let to = (first + FRAGMENT - 4).min(payload.len());
        let part = payload.get(from..to).ok_or(Full)?;
        let io_type = io_type.to_le_bytes();
        let io_type = if self.index == 0 { &io_type[..] } else { &[] };
        let len = io_type.len() + part.len();
        let (outer_kind, outer_flags) = match self.form {
            IoctlForm::Wrapped => (WRAPPED, 0),
            _ => (0, kind::IOCTL.to_le_bytes()[1]),
        };
        let outer = Outer {
            kind: outer_kind,
            flags: outer_flags,
            version: U16::new(VERSION),
            seq: U16::new(self.seq),
            extra: U16::ZERO,
        };
        let inner = Inner {
            kind: 0,
            sub: kind::IOCTL.to_le_bytes()[1],
            counter: U16::new(self.counter),
            total: U16::new(total),
            index_or_info_len: U16::new(self.index),
            payload_len: U16::new(u16::try_from(len).map_err(|_| Full)?),
            zero: U16::ZERO,
            previous: U32::new(self.counter.into()),
            current: U32::ZERO,
        };
        let fec = match self.form {
            IoctlForm::Wrapped => &[0; 8][..],
            _ => &[],
        };
        let header = outer.as_bytes().len() + fec.len() + inner.as_bytes().len();
        if tx.room() < header + len {
            return Err(Full);
        }
        for bytes in [outer.as_bytes(), fec, inner.as_bytes(), io_type, part] {
            tx.append(bytes)?;
        }
        Ok(())
    }
}

/// Which IOCTRL counters have come, and the edge up to which none is missing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Received {
    /// The counter after the edge: the lowest that has not come.
    next: u16,
    /// Bit n: counter `next + n` has come. Bit 0 is always clear.
    ahead: u32,
}

impl Received {
    /// Highest counter up to which everything has come; 0 also when nothing has, as the SDK says it.
    pub(crate) fn edge(&self) -> u16 {
        match (self.next, self.ahead) {
            (0, 0) => 0,
            (next, _) => next.wrapping_sub(1),
        }
    }

    pub(crate) fn contains(&self, counter: u16) -> bool {
        let ahead = counter.wrapping_sub(self.next);
        ahead >= 0x8000 || (ahead < 32 && self.ahead >> ahead & 1 == 1)
    }

    pub(crate) fn insert(&mut self, counter: u16) {
        if self.contains(counter) {
            return;
        }
        let ahead = counter.wrapping_sub(self.next);
        // Too far ahead: what is missing at the low end will not come any more.
        let surplus = ahead.saturating_sub(31);
        self.next = self.next.wrapping_add(surplus);
        self.ahead = self.ahead.checked_shr(surplus.into()).unwrap_or(0);
        self.ahead |= 1 << (ahead - surplus);
        let run = self.ahead.trailing_ones();
        self.next = self.next.wrapping_add(run as u16);
        self.ahead = self.ahead.checked_shr(run).unwrap_or(0);
    }
}

/// What came of one packet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// The message is complete in memory.
    Complete,
    /// More packets are missing, or this one had come before.
    Pending,
    /// It does not fit, or contradicts earlier packets.
    Refused,
}

/// Puts one fragmented IOCTRL together in the caller's memory. A packet of another message replaces what was begun.
pub(crate) struct Assembly<'m> {
    memory: &'m mut [u8],
    message: u16,
    total: u16,
    /// Bit per packet.
    have: u32,
    len: usize,
    repeat: bool,
}

impl fmt::Debug for Assembly<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assembly")
            .field("message", &self.message)
            .field("total", &self.total)
            .field("have", &self.have)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

impl<'m> Assembly<'m> {
    pub(crate) fn new(memory: &'m mut [u8]) -> Self {
        Self {
            memory,
            message: 0,
            total: 0,
            have: 0,
            len: 0,
            repeat: false,
        }
    }

    /// Forgets everything, in the same memory.
    pub(crate) fn reset(&mut self) {
        *self = Self::new(core::mem::take(&mut self.memory));
    }

    fn is_complete(&self) -> bool {
        self.total != 0 && self.have.count_ones() == u32::from(self.total)
    }

    /// `repeat`: all of this message has come before.
    pub(crate) fn add(&mut self, part: &IoctlPart<'_>, repeat: bool) -> Added {
        let last = part.index + 1 == part.total;
        let at = usize::from(part.index) * FRAGMENT;
        if part.total > MAX_PARTS
            || part.body.len() > FRAGMENT
            || (!last && part.body.len() != FRAGMENT)
        {
            return Added::Refused;
        }
        if (part.message, part.total) != (self.message, self.total) || self.is_complete() {
            self.message = part.message;
            self.total = part.total;
            self.have = 0;
            self.len = 0;
        }
        let bit = 1 << part.index;
        if self.have & bit != 0 {
            return Added::Pending;
        }
        let Some(room) = self.memory.get_mut(at..at + part.body.len()) else {
            return Added::Refused;
        };
        room.copy_from_slice(part.body);
        self.have |= bit;
        self.repeat = repeat;
        if last {
            self.len = at + part.body.len();
        }
        if self.is_complete() {
            Added::Complete
        } else {
            Added::Pending
        }
    }

    /// The message that became complete last.
    pub(crate) fn assembled(&self) -> Option<Ioctl<'_>> {
        if !self.is_complete() {
            return None;
        }
        let (kind, payload) = split_io_type(self.memory.get(..self.len)?)?;
        Some(Ioctl {
            kind,
            payload,
            repeat: self.repeat,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edge_advances_over_reordering_duplicates_and_wrap() {
        let mut received = Received::default();
        assert_eq!(received.edge(), 0);
        for (counter, edge) in [(0u16, 0u16), (2, 0), (2, 0), (3, 0), (1, 3), (0, 3), (5, 3)] {
            let had = received.contains(counter);
            received.insert(counter);
            assert_eq!(received.edge(), edge, "after {counter}");
            assert_eq!(
                had,
                matches!((counter, edge), (2, 0) if had) || counter == 0 && edge == 3
            );
        }
        let mut received = Received {
            next: 0xfffe,
            ahead: 0,
        };
        for counter in [0xffff, 0xfffe, 0, 1] {
            received.insert(counter);
        }
        assert_eq!(received.edge(), 1);
        assert!(received.contains(0xffff));
    }

    #[test]
    fn a_counter_that_never_comes_does_not_hold_the_edge_forever() {
        let mut received = Received::default();
        for counter in 1..=31 {
            received.insert(counter);
        }
        assert_eq!(received.edge(), 0xffff, "0 is missing");
        received.insert(32);
        assert_eq!(received.edge(), 32);
        received.insert(1000);
        assert_eq!(received.edge(), 968);
        assert!(received.contains(1000) && !received.contains(969));
    }

    #[test]
    fn all_counters_before_the_edge_are_repeats() {
        let mut received = Received::default();
        for counter in 0..40_000u16 {
            assert!(!received.contains(counter));
            received.insert(counter);
            assert!(received.contains(counter));
            assert_eq!(received.edge(), counter);
        }
    }

    fn part(message: u16, index: u16, total: u16, body: &[u8]) -> IoctlPart<'_> {
        IoctlPart {
            seq: 0,
            counter: message,
            message,
            index,
            total,
            stats: None,
            body,
        }
    }

    #[test]
    fn assembly_takes_parts_in_any_order_and_refuses_what_does_not_fit() {
        let mut memory = [0; 2500];
        let mut assembly = Assembly::new(&mut memory);
        let first = [&[0, 1, 0, 0][..], &[1; 1020]].concat();
        let (middle, end) = ([2; 1024], [3; 400]);
        assert_eq!(assembly.add(&part(7, 2, 3, &end), false), Added::Pending);
        assert_eq!(assembly.add(&part(7, 2, 3, &end), false), Added::Pending);
        assert_eq!(assembly.add(&part(7, 0, 3, &first), false), Added::Pending);
        assert_eq!(assembly.assembled(), None);
        assert_eq!(
            assembly.add(&part(7, 1, 3, &middle), false),
            Added::Complete
        );
        let whole = assembly.assembled().unwrap();
        assert_eq!((whole.kind, whole.payload.len()), (0x100, 2444));
        assert_eq!(&whole.payload[1020..1022], [2, 2]);
        assert_eq!(&whole.payload[2044..2046], [3, 3]);

        assert_eq!(
            assembly.add(&part(8, 2, 3, &[0; 500]), false),
            Added::Refused
        );
        assert_eq!(assembly.add(&part(8, 0, 3, &[0; 9]), false), Added::Refused);
        assert_eq!(
            assembly.add(&part(8, 0, 33, &middle), false),
            Added::Refused
        );
        assert_eq!(assembly.add(&part(9, 0, 2, &first), false), Added::Pending);
        assert_eq!(assembly.assembled(), None);
    }

    #[test]
    fn a_message_of_32_parts_is_the_longest() {
        let mut memory = [0; 33 * FRAGMENT];
        let mut assembly = Assembly::new(&mut memory);
        let body = [5; FRAGMENT];
        for index in 0..31 {
            assert_eq!(
                assembly.add(&part(1, index, 32, &body), false),
                Added::Pending
            );
        }
        assert_eq!(
            assembly.add(&part(1, 31, 32, &body), false),
            Added::Complete
        );
        assert_eq!(
            assembly.assembled().unwrap().payload.len(),
            32 * FRAGMENT - 4
        );
        assert_eq!(assembly.add(&part(2, 0, 33, &body), false), Added::Refused);
    }

    #[test]
    fn what_came_before_a_reset_completes_no_message() {
        let mut memory = [0; 2 * FRAGMENT];
        let mut assembly = Assembly::new(&mut memory);
        assembly.add(&part(7, 0, 2, &[1; FRAGMENT]), false);
        assembly.reset();
        assert_eq!(assembly.add(&part(7, 1, 2, &[2; 9]), false), Added::Pending);
        assert_eq!(assembly.assembled(), None);
        // The memory is still there.
        let first = part(7, 0, 2, &[3; FRAGMENT]);
        assert_eq!(assembly.add(&first, false), Added::Complete);
    }

    #[test]
    fn a_packet_is_written_whole_or_not_at_all() {
        for form in [IoctlForm::Wrapped, IoctlForm::Direct] {
            for (len, index) in [(0, 0), (9, 0), (1020, 0), (1500, 0), (1500, 1)] {
                let (payload, mut memory) = ([7; 1500], [0; 1500]);
                let ticket = IoctlTicket::new(0, 0).form(form).fragment(index);
                let mut tx = TxBuf::new(&mut memory);
                ticket.write(IO_TYPE, &payload[..len], &mut tx).unwrap();
                let needed = tx.len();
                for (room, result) in [(needed, Ok(())), (needed - 1, Err(Full))] {
                    let mut tx = TxBuf::new(&mut memory[..room]);
                    assert_eq!(ticket.write(IO_TYPE, &payload[..len], &mut tx), result);
                    assert_eq!(tx.is_empty(), result.is_err(), "{form:?} {len} in {room}");
                }
            }
        }
    }

    #[test]
    fn fragments_count_the_io_type() {
        assert_eq!(IoctlTicket::fragments(0), 1);
        assert_eq!(IoctlTicket::fragments(1020), 1);
        assert_eq!(IoctlTicket::fragments(1021), 2);
        assert_eq!(IoctlTicket::fragments(2044), 2);
        assert_eq!(IoctlTicket::fragments(2045), 3);
    }

    #[test]
    fn a_fragment_that_does_not_exist_is_not_written() {
        let mut memory = [0; 1500];
        let mut tx = TxBuf::new(&mut memory);
        let ticket = IoctlTicket::new(0, 0).fragment(2);
        assert_eq!(ticket.write(IO_TYPE, &[0; 1500], &mut tx), Err(Full));
        assert!(tx.is_empty());
    }
}
