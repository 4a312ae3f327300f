//! A client, with what an application asks of it.

use std::collections::VecDeque;
use std::net::SocketAddr;

use tutk_core::{Cx, Datagram, Instant};
use wyze_session::kauth::command::{GetVideoParams, Media};
use wyze_session::kauth::models::Quality;
use wyze_session::kauth::{Code, hl};
use wyze_session::{
    Client, ClientConfig, Codec, Event, Phase, RequestId, Storage, Stream, TalkFrame,
};

use super::{Endpoint, FORMAT, MAX_BURST, MAX_EVENTS, MAX_FRAMES, content, push, talk};

/// What an application has been told.
#[derive(Default)]
struct Seen {
    honest: bool,
    /// Number of the last frame of each stream.
    last: [u32; 2],
    frames: usize,
    /// Requests that are still to be answered.
    requests: Vec<RequestId>,
    secured: bool,
    closed: bool,
}

impl Seen {
    fn note(&mut self, event: &Event<'_>) {
        assert!(!self.closed, "nothing comes after Closed");
        match event {
            Event::Video(frame) | Event::Audio(frame) => {
                self.frames += 1;
                if self.honest {
                    let seen = &mut self.last[usize::from(frame.stream == Stream::Audio)];
                    assert!(frame.number > *seen, "{} after {seen}", frame.number);
                    *seen = frame.number;
                    assert_eq!(frame.data, content(frame.stream, frame.number));
                }
            }
            Event::Chunk(chunk) if self.honest => {
                let whole = content(chunk.stream, chunk.frame);
                let at = chunk.offset as usize..chunk.offset as usize + chunk.bytes.len();
                assert_eq!(whole.get(at.clone()), Some(chunk.bytes));
                assert_eq!(chunk.last, at.end == whole.len());
            }
            Event::Reply { id, .. } | Event::NoReply { id, .. } => {
                let asked = self.requests.iter().position(|asked| asked == id);
                let at = asked.unwrap_or_else(|| panic!("{id:?} has been answered"));
                self.requests.swap_remove(at);
            }
            Event::Phase(Phase::Secured { .. }) => self.secured = true,
            Event::Closed(_) => self.closed = true,
            _ => {}
        }
    }
}

pub(in crate::fuzz) struct App<'m, 'c> {
    pub(in crate::fuzz) client: Client<'m>,
    config: ClientConfig<'c>,
    seen: Seen,
    /// Frames of this talk.
    said: u32,
}

impl<'m, 'c> App<'m, 'c> {
    /// `honest`: frames are what the camera of this harness sent.
    pub(in crate::fuzz) fn new(
        config: ClientConfig<'c>,
        storage: Storage<'m>,
        honest: bool,
        cx: &mut Cx<'_>,
    ) -> Self {
        Self {
            client: Client::new(&config, storage, cx),
            config,
            seen: Seen {
                honest,
                ..Seen::default()
            },
            said: 0,
        }
    }

    /// Whole frames that came out.
    pub(in crate::fuzz) fn frames(&self) -> usize {
        self.seen.frames
    }

    /// From now on frames may be anything.
    pub(in crate::fuzz) fn distrust(&mut self) {
        self.seen.honest = false;
    }

    fn events(&mut self, cx: &mut Cx<'_>) {
        for _ in 0..MAX_EVENTS {
            let Some(event) = self.client.poll_event(cx) else {
                return;
            };
            self.seen.note(&event);
        }
        panic!("{MAX_EVENTS} events and no end");
    }

    fn say(&mut self, cx: &mut Cx<'_>, out: &mut VecDeque<Vec<u8>>) {
        let data = talk(self.said + 1);
        let frame = TalkFrame {
            codec: Codec::Pcmu,
            format: FORMAT,
            micros: self.said * 20_000,
            data: &data,
        };
        let mut buf = [0; 1500];
        if self.said < MAX_FRAMES
            && let Ok(t) = self.client.send_audio(cx, &frame, &mut buf)
        {
            push(out, &t);
            self.said += 1;
        }
    }

    fn restart(&mut self, cx: &mut Cx<'_>) {
        self.client.restart(&self.config, cx);
        (self.seen.closed, self.seen.secured) = (false, false);
        self.seen.last = [0; 2];
        self.seen.requests.clear();
    }
}

impl Endpoint for App<'_, '_> {
    fn give(&mut self, cx: &mut Cx<'_>, from: SocketAddr, bytes: &mut [u8]) {
        let most = bytes.len() + 20;
        let mut input = Datagram::new(from, bytes);
        for _ in 0..most {
            let Some(event) = self.client.handle_datagram(cx, &mut input) else {
                return self.events(cx);
            };
            self.seen.note(&event);
        }
        panic!("more events than bytes");
    }

    fn timeout(&mut self, cx: &mut Cx<'_>) {
        self.client.handle_timeout(cx);
        self.events(cx);
    }

    fn drain(&mut self, cx: &mut Cx<'_>, out: &mut VecDeque<Vec<u8>>) {
        let mut buf = [0; 1500];
        for _ in 0..MAX_BURST {
            match self.client.poll_transmit(cx, &mut buf) {
                Some(t) => push(out, &t),
                None => return self.events(cx),
            }
        }
        panic!("{MAX_BURST} datagrams between two inputs");
    }

    fn call(&mut self, cx: &mut Cx<'_>, which: u8, out: &mut VecDeque<Vec<u8>>) {
        let on = which & 16 == 0;
        let asked = match which % 16 {
            0 => self.client.enable(cx, Media::Video, on),
            1 => self.client.enable(cx, Media::Audio, on),
            2 => self.client.request(cx, &GetVideoParams {}),
            3 => self.client.request_with(cx, on, |w| {
                let code = Code(10_000 + u16::from(which >> 5) * 100);
                // The longest is too long.
                hl::write(w, 36, code, |w| {
                    w.bytes(&vec![which; usize::from(which) * 5])
                });
                code
            }),
            4 => self.client.set_quality(cx, Quality::Sd, None),
            5 => {
                if self.client.start_talk(cx).is_ok() {
                    self.said = 0;
                }
                return;
            }
            6 => {
                let _ = self.client.stop_talk(cx);
                return;
            }
            7 if self.seen.closed => return self.restart(cx),
            8 if which >= 0xf0 => return self.client.close(),
            9 => {
                let _ = (self.client.stats(), self.client.peer());
                let _ = (self.client.healthy(cx.now), self.client.protocol());
                return;
            }
            _ => return self.say(cx, out),
        };
        // Of what no camera answers nothing more is heard.
        if let Ok(id) = asked
            && (which % 16 != 3 || on)
        {
            self.seen.requests.push(id);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.client.poll_timeout()
    }

    fn is_closed(&self) -> bool {
        self.seen.closed
    }

    fn is_secured(&self) -> bool {
        self.seen.secured
    }
}
