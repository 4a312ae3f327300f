//! Frames out of packets, in the caller's memory.
//!
//! ```text
//! push: packet ──► slot of its frame (at most 16 in flight), payload copied once to fragment × 1024
//! poll: the oldest frame first
//!         it follows what was handled last?  complete ──► Frame     lost ──► Dropped
//!                                            incomplete ──► wait ┐
//!         something before it is missing? ─────────────────► wait ┴─► `reorder` after a later frame was complete:
//!                                                                     give up what is missing ──► Dropped
//! ```
//! A frame with a number far off waits apart, and is the first to go when room is needed: the sender counts anew if eight
//! packets in a row say so, and else it is a stray.
//!
//! Memory of a frame of n packets: n × 1024 bytes, behind them n × 2 bytes for the length of each fragment, which also
//! say whether it has come. Regions are allotted first-fit. Source: `docs/protocol.md` §2.8, §2.9.

use core::fmt;
use core::time::Duration;

use heapless::Vec;
use tutk_core::Instant;

use crate::error::{count, count_all};
use crate::{MediaClock, MediaPacket, Stream};

mod output;
mod slot;

pub use output::{AssemblerConfig, AssemblerStats, DropReason, Dropped, Frame, FrameRef, Output};
use slot::{Slot, State};

/// Frames that may be incomplete, or wait for an earlier one, at the same time.
pub const MAX_IN_FLIGHT: usize = 16;

/// A frame number further from the edge, in either direction, perhaps means that the sender counts anew; a nearer one
/// behind the edge, that a packet is late.
const RESTART_DISTANCE: u32 = 256;
/// Packets in a row that must say so. Also late ones count of which the media counter tells that they are new.
const RESTART_PACKETS: u8 = 8;

/// Puts the frames of one stream together.
///
/// Packets may come in any order and more than once, of up to 16 frames at a time. Frames come out in order, each once,
/// and only when every byte is there. Call [`poll`](Self::poll) until `None` after each [`push`](Self::push), and when
/// [`poll_timeout`](Self::poll_timeout) is due.
pub struct Assembler<'m> {
    stream: Stream,
    config: AssemblerConfig,
    memory: &'m mut [u8],
    /// In no order.
    slots: Vec<Slot, MAX_IN_FLIGHT>,
    /// Slot that the last packet went to: the next one mostly goes there, too.
    recent: usize,
    /// Slot of the frame that was delivered last, until the next push or poll.
    delivered: Option<usize>,
    ticket: u32,
    /// Number of the last frame delivered or given up.
    edge: Option<u32>,
    /// Number of the last frame delivered.
    last: Option<u32>,
    /// Packets in a row that look like those of a sender that counts anew.
    restart_run: u8,
    /// The furthest media counter of this stream.
    newest: Option<u16>,
    clock: MediaClock,
    stats: AssemblerStats,
}

impl fmt::Debug for Assembler<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assembler")
            .field("stream", &self.stream)
            .field("config", &self.config)
            .field("slots", &self.slots)
            .field("edge", &self.edge)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

/// Numbers from one to the other, whichever comes first.
fn distance(a: u32, b: u32) -> u32 {
    a.wrapping_sub(b).min(b.wrapping_sub(a))
}

/// Whether both may be in flight at once.
fn is_near(a: u32, b: u32) -> bool {
    distance(a, b) <= RESTART_DISTANCE
}

/// Whether `a` comes before `b` among numbers that wrap.
fn before(a: u32, b: u32) -> bool {
    a != b && b.wrapping_sub(a) < 1 << 31
}

impl<'m> Assembler<'m> {
    /// Puts the frames of `stream` together in `memory`: 1026 bytes a packet of each frame in flight, so some times the
    /// largest frame.
    pub fn new(stream: Stream, memory: &'m mut [u8], config: AssemblerConfig) -> Self {
        Self {
            stream,
            config,
            memory,
            slots: Vec::new(),
            recent: 0,
            delivered: None,
            ticket: 0,
            edge: None,
            last: None,
            restart_run: 0,
            newest: None,
            clock: MediaClock::new(),
            stats: AssemblerStats::default(),
        }
    }

    /// What has been counted.
    pub fn stats(&self) -> AssemblerStats {
        self.stats
    }

    /// Changes [`AssemblerConfig::reorder`] from now on, also for frames that wait already.
    pub fn set_reorder(&mut self, reorder: Duration) {
        self.config.reorder = reorder;
    }

