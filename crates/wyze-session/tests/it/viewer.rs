//! A viewer that goes on after the end of a session.

use std::net::SocketAddr;
use std::time::Duration;

use tutk_testkit::pump::Node;
use wyze_session::{
    Cause, Client, ClientConfig, Cx, Datagram, Event, Instant, Reconnect, Stream, TalkEnd, Transmit,
};

use crate::common::{APP, Room, addr};
use crate::film::{content, size_of};

/// What a viewer was told, over all its sessions.
#[derive(Default)]
pub(crate) struct Told {
    /// Names of the frames in the order of their arrival, and when they came.
    pub(crate) frames: Vec<(u64, Instant)>,
    pub(crate) audio: Vec<u64>,
    pub(crate) let_in: usize,
    pub(crate) stalls: Vec<(Stream, Duration)>,
    /// Talks that became ready, and how talks ended.
    pub(crate) talks: usize,
    pub(crate) talk_ends: Vec<TalkEnd>,
    /// Replies, missing replies and messages that the application has seen.
    pub(crate) answers: usize,
    pub(crate) ends: Vec<Cause>,
}

impl Told {
    fn note(&mut self, now: Instant, event: Event<'_>) {
        match event {
            Event::Authenticated(_) => self.let_in += 1,
            Event::Video(frame) => {
                let name = content(frame.data);
                assert_eq!(frame.info.frame_size, size_of(name));
                self.frames.push((name, now));
            }
            Event::Audio(frame) => self.audio.push(content(frame.data)),
            Event::Stalled { stream, silence } => self.stalls.push((stream, silence)),
            Event::Reply { .. } | Event::NoReply { .. } | Event::Message { .. } => {
                self.answers += 1;
            }
            Event::TalkReady => self.talks += 1,
            Event::TalkClosed(end) => self.talk_ends.push(end),
            Event::Closed(cause) => self.ends.push(cause),
            _ => {}
        }
    }
}

/// A viewer that goes on after the end of a session.
pub(crate) struct Viewer<'m> {
    pub(crate) client: Client<'m>,
    pub(crate) config: ClientConfig<'m>,
    pub(crate) addr: SocketAddr,
    pub(crate) reconnect: Reconnect,
    /// When the next session begins, between two.
    pub(crate) wake: Option<Instant>,
    pub(crate) told: Told,
    /// How long each wait between two sessions was.
    pub(crate) waits: Vec<Duration>,
    pub(crate) wakeups: usize,
}

impl<'m> Viewer<'m> {
    pub(crate) fn new(config: ClientConfig<'m>, room: &'m mut Room, cx: &mut Cx<'_>) -> Self {
        Self {
            client: Client::new(&config, room.storage(), cx),
            config,
            addr: addr(APP),
            reconnect: Reconnect::new(),
            wake: None,
            told: Told::default(),
            waits: Vec::new(),
            wakeups: 0,
        }
    }

    pub(crate) fn last_frame(&self) -> Instant {
        self.told.frames.last().map_or(Instant::ZERO, |(_, at)| *at)
    }

    fn drain_events(&mut self, cx: &mut Cx<'_>) {
        let ends = self.told.ends.len();
        while let Some(event) = self.client.poll_event(cx) {
            self.told.note(cx.now, event);
        }
        if let Some(cause) = self.told.ends.get(ends) {
            let healthy = self.client.healthy(cx.now);
            self.wake = self.reconnect.after(*cause, healthy, cx);
            self.waits.extend(self.wake.map(|at| at - cx.now));
        }
    }
}

impl Node for Viewer<'_> {
    fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn receive(&mut self, cx: &mut Cx<'_>, from: SocketAddr, bytes: &mut [u8]) {
        let mut input = Datagram::new(from, bytes);
        while let Some(event) = self.client.handle_datagram(cx, &mut input) {
            self.told.note(cx.now, event);
        }
        self.drain_events(cx);
    }

    fn timeout(&mut self, cx: &mut Cx<'_>) {
        self.wakeups += 1;
        if self.wake.is_some_and(|at| at <= cx.now) {
            self.wake = None;
            self.client.restart(&self.config, cx);
        }
        self.client.handle_timeout(cx);
        self.drain_events(cx);
    }

    fn transmit<'b>(
        &mut self,
        cx: &mut Cx<'_>,
        buf: &'b mut [u8],
    ) -> Option<(SocketAddr, &'b [u8])> {
        match self.client.poll_transmit(cx, buf) {
            Some(Transmit { to, datagram }) => Some((to, datagram)),
            None => {
                self.drain_events(cx);
                None
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.wake.or_else(|| self.client.poll_timeout())
    }
}
