//! What an assembler is told, and what it tells.

use core::fmt;
use core::time::Duration;

use crate::redact::Len;
use crate::{FrameInfo, RepairConfig, Stream};

/// How an [`Assembler`](crate::Assembler) treats loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AssemblerConfig {
    /// How long a complete frame waits for earlier ones that are not. Longer than the network reorders; in lossless
    /// mode, longer than a repair takes.
    #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
    pub reorder: Duration,
    /// Deliver only what a decoder can use: begin at a key frame, and after a loss drop frames until the next one.
    pub gate: bool,
}

impl AssemblerConfig {
    /// 200 ms, gated.
    pub const VIDEO: Self = Self {
        reorder: Duration::from_millis(200),
        gate: true,
    };
    /// 600 ms, gated: as long as [`RepairConfig::DEFAULT`](crate::RepairConfig::DEFAULT) repairs.
    pub const VIDEO_LOSSLESS: Self = Self {
        reorder: RepairConfig::DEFAULT.deadline,
        gate: true,
    };
    /// 600 ms, not gated.
    pub const AUDIO_LOSSLESS: Self = Self {
        reorder: RepairConfig::DEFAULT.deadline,
        gate: false,
    };
    /// 200 ms, not gated.
    pub const AUDIO: Self = Self {
        reorder: Duration::from_millis(200),
        gate: false,
    };
}

/// Why a frame is not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum DropReason {
    /// Packets were lost.
    Incomplete {
        /// Packets that came.
        have: u16,
        /// Packets of the frame; 0 when none came.
        total: u16,
    },
    /// It can never fit into the memory lent.
    TooLarge {
        /// Bytes of memory that this frame takes: 1026 a packet. Lend some times as much.
        needed: usize,
    },
    /// A frame that it builds on is missing.
    Undecodable,
    /// The sender declares another length than it sent.
    LengthMismatch,
    /// Other frames held the memory.
    NoMemory,
}

/// A frame that is not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Dropped {
    /// Number of the frame in its stream.
    pub number: u32,
    /// Why.
    pub reason: DropReason,
}

/// What [`Assembler::poll`](crate::Assembler::poll) found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// A frame: see [`Assembler::frame`](crate::Assembler::frame).
    Frame(FrameRef),
    /// A frame was given up.
    Dropped(Dropped),
}

/// Names a frame that is still in the assembler's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameRef {
    pub(super) ticket: u32,
    pub(super) start: usize,
    pub(super) len: usize,
    pub(super) number: u32,
    pub(super) key: bool,
    pub(super) timestamp: u64,
    pub(super) info: FrameInfo,
}

/// A whole frame.
///
/// `Debug` tells the length of the data only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Video or audio.
    pub stream: Stream,
    /// Its number in the stream.
    pub number: u32,
    /// A key frame (video).
    pub key: bool,
    /// What the camera says about it.
    pub info: FrameInfo,
    /// Microseconds on the timeline of [`MediaClock`](crate::MediaClock).
    pub timestamp: u64,
    /// The coded frame.
    pub data: &'a [u8],
}

impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("stream", &self.stream)
            .field("number", &self.number)
            .field("key", &self.key)
            .field("info", &self.info)
            .field("timestamp", &self.timestamp)
            .field("data", &Len(self.data))
            .finish()
    }
}

/// What an [`Assembler`](crate::Assembler) has counted since it was made. Counters wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AssemblerStats {
    /// Packets pushed.
    pub packets: u32,
    /// Packets that had come before.
    pub duplicates: u32,
    /// Packets of frames that had been delivered or given up.
    pub late: u32,
    /// Packets that contradict earlier ones of their frame.
    pub conflicts: u32,
    /// Packets of the other stream.
    pub wrong_stream: u32,
    /// Packets that found all 16 places taken because [`Assembler::poll`](crate::Assembler::poll) was not called.
    pub no_slot: u32,
    /// Frames delivered.
    pub frames: u32,
    /// Frames given up, for whatever reason.
    pub dropped: u32,
    /// Frames forgotten silently: they came before the first key frame, or before the sender counted anew.
    pub forgotten: u32,
    /// How often the sender counted anew.
    pub restarts: u32,
}
