//! The camera's side of a talk: DTLS client, logs in, receives audio.
//!
//! ```text
//!   Idle ─ K10010 on ─► Securing ─ Secured ─► LoggingIn ─ 0x2100 ─► Ready (TalkReady) ─► Audio, …
//!    ▲          K10010 off, close_notify, 5 s, failure ──┴───────────┘
//!    └── TalkClosed, behind the last frame ◄── Closing
//! ```

use tutk_av::{
    Assembler, AssemblerConfig, FrameRef, Generation, Initiator, LoginConfig, Output, Stream,
};
use tutk_core::{Cx, Datagram, Instant, TxBuf};
use tutk_dtls::{CipherSuite, ClientConfig, Psk, Suites};
use wyze_kauth::Enr;

use super::{Heard, LIMIT, Line, State};
use crate::event::TalkEnd;
use crate::stack::{IotcRole, Stage};
use crate::{Camera, CameraEvent};

/// The talk of a camera; between two talks it waits in the same memory.
#[derive(Debug)]
pub(crate) struct CameraTalk<'m> {
    line: Line<tutk_dtls::Client<'m>, Initiator<'static>>,
    /// The password of the login.
    enr: Enr,
    audio: Assembler<'m>,
}

fn login(enr: &Enr, cx: &mut Cx<'_>) -> Initiator<'static> {
    let config = LoginConfig {
        user: b"admin",
        password: enr.as_bytes(),
        resend: false,
    };
    Initiator::new(&config, &mut [], cx)
}

/// 0x00AE alone, as cameras do whatever they speak besides (`docs/protocol.md` §2.10); one that lacks it has to offer what
/// it speaks.
fn offer(suites: Suites) -> Suites {
    if suites.contains(CipherSuite::PskAes128CbcSha256) {
        Suites::CBC
    } else {
        suites
    }
}

impl<'m> CameraTalk<'m> {
    /// Without memory for the handshake and for audio there is no talk. `suites`: what the camera speaks.
    pub(crate) fn new(
        psk: Psk,
        suites: Suites,
        enr: &Enr,
        handshake: &'m mut [u8],
        audio: &'m mut [u8],
        cx: &mut Cx<'_>,
    ) -> Option<Self> {
        if handshake.is_empty() || audio.is_empty() {
            return None;
        }
        let dtls = ClientConfig {
            suites: offer(suites),
            handshake_limit: LIMIT,
            ..ClientConfig::new(psk, wyze_kauth::PSK_IDENTITY)
        };
        Some(Self {
            line: Line::new(tutk_dtls::Client::new(&dtls, handshake, cx), login(enr, cx)),
            enr: enr.clone(),
            audio: Assembler::new(Stream::Audio, audio, AssemblerConfig::AUDIO),
        })
    }

    /// Forgets the viewer.
    pub(crate) fn reset(&mut self, cx: &mut Cx<'_>) {
        self.line.reset(cx);
        self.audio.reset();
    }

    /// K10010 came.
    pub(crate) fn switch(&mut self, cx: &mut Cx<'_>, on: bool, plain: Option<Generation>) {
        if on {
            self.audio.reset();
            self.line.open(cx, plain);
            if let Some(generation) = plain {
                self.line.association.av = login(&self.enr, cx);
                self.line.association.av.set_generation(generation);
                self.line.logging_in(cx);
            }
        } else {
            self.line.close(TalkEnd::Peer);
        }
    }

    /// Says goodbye, if there is anybody to say it to.
    pub(crate) fn close(&mut self) {
        self.line.close(TalkEnd::Local);
    }

    fn receive(&mut self, cx: &mut Cx<'_>, input: &mut Datagram<'_>) -> bool {
        while let Some(heard) = self.line.receive(cx, input) {
            match (heard, self.line.state()) {
                // Its time limit counts from now.
                (Heard::Secured, _) => self.line.association.av = login(&self.enr, cx),
                (Heard::Av(tutk_av::Event::LoggedIn { .. }), State::LoggingIn) => {
                    self.line.ready();
                    return true;
                }
                (Heard::Av(tutk_av::Event::Media(packet)), State::Ready) => {
                    self.audio.push(cx.now, &packet);
                }
                _ => {}
            }
        }
        false
    }

    pub(crate) fn handle_timeout(&mut self, cx: &mut Cx<'_>) {
        self.line.handle_timeout(cx);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let audio = self.audio.poll_timeout();
        self.line.poll_timeout().into_iter().chain(audio).min()
    }

    pub(crate) fn transmit<I: IotcRole>(
        &mut self,
        cx: &mut Cx<'_>,
        iotc: &mut I,
        tx: &mut TxBuf<'_>,
    ) -> bool {
        self.line.transmit(cx, iotc, tx)
    }

    /// The next frame; what was lost shows in the numbers.
    pub(crate) fn poll_frame(&mut self, now: Instant) -> Option<FrameRef> {
        loop {
            match self.audio.poll(now)? {
                Output::Frame(frame) => return Some(frame),
                Output::Dropped(_) => {}
            }
        }
    }

    pub(crate) fn frame_event(&self, frame: FrameRef) -> CameraEvent<'_> {
        CameraEvent::Audio(self.audio.frame(frame))
    }

    /// The end of the talk, once its last frame has been told.
    pub(crate) fn poll_end(&mut self) -> Option<CameraEvent<'static>> {
        if self.audio.poll_timeout().is_some() {
            return None;
        }
        self.line.take_ended().map(CameraEvent::TalkClosed)
    }
}

impl Camera<'_> {
    /// Reads what came on the talk channel.
    pub(crate) fn receive_talk(
        &mut self,
        cx: &mut Cx<'_>,
        input: &mut Datagram<'_>,
    ) -> Option<CameraEvent<'static>> {
        match &mut self.talk {
            Some(talk) if self.stack.stage == Stage::Secured => {
                talk.receive(cx, input).then_some(CameraEvent::TalkReady)
            }
            _ => {
                input.take_all();
                None
            }
        }
    }
}
