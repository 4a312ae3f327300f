//! Either end of a session with the laws that it must hold, whoever its peer is.

mod app;
mod cam;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use tutk_core::{Cx, Instant};
use wyze_session::{
    AudioFormat, Enr, Framings, Generation, Mac, ParityGroup, PlainPolicy, RESEND_SLOT,
    RepairMemory, Storage, Stream, Suites, Transmit, Uid,
};

pub(super) use app::App;
pub(super) use cam::Cam;

/// Most that an endpoint may send between two inputs, whoever those came from.
pub(super) const MAX_BURST: usize = 80;
/// Most events of one input: two streams, each of which holds 16 frames and gives up as many as 256 numbers.
const MAX_EVENTS: usize = 600;
/// Most datagrams in answer to one that nobody authenticated (`docs/decisions/0024`).
pub(super) const ANSWERS: usize = 1;
/// close_notify on both channels, three times IOTC close: what may follow, once, when a session ends.
pub(super) const GOODBYE: usize = 5;
/// Further than that an assembler may think that the sender counts anew.
const MAX_FRAMES: u32 = 250;

/// Of all audio.
const FORMAT: AudioFormat = AudioFormat {
    sample_rate: 8000,
    bits: 16,
    channels: 1,
};

pub(super) fn app() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 50000))
}

pub(super) fn device() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 2], 32761))
}

pub(super) fn identity() -> (Uid, Enr, Mac) {
    (
        "SIMCAMSIMCAMSIMCAM11".parse().expect("a UID"),
        Enr::new("sim-enr-16byte!!").expect("an ENR"),
        Mac::new("00AA11BB22CC").expect("a MAC"),
    )
}

/// What the first byte of an input chooses.
#[derive(Clone, Copy)]
pub(super) struct Choice(pub(super) u8);

impl Choice {
    /// Bits 0 and 1.
    pub(super) fn suites(self) -> Suites {
        match self.0 & 3 {
            0 => Suites::CHACHA,
            1 => Suites::ALL,
            _ => Suites::CBC,
        }
    }

    /// Bit 2. Without DTLS there is no CC51, but a viewer may look for it.
    pub(super) fn framings(self) -> Framings {
        match (self.0 & 4, self.generation().is_plain()) {
            (0, _) => Framings::TRANSCODE,
            (_, false) => Framings::CC51,
            (_, true) => Framings::BOTH,
        }
    }

    /// Bit 3: a cookie before the handshake; and parity, where there is lossless mode.
    pub(super) fn cookie(self) -> bool {
        self.0 & 8 != 0
    }

    /// Bit 4: chunks, not frames.
    pub(super) fn chunks(self) -> bool {
        self.0 & 16 != 0
    }

    /// Bit 5: not in lossless mode.
    pub(super) fn resend(self) -> bool {
        self.0 & 32 == 0
    }

    /// Bits 6 and 7.
    pub(super) fn generation(self) -> Generation {
        match self.0 >> 6 {
            0 => Generation::Dtls,
            2 => Generation::Session16,
            _ => Generation::Session25,
        }
    }

    /// The last value of bits 6 and 7: nothing but DTLS, with a camera that speaks none.
    pub(super) fn plain(self) -> PlainPolicy {
        if self.0 >> 6 == 3 {
            PlainPolicy::Refused
        } else {
            PlainPolicy::Allowed
        }
    }
}

/// Memory of one endpoint, small enough to run out of.
pub(super) struct Room {
    video: Vec<u8>,
    audio: Vec<u8>,
    handshake: [u8; 512],
    control: [u8; 1024],
    repair: RepairMemory,
    resend: Vec<u8>,
    parity: Vec<ParityGroup>,
    talk: [u8; 512],
}

impl Room {
    pub(super) fn new(video: usize, choice: Choice) -> Self {
        Self {
            video: vec![0; video],
            audio: vec![0; 2048],
            handshake: [0; 512],
            control: [0; 1024],
            repair: RepairMemory::new(),
            resend: vec![0; 8 * RESEND_SLOT],
            parity: vec![ParityGroup::new(); 2 * usize::from(choice.cookie())],
            talk: [0; 512],
        }
    }

    pub(super) fn storage(&mut self) -> Storage<'_> {
        Storage {
            video: &mut self.video,
            audio: &mut self.audio,
            handshake: &mut self.handshake,
            control: &mut self.control,
            repair: Some(&mut self.repair),
            resend: &mut self.resend,
            talk_handshake: &mut self.talk,
            parity: &mut self.parity,
        }
    }
}

/// Either endpoint, as far as a fuzzer cares. Every method checks the laws.
pub(super) trait Endpoint {
    fn give(&mut self, cx: &mut Cx<'_>, from: SocketAddr, bytes: &mut [u8]);
    fn timeout(&mut self, cx: &mut Cx<'_>);
    fn drain(&mut self, cx: &mut Cx<'_>, out: &mut VecDeque<Vec<u8>>);
    /// One of the calls that an application makes.
    fn call(&mut self, cx: &mut Cx<'_>, which: u8, out: &mut VecDeque<Vec<u8>>);
    fn deadline(&self) -> Option<Instant>;
    fn is_closed(&self) -> bool;
    /// Whether the peer has proved that it has the keys.
    fn is_secured(&self) -> bool;

    /// After a timeout and all that it brought about.
    ///
    /// # Panics
    /// The deadline is in the past still, or far off.
    fn assert_served(&self, now: Instant) {
        if let Some(at) = self.deadline() {
            assert!(at > now, "a timer that was served stays at {at:?}");
            assert!(at <= now + Duration::from_secs(60), "{at:?} is far off");
        }
    }
}

/// The content of frame `number` of a stream, so that who gets it can tell whether it is whole.
fn content(stream: Stream, number: u32) -> Vec<u8> {
    let len = match stream {
        Stream::Video => 300 + number as usize % 5 * 900,
        Stream::Audio => 200,
    };
    vec![number as u8 ^ (stream == Stream::Audio) as u8; len]
}

/// What a viewer says in a talk.
fn talk(ordinal: u32) -> Vec<u8> {
    vec![ordinal as u8; 20 + ordinal as usize % 7 * 100]
}

fn push(out: &mut VecDeque<Vec<u8>>, t: &Transmit<'_>) {
    out.push_back(t.datagram.to_vec());
}
