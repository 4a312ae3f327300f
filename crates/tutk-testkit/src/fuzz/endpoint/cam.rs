//! A camera that shows frames of known content.

use std::collections::VecDeque;
use std::net::SocketAddr;

use tutk_core::{Cx, Datagram, Instant};
use wyze_session::kauth::Code;
use wyze_session::{Camera, CameraEvent, Codec, FrameInfo, OutFrame, Stream};

use super::{Endpoint, FORMAT, MAX_BURST, MAX_EVENTS, MAX_FRAMES, content, push, talk};

/// What a camera has been told.
#[derive(Default)]
struct Heard {
    honest: bool,
    let_in: bool,
    /// The last of this talk.
    said: u32,
    talks: usize,
    secured: bool,
    closed: bool,
}

impl Heard {
    fn note(&mut self, event: &CameraEvent<'_>) {
        assert!(!self.closed, "nothing comes after Closed");
        match event {
            CameraEvent::Secured { .. } => self.secured = true,
            CameraEvent::Closed(_) => self.closed = true,
            CameraEvent::Authenticated => self.let_in = true,
            CameraEvent::TalkReady => self.said = 0,
            CameraEvent::Audio(frame) => {
                self.talks += 1;
                if self.honest {
                    let ordinal = frame.data.first().copied().map_or(0, u32::from);
                    assert!(ordinal > self.said, "{ordinal} after {}", self.said);
                    self.said = ordinal;
                    assert_eq!(frame.data, talk(ordinal));
                }
            }
            _ => {}
        }
    }
}

pub(in crate::fuzz) struct Cam<'m> {
    pub(in crate::fuzz) camera: Camera<'m>,
    heard: Heard,
    numbers: [u32; 2],
}

impl<'m> Cam<'m> {
    /// `honest`: what it hears is what the viewer of this harness said.
    pub(in crate::fuzz) fn new(camera: Camera<'m>, honest: bool) -> Self {
        Self {
            camera,
            heard: Heard {
                honest,
                ..Heard::default()
            },
            numbers: [0; 2],
        }
    }

    /// Whether it has ever let a viewer in.
    pub(in crate::fuzz) fn let_in(&self) -> bool {
        self.heard.let_in
    }

    /// Frames of talks that came out.
    pub(in crate::fuzz) fn talks(&self) -> usize {
        self.heard.talks
    }

    /// From now on a talk may be anything.
    pub(in crate::fuzz) fn distrust(&mut self) {
        self.heard.honest = false;
    }

    fn events(&mut self, cx: &mut Cx<'_>) {
        for _ in 0..MAX_EVENTS {
            let Some(event) = self.camera.poll_event(cx) else {
                return;
            };
            self.heard.note(&event);
        }
        panic!("{MAX_EVENTS} events and no end");
    }

    /// Sends the next frame.
    pub(in crate::fuzz) fn show(
        &mut self,
        cx: &mut Cx<'_>,
        stream: Stream,
        out: &mut VecDeque<Vec<u8>>,
    ) {
        let number = &mut self.numbers[usize::from(stream == Stream::Audio)];
        if !self.camera.wants(stream) || *number == MAX_FRAMES {
            return;
        }
        *number += 1;
        let data = content(stream, *number);
        let frame = OutFrame {
            stream,
            key: *number % 4 == 1,
            // Without DTLS it is what tells the streams apart.
            info: match stream {
                Stream::Video => FrameInfo::video(Codec::H264, 20, 0),
                Stream::Audio => FrameInfo::audio(Codec::Pcmu, FORMAT, 0),
            },
            data: &data,
        };
        let Ok(mut outgoing) = self.camera.start_frame(&frame) else {
            panic!("it is wanted");
        };
        let mut buf = [0; 1500];
        while let Some(t) = self.camera.poll_frame(cx, &mut outgoing, &mut buf) {
            push(out, &t);
        }
    }
}

impl Endpoint for Cam<'_> {
    fn give(&mut self, cx: &mut Cx<'_>, from: SocketAddr, bytes: &mut [u8]) {
        let most = bytes.len() + 20;
        let mut input = Datagram::new(from, bytes);
        for _ in 0..most {
            let Some(event) = self.camera.handle_datagram(cx, &mut input) else {
                return self.events(cx);
            };
            self.heard.note(&event);
            if let CameraEvent::Command { code, .. } = event {
                self.camera.reply(code.reply(), &[1]);
            }
        }
        panic!("more events than bytes");
    }

    fn timeout(&mut self, cx: &mut Cx<'_>) {
        self.camera.handle_timeout(cx);
        self.events(cx);
    }

    fn drain(&mut self, cx: &mut Cx<'_>, out: &mut VecDeque<Vec<u8>>) {
        let mut buf = [0; 1500];
        for _ in 0..MAX_BURST {
            match self.camera.poll_transmit(cx, &mut buf) {
                Some(t) => push(out, &t),
                None => return self.events(cx),
            }
        }
        panic!("{MAX_BURST} datagrams between two inputs");
    }

    fn call(&mut self, cx: &mut Cx<'_>, which: u8, _: &mut VecDeque<Vec<u8>>) {
        match which {
            0xfe => self.camera.close(),
            0xff if self.heard.closed => {
                self.camera.reset(cx);
                (self.heard.closed, self.heard.secured) = (false, false);
                self.numbers = [0; 2];
            }
            _ => drop(self.camera.reply(Code(u16::from(which)), &[which; 4])),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.camera.poll_timeout()
    }

    fn is_closed(&self) -> bool {
        self.heard.closed
    }

    fn is_secured(&self) -> bool {
        self.heard.secured
    }
}
