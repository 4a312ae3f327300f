//! Reassembly by the same rules as [`tutk_av::Assembler`], with maps and no thrift: what it must say of packets of numbers
//! that neither wrap nor are 256 apart, with memory for as many frames as it holds.
//!
//! The tests of `tutk-av` have this file by its path.

use std::collections::BTreeMap;

use tutk_av::{AssemblerConfig, DropReason, MAX_IN_FLIGHT, MediaPacket};
use tutk_core::Instant;

/// The model of one stream. Call [`poll`](Self::poll) as the assembler's.
#[derive(Debug)]
pub(crate) struct Model {
    config: AssemblerConfig,
    frames: BTreeMap<u32, Frame>,
    /// Number of the last frame delivered or given up.
    edge: Option<u32>,
    /// Number of the last frame delivered.
    last: Option<u32>,
}

#[derive(Debug)]
struct Frame {
    key: bool,
    total: u16,
    parts: BTreeMap<u16, Vec<u8>>,
    done: Option<Instant>,
}

/// Number of a frame, and its bytes or why there are none.
pub(crate) type Outcome = (u32, Result<Vec<u8>, DropReason>);

impl Model {
    /// Before the first packet.
    pub(crate) fn new(config: AssemblerConfig) -> Self {
        Self {
            config,
            frames: BTreeMap::new(),
            edge: None,
            last: None,
        }
    }

    /// Frames in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.frames.len()
    }

    /// Takes a packet.
    pub(crate) fn push(&mut self, now: Instant, packet: &MediaPacket<'_>) {
        if self.edge.is_some_and(|edge| packet.frame <= edge) {
            return;
        }
        let frame = self.frames.entry(packet.frame).or_insert(Frame {
            key: packet.key,
            total: packet.total,
            parts: BTreeMap::new(),
            done: None,
        });
        frame
            .parts
            .entry(packet.index)
            .or_insert_with(|| packet.payload.to_vec());
        if frame.parts.len() == usize::from(frame.total) && frame.done.is_none() {
            frame.done = Some(now);
        }
    }

    /// The next frame, or the next to be given up.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Outcome> {
        let waited = |at| at + self.config.reorder <= now;
        let overdue = self.frames.len() >= MAX_IN_FLIGHT
            || self.frames.values().any(|f| f.done.is_some_and(waited));
        if self.config.gate && self.last.is_none() {
            let key = self
                .frames
                .iter()
                .find(|(_, frame)| frame.key && frame.done.is_some());
            if let Some((&number, _)) = key {
                self.frames = self.frames.split_off(&number);
                self.edge = Some(number - 1);
            }
        }
        let (&number, frame) = self.frames.first_key_value()?;
        let is_first = !self.config.gate && frame.done.is_some() && number <= 1;
        if self.edge.is_none() && (overdue || is_first) {
            self.edge = Some(number - 1);
        }
        let next = self.edge? + 1;
        let incomplete = |have, total| Err(DropReason::Incomplete { have, total });
        let outcome = if number != next {
            if !overdue {
                return None;
            }
            incomplete(0, 0)
        } else if frame.done.is_some() {
            if self.config.gate && !frame.key && self.last != Some(number - 1) {
                Err(DropReason::Undecodable)
            } else {
                self.last = Some(number);
                Ok(frame.parts.values().flatten().copied().collect())
            }
        } else if overdue {
            incomplete(frame.parts.len() as u16, frame.total)
        } else {
            return None;
        };
        self.frames.remove(&next);
        self.edge = Some(next);
        Some((next, outcome))
    }
}
