//! One frame in flight.

use tutk_core::Instant;

use super::DropReason;
use crate::wire::FRAGMENT;
use crate::{FrameInfo, MediaPacket};

/// Stands in the length table for a fragment that has not come.
const ABSENT: u16 = u16::MAX;

#[derive(Debug, Clone, Copy)]
pub(super) enum State {
    Filling,
    /// All fragments are there and lie side by side; since when, and their bytes.
    Complete {
        at: Instant,
        len: usize,
    },
    /// It can't be delivered, but stays here until its turn has come, so that its packets are recognised.
    Lost {
        at: Instant,
        reason: DropReason,
    },
}

/// What came of a packet.
pub(super) enum Stored {
    More,
    Last,
    Duplicate,
    Conflict,
}

#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) number: u32,
    pub(super) previous: u32,
    /// First byte of its region.
    pub(super) start: usize,
    pub(super) total: u16,
    pub(super) have: u16,
    last_len: u16,
    /// Bytes of FRAMEINFO at the end of the last fragments (Session16).
    joined: u16,
    pub(super) key: bool,
    /// A fragment other than the last is shorter than 1024 bytes.
    short: bool,
    /// Its number is far from the others: perhaps the sender counts anew.
    pub(super) restarted: bool,
    pub(super) state: State,
    /// Known from the last fragment on.
    pub(super) info: FrameInfo,
}

impl Slot {
    /// Bytes of memory for a frame of `total` packets.
    pub(super) fn region(total: u16) -> usize {
        usize::from(total) * (FRAGMENT + 2)
    }

    pub(super) fn new(packet: &MediaPacket<'_>, restarted: bool) -> Self {
        Self {
            number: packet.frame,
            previous: packet.previous,
            start: 0,
            total: packet.total,
            have: 0,
            last_len: 0,
            joined: packet.joined.map_or(0, |joined| joined.info),
            key: packet.key,
            short: false,
            restarted,
            state: State::Filling,
            info: FrameInfo::UNKNOWN,
        }
    }

    /// Gives it a region.
    pub(super) fn place(&mut self, start: usize, memory: &mut [u8]) {
        self.start = start;
        if let Some(table) = memory.get_mut(start + self.data_len()..self.end()) {
            table.fill(ABSENT as u8);
        }
    }

    pub(super) fn lose(&mut self, now: Instant, reason: DropReason) {
        self.state = State::Lost { at: now, reason };
        self.start = 0;
    }

    /// Room for data: a whole fragment each.
    fn data_len(&self) -> usize {
        usize::from(self.total) * FRAGMENT
    }

    /// One past its region, which is empty once it is lost.
    pub(super) fn end(&self) -> usize {
        match self.state {
            State::Lost { .. } => self.start,
            State::Filling | State::Complete { .. } => self.start + Self::region(self.total),
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        matches!(self.state, State::Complete { .. })
    }

    /// Whether its fate is known.
    pub(super) fn is_resolved(&self) -> bool {
        self.resolved_at().is_some()
    }

    /// Since when its fate is known.
    pub(super) fn resolved_at(&self) -> Option<Instant> {
        match self.state {
            State::Complete { at, .. } | State::Lost { at, .. } if !self.restarted => Some(at),
            _ => None,
        }
    }

    /// The length table's entry of fragment `index`.
    fn entry<'a>(&self, index: u16, memory: &'a mut [u8]) -> Option<&'a mut [u8; 2]> {
        let at = self.start + self.data_len() + 2 * usize::from(index);
        memory.get_mut(at..)?.first_chunk_mut()
    }

    pub(super) fn store(&mut self, packet: &MediaPacket<'_>, memory: &mut [u8]) -> Stored {
        if !matches!(self.state, State::Filling) {
            return Stored::Duplicate;
        }
        let len = packet.payload.len();
        if packet.total != self.total
            || packet.index >= self.total
            || packet.key != self.key
            || packet.joined.map_or(0, |joined| joined.info) != self.joined
            || len > FRAGMENT
        {
            return Stored::Conflict;
        }
        let Some(entry) = self.entry(packet.index, memory) else {
            return Stored::Conflict;
        };
        if u16::from_le_bytes(*entry) != ABSENT {
            return Stored::Duplicate;
        }
        *entry = (len as u16).to_le_bytes();
        let at = self.start + usize::from(packet.index) * FRAGMENT;
        if let Some(room) = memory.get_mut(at..at + len) {
            room.copy_from_slice(packet.payload);
        }
        self.have += 1;
        if packet.last {
            self.info = packet.info.unwrap_or(FrameInfo::UNKNOWN);
            self.last_len = len as u16;
        } else {
            self.short |= len != FRAGMENT;
        }
        if self.have == self.total {
            Stored::Last
        } else {
            Stored::More
        }
    }

    /// Closes gaps behind short fragments and compares the length with the one declared.
    pub(super) fn complete(&mut self, now: Instant, memory: &mut [u8]) {
        let mut len = if self.short {
            self.close_gaps(memory)
        } else {
            self.data_len() - FRAGMENT + usize::from(self.last_len)
        };
        if self.joined != 0 && !self.part_info(&mut len, memory) {
            self.lose(now, DropReason::LengthMismatch);
            return;
        }
        self.key |= self.info.is_key();
        let declared = self.info.declared_length();
        if declared.is_some_and(|declared| usize::try_from(declared) != Ok(len)) {
            self.lose(now, DropReason::LengthMismatch);
        } else {
            self.state = State::Complete { at: now, len };
        }
    }

    /// Parts FRAMEINFO from a frame of `len` bytes that ends in it.
    fn part_info(&mut self, len: &mut usize, memory: &[u8]) -> bool {
        let whole = memory.get(self.start..self.start + *len);
        let found = whole
            .and_then(|whole| whole.split_at_checked(len.checked_sub(self.joined.into())?))
            .and_then(|(data, info)| Some((data.len(), FrameInfo::parse(info).ok()?)));
        let Some((data_len, info)) = found else {
            return false;
        };
        *len = data_len;
        self.info = info;
        true
    }

    fn close_gaps(&self, memory: &mut [u8]) -> usize {
        let mut len = 0;
        for index in 0..self.total {
            let here = self
                .entry(index, memory)
                .map_or(0, |b| u16::from_le_bytes(*b));
            let from = self.start + usize::from(index) * FRAGMENT;
            let to = self.start + len;
            // Never grows, so it stays inside of the region. Asked in a way that shows the compiler the same.
            let gap = from.saturating_sub(to);
            if gap > 0
                && let Some(region) = memory.get_mut(to..from + usize::from(here))
                && gap <= region.len()
            {
                region.copy_within(gap.., 0);
            }
            len += usize::from(here);
        }
        len
    }
}
