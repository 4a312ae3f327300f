//! Which media packets are missing, and when to ask for them: the receiver's half of lossless mode.
//!
//! ```text
//! counter jumps ──► hole ── allowance for reordering ──► asked ── retry, 2 × round trip + 20 ms ──► asked again …
//!                     │                                    │                          │
//!                     └─ original or copy comes: filled ───┴──────────────────────────┴─► deadline: given up
//! ```
//! Everything at or below the highest counter that is no hole has come or was given up, so holes are all there is to
//! remember: sorted, at most 256, the oldest given up for the newest. Source: `docs/protocol.md` §2.6, §2.8.

use core::time::Duration;

use heapless::Vec;
use tutk_core::Instant;

use crate::error::{count, count_all};
use crate::{LinkStats, MediaPacket};

/// Missing packets remembered.
const MAX_HOLES: usize = 256;
/// Missing packets that one ACK asks for.
pub(crate) const MAX_LISTED: usize = 128;
/// Counters further from the highest one mean an outage, or that the sender counts anew.
const WINDOW: u16 = 1024;
/// Packets in a row that must lie outside of the window.
const RESTART_PACKETS: u8 = 8;
/// A first counter below this belongs to a stream that began at 0.
const FRESH: u16 = 64;
/// How long a hole may turn out to be mere reordering, milliseconds: to begin with, at least, at most.
const ALLOWANCE_MS: [u32; 3] = [20, 15, 60];
/// Between two requests for the same packet, milliseconds: at least, at most, and while the round trip is unknown.
const RETRY_MS: [u32; 3] = [100, 250, 150];
/// Between two ACKs that ask.
const QUIET_MS: u64 = 10;

/// How lossless mode repairs what the network lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RepairConfig {
    /// How long a missing packet is asked for. Give the [`Assembler`](crate::Assembler) as long
    /// ([`AssemblerConfig::VIDEO_LOSSLESS`](crate::AssemblerConfig::VIDEO_LOSSLESS)).
    #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
    pub deadline: Duration,
}

impl RepairConfig {
    /// 600 ms: up to six requests.
    pub const DEFAULT: Self = Self {
        deadline: Duration::from_millis(600),
    };
}

impl Default for RepairConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A media packet that has not come.
#[derive(Debug, Clone, Copy)]
struct Hole {
    counter: u16,
    /// When it was noticed, and when it is to be asked for next; low bits of the millisecond clock.
    since: u32,
    due: u32,
}

/// Memory for the list of missing packets, about 3 KiB. Lend it with
/// [`Initiator::lend_repair`](crate::Initiator::lend_repair).
#[derive(Debug, Default)]
pub struct RepairMemory {
    /// In the order of their counters.
    holes: Vec<Hole, MAX_HOLES>,
}

impl RepairMemory {
    /// Empty memory.
    pub const fn new() -> Self {
        Self { holes: Vec::new() }
    }
}

#[derive(Debug)]
pub(crate) struct Repair<'m> {
    holes: &'m mut Vec<Hole, MAX_HOLES>,
    deadline_ms: u32,
    highest: Option<u16>,
    /// Packets in a row outside of the window.
    strays: u8,
    /// How late an original may come, 1/64 milliseconds.
    allowance: u32,
    /// When [`requests`](Self::requests) has something to do.
    next: Option<Instant>,
    quiet_until: Instant,
}

fn millis(now: Instant) -> u32 {
    now.as_millis() as u32
}

/// Whether the moment `at` has come; both are the low bits of a millisecond clock.
fn reached(now: u32, at: u32) -> bool {
    now.wrapping_sub(at) < 1 << 31
}

/// Between two requests for the same packet.
pub(crate) fn retry_ms(rtt_ms: Option<u16>) -> u32 {
    let [least, most, unknown] = RETRY_MS;
    rtt_ms.map_or(unknown, |rtt| (2 * u32::from(rtt) + 20).clamp(least, most))
}

/// The counter with which a stream must have begun, of which `packet` is the first to come.
fn first_counter(packet: &MediaPacket<'_>) -> u16 {
    if packet.counter < FRESH {
        0
    } else {
        packet.counter.wrapping_sub(packet.index.min(WINDOW))
    }
}

impl<'m> Repair<'m> {
    pub(crate) fn new(memory: &'m mut RepairMemory, config: RepairConfig) -> Self {
        memory.holes.clear();
        Self {
            holes: &mut memory.holes,
            deadline_ms: u32::try_from(config.deadline.as_millis()).unwrap_or(u32::MAX >> 2),
            highest: None,
            strays: 0,
            allowance: ALLOWANCE_MS[0] * 64,
            next: None,
            quiet_until: Instant::ZERO,
        }
    }

    /// Forgets everything, in the same memory.
    pub(crate) fn clear(&mut self) {
        self.holes.clear();
        self.highest = None;
        self.strays = 0;
        self.allowance = ALLOWANCE_MS[0] * 64;
        self.next = None;
        self.quiet_until = Instant::ZERO;
    }

    /// Highest counter seen.
    pub(crate) fn highest(&self) -> Option<u16> {
        self.highest
    }

