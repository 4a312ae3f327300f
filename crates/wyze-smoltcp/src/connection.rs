//! The app's side.

#[cfg(feature = "talk")]
use core::fmt;

use smoltcp::socket::udp;
use wyze_session::{Cause, Client, Cx, Event, Instant};
#[cfg(feature = "talk")]
use wyze_session::{TalkError, TalkFrame};

use crate::port::Port;

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
pub struct Connection<'m, 'b> {
    client: Client<'m>,
    port: Port<'b>,
}

impl<'m, 'b> Connection<'m, 'b> {
    /// `client` over whatever socket [`poll`](Self::poll) is given, which must be bound to a port and stay the same.
    /// `buffer` holds one datagram, 1500 bytes.
    pub const fn new(client: Client<'m>, buffer: &'b mut [u8]) -> Self {
        Self {
            client,
            port: Port::new(buffer),
        }
    }

    /// Reads what has come, does what is due, sends what there is to send, and tells what came of it. Call it after
    /// `Interface::poll_ingress_single`, and `Interface::poll_egress` after it.
    pub fn poll(
        &mut self,
        socket: &mut udp::Socket<'_>,
        cx: &mut Cx<'_>,
        mut on_event: impl FnMut(Event<'_>),
    ) -> Status {
        if self.port.begin(socket, cx.now) {
            self.round(socket, cx, &mut on_event);
        }
        self.client.closed().map_or(Status::Open, Status::Closed)
    }

    fn round(
        &mut self,
        socket: &mut udp::Socket<'_>,
        cx: &mut Cx<'_>,
        on_event: &mut impl FnMut(Event<'_>),
    ) {
        let mut open = true;
        while open && let Some(mut input) = self.port.receive(socket) {
            while let Some(event) = self.client.handle_datagram(cx, &mut input) {
                on_event(event);
            }
            open = self.settle(socket, cx, on_event);
        }
        if open {
            self.client.handle_timeout(cx);
            self.settle(socket, cx, on_event);
        }
    }

    /// Tells and sends. `false` when the socket is full.
    fn settle(
        &mut self,
        socket: &mut udp::Socket<'_>,
        cx: &mut Cx<'_>,
        on_event: &mut impl FnMut(Event<'_>),
    ) -> bool {
        let client = &mut self.client;
        let open = self.port.drain(socket, |buf| client.poll_transmit(cx, buf));
        while let Some(event) = self.client.poll_event(cx) {
            on_event(event);
        }
        open
    }

    /// How long nothing needs to be done unless a datagram comes: the least of the session's timers and `iface`, which is
    /// what `Interface::poll_delay` said. `None`: for ever.
    pub fn poll_delay(
        &self,
        now: Instant,
        iface: Option<smoltcp::time::Duration>,
    ) -> Option<smoltcp::time::Duration> {
        self.port.poll_delay(now, self.client.poll_timeout(), iface)
    }

    /// The session, to send requests, read counters, and after [`Status::Closed`] begin the next one in the same memory
    /// (`Client::restart`). What it then has to send goes out with the next [`poll`](Self::poll).
    pub fn client(&mut self) -> &mut Client<'m> {
        &mut self.client
    }

    /// Sends one frame of audio to the camera; see `Client::send_audio`.
    ///
    /// # Errors
    /// Nothing was sent.
    #[cfg(feature = "talk")]
    pub fn send_audio(
        &mut self,
        socket: &mut udp::Socket<'_>,
        cx: &mut Cx<'_>,
        frame: &TalkFrame<'_>,
    ) -> Result<(), SendAudioError> {
        let mut refused = None;
        let mut frame = Some(frame);
        let client = &mut self.client;
        self.port.drain(socket, |buf| {
            match client.send_audio(cx, frame.take()?, buf) {
                Ok(transmit) => Some(transmit),
                Err(error) => {
                    refused = Some(error);
                    None
                }
            }
        });
        match (refused, frame) {
            (Some(error), _) => Err(SendAudioError::Talk(error)),
            (None, Some(_)) => Err(SendAudioError::SocketFull),
            (None, None) => Ok(()),
        }
    }
}

/// Why a frame of audio was not sent.
#[cfg(feature = "talk")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SendAudioError {
    /// The session refuses it.
    Talk(TalkError),
    /// The socket has no room; poll the interface first.
    SocketFull,
}

#[cfg(feature = "talk")]
impl fmt::Display for SendAudioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Talk(error) => fmt::Display::fmt(error, f),
            Self::SocketFull => f.write_str("the socket has no room; poll the interface first"),
        }
    }
}

#[cfg(feature = "talk")]
impl core::error::Error for SendAudioError {}