    /// Forgets all frames, as at the start of a stream.
    pub fn reset(&mut self) {
        self.slots.clear();
        self.delivered = None;
        self.edge = None;
        self.last = None;
        self.restart_run = 0;
        self.newest = None;
        self.clock = MediaClock::new();
    }

    /// Takes a packet. Its payload is copied to its place.
    pub fn push(&mut self, now: Instant, packet: &MediaPacket<'_>) {
        self.release();
        count(&mut self.stats.packets);
        if packet.stream != self.stream {
            count(&mut self.stats.wrong_stream);
            return;
        }
        let is_new = self.is_new(packet.counter);
        if self.is_late(packet.frame) {
            count(&mut self.stats.late);
            // The rest of the frame that was given up last is no sign of anything.
            if is_new && self.edge != Some(packet.frame) {
                self.watch_restart(packet);
            }
            return;
        }
        let Some(i) = self.find(packet.frame).or_else(|| self.open(now, packet)) else {
            return;
        };
        self.recent = i;
        self.store(i, now, packet);
        if self.slots.get(i).is_some_and(|slot| slot.restarted) {
            self.watch_restart(packet);
        } else {
            self.restart_run = 0;
        }
    }

    /// The next frame, or the next to be given up. Call until `None`.
    pub fn poll(&mut self, now: Instant) -> Option<Output> {
        self.release();
        // After most packets nothing has become of any frame, and there is room for more.
        if !self.slots.is_full() && !self.slots.iter().any(Slot::is_resolved) {
            return None;
        }
        self.poll_resolved(now)
    }

    /// [`poll`](Self::poll) where a frame's fate is known, or one has to go to make room.
    #[inline(never)]
    fn poll_resolved(&mut self, now: Instant) -> Option<Output> {
        if self.slots.is_full() {
            self.evict_restarted();
        }
        let overdue = self.is_overdue(now);
        if !overdue && !self.slots.iter().any(Slot::is_resolved) {
            return None;
        }
        let edge = self.begin(overdue)?;
        let i = self.oldest(|slot| !slot.restarted)?;
        let slot = self.slots.get(i)?;
        let (number, next) = (slot.number, edge.wrapping_add(1));
        // The sender may skip numbers; then `previous` tells that nothing is missing.
        let follows = number == next || (slot.previous == edge && edge != 0);
        match slot.state {
            State::Complete { at, len } if follows => Some(self.finish(i, at, len)),
            State::Lost { reason, .. } if follows => Some(self.give_up(i, reason)),
            State::Filling if follows && overdue => {
                let (have, total) = (slot.have, slot.total);
                Some(self.give_up(i, DropReason::Incomplete { have, total }))
            }
            _ if follows || !overdue => None,
            _ => {
                // No packet came of `next`.
                self.edge = Some(next);
                Some(self.drop_frame(next, DropReason::Incomplete { have: 0, total: 0 }))
            }
        }
    }

