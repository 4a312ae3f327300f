//! The camera's side.

use smoltcp::socket::udp;
use wyze_session::{Camera, CameraEvent, CameraState, Cx, Instant, Outgoing};

use crate::port::Port;

/// How far [`Server::send_frame`] has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Progress {
    /// The frame is out, or the viewer gone.
    Done,
    /// The socket is full: poll the interface, then [`Server::send_frame`] again.
    More,
}

/// A camera on a UDP socket, for one viewer after the other. K-commands are answered from a [`CameraState`], which stays.
#[derive(Debug)]
pub struct Server<'m, 'b> {
    camera: Camera<'m>,
    state: CameraState,
    port: Port<'b>,
}

impl<'m, 'b> Server<'m, 'b> {
    /// `camera` over whatever socket [`poll`](Self::poll) is given, bound to port 32761 so that apps find it by
    /// broadcast. `buffer` holds one datagram, 1500 bytes.
    pub fn new(camera: Camera<'m>, buffer: &'b mut [u8]) -> Self {
        Self {
            camera,
            state: CameraState::new(),
            port: Port::new(buffer),
        }
    }

    /// Reads what has come, does what is due, sends what there is to send, and tells what came of it. Call it after
    /// `Interface::poll_ingress_single`, and `Interface::poll_egress` after it. After [`CameraEvent::Closed`] it waits for the next viewer.
    pub fn poll(
        &mut self,
        socket: &mut udp::Socket<'_>,
        cx: &mut Cx<'_>,
        mut on_event: impl FnMut(CameraEvent<'_>),
    ) {
        if !self.port.begin(socket, cx.now) {
            return;
        }
        while let Some(mut input) = self.port.receive(socket) {
            // A second viewer finds nobody while the first is there; the first may come from elsewhere.
            let elsewhere = self.camera.peer().is_some_and(|peer| peer != input.from());
            if elsewhere && !self.camera.claims(input.peek()) {
                continue;
            }
            while let Some(event) = self.camera.handle_datagram(cx, &mut input) {
                if let CameraEvent::Command { code, payload } = &event {
                    self.camera.answer(&mut self.state, *code, payload);
                }
                on_event(event);
            }
            if !self.settle(socket, cx, &mut on_event) {
                return;
            }
        }
        self.camera.handle_timeout(cx);
        self.settle(socket, cx, &mut on_event);
    }

    /// Tells and sends. `false` when the socket is full.
    fn settle(
        &mut self,
        socket: &mut udp::Socket<'_>,
        cx: &mut Cx<'_>,
        on_event: &mut impl FnMut(CameraEvent<'_>),
    ) -> bool {
        let camera = &mut self.camera;
        let open = self.port.drain(socket, |buf| camera.poll_transmit(cx, buf));
        let mut closed = false;
        while let Some(event) = self.camera.poll_event(cx) {
            closed |= matches!(event, CameraEvent::Closed(_));
            on_event(event);
        }
        if closed {
            self.camera.reset(cx);
        }
        open
    }

    /// Sends as much of a frame as the socket takes. Begin it with `Camera::start_frame`.
    pub fn send_frame(
        &mut self,
        socket: &mut udp::Socket<'_>,
        cx: &mut Cx<'_>,
        frame: &mut Outgoing<'_>,
    ) -> Progress {
        let camera = &mut self.camera;
        let done = self
            .port
            .drain(socket, |buf| camera.poll_frame(cx, frame, buf));
        if done { Progress::Done } else { Progress::More }
    }

    /// How long nothing needs to be done unless a datagram comes: the least of the session's timers and `iface`, which is
    /// what `Interface::poll_delay` said. `None`: for ever.
    pub fn poll_delay(
        &self,
        now: Instant,
        iface: Option<smoltcp::time::Duration>,
    ) -> Option<smoltcp::time::Duration> {
        self.port.poll_delay(now, self.camera.poll_timeout(), iface)
    }

    /// The session, to begin frames, answer commands and read counters.
    pub fn camera(&mut self) -> &mut Camera<'m> {
        &mut self.camera
    }

    /// What viewers have set.
    pub fn state(&mut self) -> &mut CameraState {
        &mut self.state
    }
}