    /// Highest counter up to which nothing is missing; 0xffff, the one before 0, when everything is.
    pub(crate) fn edge(&self) -> u16 {
        match (self.holes.first(), self.highest) {
            (Some(hole), _) => hole.counter.wrapping_sub(1),
            (None, Some(highest)) => highest,
            (None, None) => u16::MAX,
        }
    }

    /// Notes that a packet has come. `recovered`: it was computed from parity.
    pub(crate) fn received(
        &mut self,
        now: Instant,
        packet: &MediaPacket<'_>,
        recovered: bool,
        stats: &mut LinkStats,
    ) {
        let Some(highest) = self.highest else {
            self.highest = Some(packet.counter);
            return self.open(now, first_counter(packet), packet.counter, stats);
        };
        let ahead = packet.counter.wrapping_sub(highest);
        let behind = highest.wrapping_sub(packet.counter);
        if ahead == 1 {
            self.highest = Some(packet.counter);
        } else if behind <= WINDOW {
            self.fill(now, behind, packet.resent, recovered, stats);
        } else if ahead <= WINDOW {
            self.open(now, highest.wrapping_add(1), packet.counter, stats);
            self.highest = Some(packet.counter);
        } else {
            self.strays += 1;
            if self.strays < RESTART_PACKETS {
                return;
            }
            count_all(&mut stats.rx_abandoned, self.holes.len() as u32);
            self.holes.clear();
            self.next = None;
            self.highest = Some(packet.counter);
        }
        self.strays = 0;
    }

    /// Notes that `from` and all up to, but without, `to` are missing.
    fn open(&mut self, now: Instant, from: u16, to: u16, stats: &mut LinkStats) {
        let count = usize::from(to.wrapping_sub(from));
        if count == 0 {
            return;
        }
        count_all(&mut stats.rx_holes, count as u32);
        let kept = count.min(MAX_HOLES);
        let excess = (self.holes.len() + kept).saturating_sub(MAX_HOLES);
        count_all(&mut stats.rx_abandoned, (excess + count - kept) as u32);
        let mut position = 0;
        self.holes.retain(|_| {
            position += 1;
            position > excess
        });
        let since = millis(now);
        let wait = self.allowance.div_ceil(64);
        let due = since.wrapping_add(wait);
        for i in count - kept..count {
            let counter = from.wrapping_add(i as u16);
            // Room was made for all of them.
            let _ = self.holes.push(Hole {
                counter,
                since,
                due,
            });
        }
        let at = Instant::from_millis(now.as_millis() + u64::from(wait)).max(self.quiet_until);
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }

    fn fill(
        &mut self,
        now: Instant,
        behind: u16,
        resent: bool,
        recovered: bool,
        stats: &mut LinkStats,
    ) {
        let highest = self.highest.unwrap_or_default();
        let found = self
            .holes
            .binary_search_by(|hole| behind.cmp(&highest.wrapping_sub(hole.counter)));
        let (Ok(i), hole) = (found, found.ok().and_then(|i| self.holes.get(i).copied())) else {
            count_all(&mut stats.rx_resent_in_vain, u32::from(resent));
            return;
        };
        if i < self.holes.len() {
            self.holes.remove(i);
        }
        if resent {
            count(&mut stats.rx_repaired);
        } else if let (Some(hole), false) = (hole, recovered) {
            // Only reordered: wait that long the next time.
            let late = millis(now).wrapping_sub(hole.since).saturating_add(5);
            let [_, _, most] = ALLOWANCE_MS;
            self.allowance = self.allowance.max(late.min(most) * 64);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.next.is_some_and(|next| next <= now)
    }

    /// Lists what is to be asked for now, and gives up what has been missing for too long.
    pub(crate) fn requests(
        &mut self,
        now: Instant,
        rtt_ms: Option<u16>,
        list: &mut Vec<u16, MAX_LISTED>,
        stats: &mut LinkStats,
    ) {
        let [_, least, _] = ALLOWANCE_MS;
        // Forgets a burst of reordering within some seconds.
        self.allowance -= self.allowance.saturating_sub(least * 64) / 128;
        if !self.is_due(now) {
            return;
        }
        let (now_ms, retry) = (millis(now), retry_ms(rtt_ms));
        let (before, deadline) = (self.holes.len(), self.deadline_ms);
        self.holes
            .retain(|hole| now_ms.wrapping_sub(hole.since) < deadline);
        count_all(&mut stats.rx_abandoned, (before - self.holes.len()) as u32);
        let mut soonest: Option<u32> = None;
        for hole in self.holes.iter_mut() {
            if reached(now_ms, hole.due) && list.push(hole.counter).is_ok() {
                let end = hole.since.wrapping_add(deadline);
                let again = now_ms.wrapping_add(retry);
                hole.due = if reached(again, end) { end } else { again };
            }
            let wait = match reached(now_ms, hole.due) {
                true => 0,
                false => hole.due.wrapping_sub(now_ms),
            };
            soonest = Some(soonest.map_or(wait, |soonest| soonest.min(wait)));
        }
        count_all(&mut stats.tx_requests, list.len() as u32);
        self.quiet_until = Instant::from_millis(now.as_millis() + QUIET_MS);
        self.next = soonest.map(|wait| {
            Instant::from_millis(now.as_millis() + u64::from(wait)).max(self.quiet_until)
        });
    }
}

#[cfg(test)]
mod tests;