    /// The frame that [`poll`](Self::poll) named; empty once [`push`](Self::push) or `poll` has been called again.
    pub fn frame(&self, r: FrameRef) -> Frame<'_> {
        let current = self.delivered.is_some() && r.ticket == self.ticket;
        let data = current.then(|| self.memory.get(r.start..r.start.saturating_add(r.len)));
        Frame {
            stream: self.stream,
            number: r.number,
            key: r.key,
            info: r.info,
            timestamp: r.timestamp,
            data: data.flatten().unwrap_or_default(),
        }
    }

    /// When [`poll`](Self::poll) will give up what is missing; `None` when nothing waits.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let waiting = self.slots.iter().filter_map(Slot::resolved_at).min()?;
        Some(waiting + self.config.reorder)
    }

    /// Whether the media counter is beyond all that came before.
    fn is_new(&mut self, counter: u16) -> bool {
        let is_new = self
            .newest
            .is_none_or(|newest| counter != newest && counter.wrapping_sub(newest) < 1 << 15);
        if is_new {
            self.newest = Some(counter);
        }
        is_new
    }

    /// Whether the frame has been handled.
    fn is_late(&self, frame: u32) -> bool {
        let behind = self.edge.map(|edge| edge.wrapping_sub(frame));
        behind.is_some_and(|behind| behind <= RESTART_DISTANCE)
    }

    /// Frees the memory of the frame that was delivered last.
    fn release(&mut self) {
        if let Some(i) = self.delivered.take()
            && i < self.slots.len()
        {
            self.slots.swap_remove(i);
        }
    }

    fn find(&self, number: u32) -> Option<usize> {
        match self.slots.get(self.recent) {
            Some(slot) if slot.number == number => Some(self.recent),
            _ => self.slots.iter().position(|slot| slot.number == number),
        }
    }

    /// The lowest-numbered slot of those that `select` picks.
    fn oldest(&self, select: impl Fn(&Slot) -> bool) -> Option<usize> {
        let mut oldest: Option<(usize, u32)> = None;
        for (i, slot) in self.slots.iter().enumerate() {
            if select(slot) && oldest.is_none_or(|(_, number)| before(slot.number, number)) {
                oldest = Some((i, slot.number));
            }
        }
        oldest.map(|(i, _)| i)
    }

    /// Makes a slot for the first packet of a frame.
    fn open(&mut self, now: Instant, packet: &MediaPacket<'_>) -> Option<usize> {
        let restarted = match self.edge {
            Some(edge) => !is_near(packet.frame, edge),
            None => {
                let mut in_order = self.slots.iter().filter(|slot| !slot.restarted);
                in_order.any(|slot| !is_near(slot.number, packet.frame))
            }
        };
        if self.slots.is_full() {
            self.evict_restarted();
        }
        if self.slots.is_full() {
            count(&mut self.stats.no_slot);
            return None;
        }
        let needed = Slot::region(packet.total);
        let mut slot = Slot::new(packet, restarted);
        if needed > self.memory.len() {
            slot.lose(now, DropReason::TooLarge { needed });
        } else {
            match self.allot(now, &slot, needed) {
                Some(start) => slot.place(start, self.memory),
                None => slot.lose(now, DropReason::NoMemory),
            }
        }
        self.slots.push(slot).ok()?;
        self.slots.len().checked_sub(1)
    }

    /// First free region of `needed` bytes for the frame `new`. Abandons others until there is one, those with numbers far
    /// off first and then the oldest incomplete ones; but none newer than `new`, and none if that could not suffice.
    fn allot(&mut self, now: Instant, new: &Slot, needed: usize) -> Option<usize> {
        let may_go = |slot: &Slot| {
            let filling = matches!(slot.state, State::Filling);
            slot.restarted || (filling && !new.restarted && !before(new.number, slot.number))
        };
        let kept = self.slots.iter().filter(|slot| !may_go(slot));
        let held: usize = kept.map(|slot| slot.end() - slot.start).sum();
        if held + needed > self.memory.len() {
            return None;
        }
        loop {
            if let Some(start) = self.first_fit(needed) {
                return Some(start);
            }
            if self.evict_restarted() {
                continue;
            }
            let victim = self.oldest(may_go)?;
            self.slots.get_mut(victim)?.lose(now, DropReason::NoMemory);
        }
    }

    fn first_fit(&self, needed: usize) -> Option<usize> {
        let mut start = 0usize;
        loop {
            let end = start.checked_add(needed)?;
            if end > self.memory.len() {
                return None;
            }
            // Each turn moves past a region for good, so there are at most 17.
            let in_the_way = |slot: &&Slot| slot.start < end && start < slot.end();
            match self.slots.iter().find(in_the_way) {
                Some(slot) => start = slot.end(),
                None => return Some(start),
            }
        }
    }

    /// Forgets one frame with a number far off; `false` when there is none.
    fn evict_restarted(&mut self) -> bool {
        let found = self.slots.iter().position(|slot| slot.restarted);
        if let Some(i) = found {
            self.slots.swap_remove(i);
            count(&mut self.stats.forgotten);
        }
        found.is_some()
    }

    fn store(&mut self, i: usize, now: Instant, packet: &MediaPacket<'_>) {
        let Some(slot) = self.slots.get_mut(i) else {
            return;
        };
        match slot.store(packet, self.memory) {
            slot::Stored::More => {}
            slot::Stored::Last => slot.complete(now, self.memory),
            slot::Stored::Duplicate => count(&mut self.stats.duplicates),
            slot::Stored::Conflict => count(&mut self.stats.conflicts),
        }
    }

    /// Counts packets that look like those of a sender that counts anew; enough of them in a row begin the stream anew.
    fn watch_restart(&mut self, packet: &MediaPacket<'_>) {
        self.restart_run += 1;
        if self.restart_run < RESTART_PACKETS {
            return;
        }
        let len = self.slots.len();
        // So that those which are kept are near each other, too.
        self.slots.retain(|slot| {
            slot.restarted && distance(slot.number, packet.frame) <= RESTART_DISTANCE / 2
        });
        for slot in &mut self.slots {
            slot.restarted = false;
        }
        count_all(&mut self.stats.forgotten, (len - self.slots.len()) as u32);
        count(&mut self.stats.restarts);
        self.restart_run = 0;
        self.edge = None;
        self.last = None;
        self.newest = Some(packet.counter);
    }

    /// Whether waiting is over: a complete frame has waited long enough, or there is no place for another one.
    fn is_overdue(&self, now: Instant) -> bool {
        self.slots.is_full() || self.poll_timeout().is_some_and(|at| at <= now)
    }

    /// The edge, found first if the stream has none: at the first key frame of a gated stream; at frame 1; or at
    /// whatever is oldest when waiting is over.
    fn begin(&mut self, overdue: bool) -> Option<u32> {
        if self.config.gate && self.last.is_none() {
            let key = self.oldest(|slot| slot.is_complete() && slot.key && !slot.restarted);
            if let Some(number) = key.and_then(|i| self.slots.get(i)).map(|slot| slot.number) {
                let len = self.slots.len();
                self.slots
                    .retain(|slot| slot.restarted || !before(slot.number, number));
                count_all(&mut self.stats.forgotten, (len - self.slots.len()) as u32);
                self.edge = Some(number.wrapping_sub(1));
            }
        }
        if self.edge.is_none() {
            let oldest = self.oldest(|slot| !slot.restarted)?;
            let slot = self.slots.get(oldest)?;
            let is_first = !self.config.gate && slot.is_complete() && slot.number <= 1;
            if is_first || overdue {
                self.edge = Some(slot.number.wrapping_sub(1));
            }
        }
        self.edge
    }

    /// Delivers the complete frame in slot `i`, if a decoder can use it.
    fn finish(&mut self, i: usize, at: Instant, len: usize) -> Output {
        let Some(slot) = self.slots.get(i) else {
            return self.give_up(i, DropReason::Undecodable);
        };
        let chained = self.last.is_some_and(|last| {
            last == slot.number.wrapping_sub(1) || (last == slot.previous && last != 0)
        });
        if self.config.gate && !slot.key && !chained {
            return self.give_up(i, DropReason::Undecodable);
        }
        self.edge = Some(slot.number);
        self.last = Some(slot.number);
        self.ticket = self.ticket.wrapping_add(1);
        count(&mut self.stats.frames);
        self.delivered = Some(i);
        Output::Frame(FrameRef {
            ticket: self.ticket,
            start: slot.start,
            len,
            number: slot.number,
            key: slot.key,
            timestamp: self.clock.timestamp(at, &slot.info),
            info: slot.info,
        })
    }

    /// Gives up the frame in slot `i`.
    fn give_up(&mut self, i: usize, reason: DropReason) -> Output {
        let number = self.slots.get(i).map_or(0, |slot| slot.number);
        if i < self.slots.len() {
            self.slots.swap_remove(i);
        }
        self.edge = Some(number);
        self.drop_frame(number, reason)
    }

    fn drop_frame(&mut self, number: u32, reason: DropReason) -> Output {
        count(&mut self.stats.dropped);
        tutk_core::debug!("frame {} given up", number);
        Output::Dropped(Dropped { number, reason })
    }

    /// Checks what must always hold; for tests and fuzzing.
    ///
    /// # Errors
    /// What does not hold.
    #[doc(hidden)]
    pub fn check_invariants(&self) -> Result<(), &'static str> {
        for (i, slot) in self.slots.iter().enumerate() {
            if slot.end() > self.memory.len() {
                return Err("a region ends outside of the memory");
            }
            if slot.have > slot.total {
                return Err("more fragments than the frame has");
            }
            let stale = self.edge.is_some_and(|edge| !before(edge, slot.number));
            if stale && !slot.restarted && self.delivered != Some(i) {
                return Err("a frame that was handled is still in flight");
            }
            for other in self.slots.iter().skip(i + 1) {
                if other.number == slot.number {
                    return Err("two slots of one frame");
                }
                let apart = slot.end() <= other.start || other.end() <= slot.start;
                if !apart && slot.end() != slot.start && other.end() != other.start {
                    return Err("two regions overlap");
                }
            }
        }
        Ok(())
    }
}
