//! The camera's side.

use core::time::Duration;

use edge_nal::{UdpReceive, UdpSend};
use embedded_hal_async::delay::DelayNs;
use rand_core::CryptoRng;
use wyze_session::{Camera, CameraEvent, CameraState, Cx, Instant, MediaError, OutFrame};

use crate::link::Link;

/// A camera on a UDP socket, for one viewer after the other. K-commands are answered from a [`CameraState`], which stays.
#[derive(Debug)]
pub struct Server<'m, 'b, S, D, T> {
    camera: Camera<'m>,
    state: CameraState,
    link: Link<'b, S, D, T>,
}

impl<'m, 'b, S: UdpReceive + UdpSend, D: DelayNs, T: FnMut() -> Instant> Server<'m, 'b, S, D, T> {
    /// `camera` over `socket`, which is bound to port 32761, so that apps find it by broadcast, and not connected. `clock`
    /// never goes back. `buffer` holds one datagram, 1500 bytes.
    pub fn new(camera: Camera<'m>, socket: S, delay: D, clock: T, buffer: &'b mut [u8]) -> Self {
        Self {
            camera,
            state: CameraState::new(),
            link: Link::new(socket, delay, clock, buffer),
        }
    }

    /// Sends what is due, waits at most `limit` for one datagram, and tells what came of it. Returns early when a timer is
    /// due. Call in a loop. After [`CameraEvent::Closed`] it waits for the next viewer, or may be dropped.
    ///
    /// # Errors
    /// The socket failed to receive. What the network does is no error.
    pub async fn step(
        &mut self,
        rng: &mut dyn CryptoRng,
        limit: Duration,
        mut on_event: impl FnMut(CameraEvent<'_>),
    ) -> Result<(), S::Error> {
        self.settle(rng, &mut on_event).await;
        let peer = self.camera.peer();
        let input = self.link.wait(self.camera.poll_timeout(), limit).await?;
        // A second viewer finds nobody while the first is there; the first may come from elsewhere.
        let input = input.filter(|(_, input)| {
            peer.is_none_or(|peer| peer == input.from()) || self.camera.claims(input.peek())
        });
        if let Some((now, mut input)) = input {
            let mut cx = Cx::new(now, rng);
            while let Some(event) = self.camera.handle_datagram(&mut cx, &mut input) {
                if let CameraEvent::Command { code, payload } = &event {
                    self.camera.answer(&mut self.state, *code, payload);
                }
                on_event(event);
            }
        }
        self.camera.handle_timeout(&mut self.link.cx(rng));
        self.settle(rng, &mut on_event).await;
        Ok(())
    }

    async fn settle(
        &mut self,
        rng: &mut dyn CryptoRng,
        on_event: &mut impl FnMut(CameraEvent<'_>),
    ) {
        let camera = &mut self.camera;
        self.link
            .drain(rng, |cx, buf| camera.poll_transmit(cx, buf))
            .await;
        let mut cx = self.link.cx(rng);
        let mut closed = false;
        while let Some(event) = self.camera.poll_event(&mut cx) {
            closed |= matches!(event, CameraEvent::Closed(_));
            on_event(event);
        }
        if closed {
            self.camera.reset(&mut cx);
            // Some sockets only queue, and forget the queue when they are dropped: the goodbye is in it.
            self.link.linger().await;
        }
    }

    /// Sends a whole frame.
    ///
    /// # Errors
    /// The viewer does not want this stream, or the frame is too long for it; nothing was sent.
    pub async fn send_frame(
        &mut self,
        rng: &mut dyn CryptoRng,
        frame: &OutFrame<'_>,
    ) -> Result<(), MediaError> {
        let mut outgoing = self.camera.start_frame(frame)?;
        let camera = &mut self.camera;
        self.link
            .drain(rng, |cx, buf| camera.poll_frame(cx, &mut outgoing, buf))
            .await;
        Ok(())
    }

    /// Goes on with another socket, and hands back the one before; see `Connection::set_socket`.
    pub fn set_socket(&mut self, socket: S) -> S {
        self.link.set_socket(socket)
    }

    /// The session, to close it and read counters.
    pub fn camera(&mut self) -> &mut Camera<'m> {
        &mut self.camera
    }

    /// What viewers have set.
    pub fn state(&mut self) -> &mut CameraState {
        &mut self.state
    }
}
