//! The app's side.

use core::time::Duration;

use edge_nal::{UdpReceive, UdpSend};
use embedded_hal_async::delay::DelayNs;
use rand_core::CryptoRng;
use wyze_session::{Cause, Client, Cx, Event, Instant};
#[cfg(feature = "talk")]
use wyze_session::{TalkError, TalkFrame};

use crate::link::Link;

/// Whether a [`Connection`] goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Status {
    /// It does.
    Open,
    /// It is over, and why.
    Closed(Cause),
}

/// One camera, watched over a UDP socket.
#[derive(Debug)]
pub struct Connection<'m, 'b, S, D, T> {
    client: Client<'m>,
    link: Link<'b, S, D, T>,
}

impl<'m, 'b, S: UdpReceive + UdpSend, D: DelayNs, T: FnMut() -> Instant>
    Connection<'m, 'b, S, D, T>
{
    /// `client` over `socket`, which is bound and not connected. `clock` never goes back. `buffer` holds one datagram, 1500
    /// bytes.
    pub fn new(client: Client<'m>, socket: S, delay: D, clock: T, buffer: &'b mut [u8]) -> Self {
        Self {
            client,
            link: Link::new(socket, delay, clock, buffer),
        }
    }

    /// Sends what is due, waits at most `limit` for one datagram, and tells what came of it. Returns early when a timer is
    /// due, and up to 120 ms late where the socket does not take what is sent. Call in a loop.
    ///
    /// # Errors
    /// The socket failed to receive. What the network does is no error.
    pub async fn step(
        &mut self,
        rng: &mut dyn CryptoRng,
        limit: Duration,
        mut on_event: impl FnMut(Event<'_>),
    ) -> Result<Status, S::Error> {
        let was_over = self.client.closed().is_some();
        self.settle(rng, &mut on_event).await;
        if let Some(cause) = self.client.closed() {
            return Ok(self.over(cause, was_over).await);
        }
        let input = self.link.wait(self.client.poll_timeout(), limit).await?;
        if let Some((now, mut input)) = input {
            let mut cx = Cx::new(now, rng);
            while let Some(event) = self.client.handle_datagram(&mut cx, &mut input) {
                on_event(event);
            }
        }
        // Also behind a datagram: where they never cease to come, time would stand still otherwise.
        self.client.handle_timeout(&mut self.link.cx(rng));
        self.settle(rng, &mut on_event).await;
        Ok(match self.client.closed() {
            Some(cause) => self.over(cause, false).await,
            None => Status::Open,
        })
    }

    /// Some sockets only queue, and forget the queue when they are dropped: the goodbye is in it.
    async fn over(&mut self, cause: Cause, told: bool) -> Status {
        if !told {
            self.link.linger().await;
        }
        Status::Closed(cause)
    }

    /// Goes on with another socket, and hands back the one before. embassy-net keeps a datagram for a neighbour that is gone
    /// at the head of a socket's queue for ever: there, a session that is begun again wants a new socket.
    pub fn set_socket(&mut self, socket: S) -> S {
        self.link.set_socket(socket)
    }

    async fn settle(&mut self, rng: &mut dyn CryptoRng, on_event: &mut impl FnMut(Event<'_>)) {
        let client = &mut self.client;
        self.link
            .drain(rng, |cx, buf| client.poll_transmit(cx, buf))
            .await;
        let mut cx = self.link.cx(rng);
        while let Some(event) = self.client.poll_event(&mut cx) {
            on_event(event);
        }
    }

    /// Sends one frame of audio to the camera; see `Client::send_audio`.
    ///
    /// # Errors
    /// Nothing was sent.
    #[cfg(feature = "talk")]
    pub async fn send_audio(
        &mut self,
        rng: &mut dyn CryptoRng,
        frame: &TalkFrame<'_>,
    ) -> Result<(), TalkError> {
        let client = &mut self.client;
        let (mut frame, mut outcome) = (Some(frame), Ok(()));
        self.link
            .drain(rng, |cx, buf| {
                match client.send_audio(cx, frame.take()?, buf) {
                    Ok(transmit) => Some(transmit),
                    Err(error) => {
                        outcome = Err(error);
                        None
                    }
                }
            })
            .await;
        outcome
    }

    /// The session, with what its calls take, to send requests, read counters, and after [`Status::Closed`] begin the next
    /// one in the same memory (`Client::restart`). What it then has to send goes out with the next [`step`](Self::step).
    pub fn client<'r>(&mut self, rng: &'r mut dyn CryptoRng) -> (&mut Client<'m>, Cx<'r>) {
        let cx = self.link.cx(rng);
        (&mut self.client, cx)
    }
}
