//! What the platform lends, the same for both roles.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use edge_nal::{UdpReceive, UdpSend};
use embassy_futures::select::{Either, select};
use embedded_hal_async::delay::DelayNs;
use rand_core::CryptoRng;
use wyze_session::{Cx, Datagram, Instant, Transmit};

/// How long a socket may take over one datagram, in milliseconds. embassy-net's waits for ever while its queue is full, and
/// that stays full while a neighbour that is gone is at its head.
const SEND_LIMIT: u32 = 50;
/// How long a queue is given to leave the board before its owner may drop the socket, in milliseconds.
const LINGER: u32 = 20;

/// Socket, delay, clock, and the one datagram buffer.
pub(crate) struct Link<'b, S, D, T> {
    socket: S,
    delay: D,
    clock: T,
    buffer: &'b mut [u8],
}

impl<S, D, T> fmt::Debug for Link<'_, S, D, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

impl<'b, S: UdpReceive + UdpSend, D: DelayNs, T: FnMut() -> Instant> Link<'b, S, D, T> {
    pub(crate) fn new(socket: S, delay: D, clock: T, buffer: &'b mut [u8]) -> Self {
        Self {
            socket,
            delay,
            clock,
            buffer,
        }
    }

    pub(crate) fn cx<'r>(&mut self, rng: &'r mut dyn CryptoRng) -> Cx<'r> {
        Cx::new((self.clock)(), rng)
    }

    /// Goes on with `socket`. The one before.
    pub(crate) fn set_socket(&mut self, socket: S) -> S {
        core::mem::replace(&mut self.socket, socket)
    }

    /// Gives what was sent last the time to leave.
    pub(crate) async fn linger(&mut self) {
        self.delay.delay_ms(LINGER).await;
    }

    /// Sends what a session has to send. A datagram that the socket refuses is lost like any other: not every address has
    /// a route, and the session's timers decide. So is all that follows one that it does not take in time.
    pub(crate) async fn drain(
        &mut self,
        rng: &mut dyn CryptoRng,
        mut next: impl for<'x> FnMut(&mut Cx<'_>, &'x mut [u8]) -> Option<Transmit<'x>>,
    ) {
        let mut blocked = false;
        loop {
            let mut cx = Cx::new((self.clock)(), rng);
            let Some(Transmit { to, datagram }) = next(&mut cx, self.buffer) else {
                return;
            };
            if !blocked {
                let send = self.socket.send(to, datagram);
                let limit = self.delay.delay_ms(SEND_LIMIT);
                blocked = matches!(select(send, limit).await, Either::Second(()));
            }
        }
    }

    /// Waits for a datagram until `timer` or for `limit`. The datagram, and when it came.
    pub(crate) async fn wait(
        &mut self,
        timer: Option<Instant>,
        limit: Duration,
    ) -> Result<Option<(Instant, Datagram<'_>)>, S::Error> {
        let now = (self.clock)();
        let wait = timer.map_or(limit, |at| at.since(now).min(limit));
        let micros = u32::try_from(wait.as_micros()).unwrap_or(u32::MAX);
        // Rounded up, or a timer that is not quite due makes this spin.
        let sleep = self.delay.delay_us(micros.saturating_add(1));
        match select(self.socket.receive(self.buffer), sleep).await {
            Either::First(received) => {
                let (len, from): (usize, SocketAddr) = received?;
                // A longer one than the buffer was cut: none of this protocol.
                let bytes = self.buffer.get_mut(..len);
                let now = (self.clock)();
                Ok(bytes.map(|bytes| (now, Datagram::new(from, bytes))))
            }
            Either::Second(()) => Ok(None),
        }
    }
}
