//! Memory of one session; a thread keeps some and lends them again and again.

use wyze_session::{RESEND_SLOT, RepairMemory, Storage};

/// Memory of one endpoint.
#[derive(Debug)]
pub struct Room {
    video: Vec<u8>,
    audio: Vec<u8>,
    handshake: [u8; 512],
    control: [u8; 1024],
    repair: RepairMemory,
    resend: Vec<u8>,
    talk_handshake: [u8; 512],
}

impl Room {
    /// `video` and `audio` in bytes, `resend` in packets.
    pub fn new(video: usize, audio: usize, resend: usize) -> Self {
        Self {
            video: vec![0; video],
            audio: vec![0; audio],
            handshake: [0; 512],
            control: [0; 1024],
            repair: RepairMemory::new(),
            resend: vec![0; resend * RESEND_SLOT],
            talk_handshake: [0; 512],
        }
    }

    /// Lends it; in chunk mode without memory for frames.
    pub fn storage(&mut self, chunks: bool, talk: bool) -> Storage<'_> {
        let (frames, memory) = (if chunks { 0 } else { self.video.len() }, self.audio.len());
        Storage {
            video: &mut self.video[..frames],
            audio: &mut self.audio[..if chunks { 0 } else { memory }],
            handshake: &mut self.handshake,
            control: &mut self.control,
            repair: Some(&mut self.repair),
            resend: &mut self.resend,
            talk_handshake: if talk {
                &mut self.talk_handshake
            } else {
                &mut []
            },
            ..Storage::default()
        }
    }
}
