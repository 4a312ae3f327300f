//! The caller's memory.

use core::fmt;

pub use tutk_av::{ParityGroup, RESEND_SLOT, RepairMemory};

/// Memory of one session, bundled so that it can be a `static`.
///
/// | part | holds | 0 means |
/// |---|---|---|
/// | `VIDEO` | video frames in flight: about 1.5 times the largest key frame | chunk mode: fragments are passed on as they come |
/// | `AUDIO` | audio frames in flight: 8 KiB is ample | chunk mode |
/// | `HANDSHAKE` | one DTLS handshake message while it arrives in fragments | – (at least 256) |
/// | `CONTROL` | one fragmented IOCTRL while it arrives | fragmented IOCTRLs are dropped (no camera is known to send one) |
///
/// ```
/// use wyze_session::Memory;
/// let mut small: Memory<0, 0> = Memory::new(); // a microcontroller in chunk mode
/// let storage = small.split();
/// assert!(storage.video.is_empty());
/// ```
pub struct Memory<
    const VIDEO: usize,
    const AUDIO: usize,
    const HANDSHAKE: usize = 512,
    const CONTROL: usize = 0,
> {
    video: [u8; VIDEO],
    audio: [u8; AUDIO],
    handshake: [u8; HANDSHAKE],
    control: [u8; CONTROL],
}

impl<const VIDEO: usize, const AUDIO: usize, const HANDSHAKE: usize, const CONTROL: usize>
    Memory<VIDEO, AUDIO, HANDSHAKE, CONTROL>
{
    /// Zeroed memory.
    pub const fn new() -> Self {
        Self {
            video: [0; VIDEO],
            audio: [0; AUDIO],
            handshake: [0; HANDSHAKE],
            control: [0; CONTROL],
        }
    }

    /// Lends it to a session.
    pub fn split(&mut self) -> Storage<'_> {
        Storage {
            video: &mut self.video,
            audio: &mut self.audio,
            handshake: &mut self.handshake,
            control: &mut self.control,
            repair: None,
            resend: &mut [],
            talk_handshake: &mut [],
            parity: &mut [],
        }
    }
}

impl<const VIDEO: usize, const AUDIO: usize, const HANDSHAKE: usize, const CONTROL: usize> Default
    for Memory<VIDEO, AUDIO, HANDSHAKE, CONTROL>
{
    fn default() -> Self {
        Self::new()
    }
}

/// The memory of one session as slices of any size; [`Memory`] documents the first four. What lossless mode, talk and parity
/// take is not part of [`Memory`]: set it in what [`Memory::split`] answers.
#[derive(Default)]
pub struct Storage<'m> {
    /// Video frames in flight, bytes. Empty: chunk mode.
    pub video: &'m mut [u8],
    /// Audio frames in flight, bytes. Empty: chunk mode. A camera puts what a viewer says here: 16 KiB is ample, and
    /// without it there is no talk.
    pub audio: &'m mut [u8],
    /// One DTLS handshake message in fragments, bytes.
    pub handshake: &'m mut [u8],
    /// One IOCTRL in fragments, bytes.
    pub control: &'m mut [u8],
    /// A client in lossless mode: which packets are missing. Without it lossless mode is not asked for.
    pub repair: Option<&'m mut RepairMemory>,
    /// A camera in lossless mode: copies of what was sent, [`RESEND_SLOT`] bytes a packet; 512 packets cover 600 ms of
    /// 4 Mbit/s. Empty: nothing is sent twice.
    pub resend: &'m mut [u8],
    /// One DTLS handshake message of the talk channel in fragments, bytes: 512 is ample. Empty: no audio to the camera.
    pub talk_handshake: &'m mut [u8],
    /// Parity in lossless mode. A client, two groups or more: a packet that is the only one missing of its group is computed
    /// from the others, where the camera sends parity packets. A camera, one: it sends them. Empty: neither. What cameras put
    /// into them is inferred (`docs/protocol.md` §2.8).
    pub parity: &'m mut [ParityGroup],
}

/// Shows sizes: the content was decrypted.
impl fmt::Debug for Storage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage")
            .field("video", &self.video.len())
            .field("audio", &self.audio.len())
            .field("handshake", &self.handshake.len())
            .field("control", &self.control.len())
            .field("repair", &self.repair.is_some())
            .field("resend", &self.resend.len())
            .field("talk_handshake", &self.talk_handshake.len())
            .field("parity", &self.parity.len())
            .finish()
    }
}

/// Shows sizes: the content was decrypted.
impl<const VIDEO: usize, const AUDIO: usize, const HANDSHAKE: usize, const CONTROL: usize>
    fmt::Debug for Memory<VIDEO, AUDIO, HANDSHAKE, CONTROL>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory<{VIDEO}, {AUDIO}, {HANDSHAKE}, {CONTROL}>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_lent_all_of_the_memory_and_nothing_of_what_is_extra() {
        let mut memory = Memory::<1, 2, 3, 4>::new();
        let storage = memory.split();
        assert_eq!((storage.video.len(), storage.audio.len()), (1, 2));
        assert_eq!((storage.handshake.len(), storage.control.len()), (3, 4));
        assert!(storage.repair.is_none());
        assert!(storage.resend.is_empty() && storage.talk_handshake.is_empty());
        assert!(storage.parity.is_empty());
    }
}
