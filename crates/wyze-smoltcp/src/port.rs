//! The way between a session and a socket, the same for both roles.
//!
//! ```text
//!   socket ── copied into the buffer ──► session          one buffer: nothing is received while a datagram
//!   socket ◄── copied out of the buffer ── session        waits in it for room in the socket
//! ```

use core::net::SocketAddr;
use core::ops::Range;
use core::time::Duration;

use smoltcp::socket::udp;
use smoltcp::wire::IpEndpoint;
use wyze_session::{Datagram, Instant, Transmit};

/// When nothing has left the socket for this long, it waits for a neighbour, and what comes meanwhile is read.
const SLOW: Duration = Duration::from_millis(20);
/// After this long the neighbour does not answer, and nothing is sent to it for as long as smoltcp asks nobody else.
const STUCK: Duration = Duration::from_millis(500);
const SHUN: Duration = Duration::from_millis(1000);

/// The datagram buffer, and what lies in it.
#[derive(Debug)]
pub(crate) struct Port<'b> {
    buffer: &'b mut [u8],
    /// A datagram that waits for room in the socket: where in the buffer it lies, and where to.
    waiting: Option<(Range<usize>, IpEndpoint)>,
    /// Whom the socket's queue is for: never for two at once, so that one who is gone holds up no other.
    to: Option<IpEndpoint>,
    /// Who is gone, until then.
    shunned: Option<(IpEndpoint, Instant)>,
    /// Bytes in the socket's queue after the last round, and since when none of them has left.
    queued: usize,
    stuck_since: Option<Instant>,
}

impl<'b> Port<'b> {
    pub(crate) const fn new(buffer: &'b mut [u8]) -> Self {
        Self {
            buffer,
            waiting: None,
            to: None,
            shunned: None,
            queued: 0,
            stuck_since: None,
        }
    }

    /// Begins a round: the datagram that waited goes first. `false` when it still has no room.
    pub(crate) fn begin(&mut self, socket: &mut udp::Socket<'_>, now: Instant) -> bool {
        let left = socket.send_queue();
        let stuck = if left == 0 || left < self.queued {
            self.stuck_since = None;
            Duration::ZERO
        } else {
            now.since(*self.stuck_since.get_or_insert(now))
        };
        if stuck >= SLOW && socket.can_recv() {
            // What has come is worth more than what can't leave.
            self.waiting = None;
        } else if stuck >= STUCK {
            tutk_core::debug!("{} bytes thrown away: no neighbour to send to", left);
            // The only way smoltcp has to empty the queue; nothing that was received is lost by it.
            let endpoint = socket.endpoint();
            socket.close();
            let _ = socket.bind(endpoint);
            self.waiting = None;
            self.stuck_since = None;
            self.shunned = self.to.map(|to| (to, now + SHUN));
        }
        if self.shunned.is_some_and(|(_, until)| until <= now) {
            self.shunned = None;
        }
        self.flush(socket)
    }

    /// The next datagram that has come.
    pub(crate) fn receive(&mut self, socket: &mut udp::Socket<'_>) -> Option<Datagram<'_>> {
        while socket.can_recv() {
            // Longer than the buffer: none of this protocol.
            if let Ok((len, meta)) = socket.recv_slice(self.buffer) {
                let bytes = self.buffer.get_mut(..len)?;
                return Some(Datagram::new(SocketAddr::from(meta.endpoint), bytes));
            }
        }
        None
    }

    /// Sends what a session has to send. `false` when the socket is full.
    pub(crate) fn drain(
        &mut self,
        socket: &mut udp::Socket<'_>,
        mut next: impl for<'x> FnMut(&'x mut [u8]) -> Option<Transmit<'x>>,
    ) -> bool {
        while self.flush(socket) {
            let buffer = self.buffer.as_ptr().addr();
            let Some(Transmit { to, datagram }) = next(self.buffer) else {
                return true;
            };
            // Headers that are not needed leave room in front of a datagram.
            let start = datagram.as_ptr().addr() - buffer;
            let range = start..start + datagram.len();
            // There are no cameras on IPv6.
            let SocketAddr::V4(to) = to else { continue };
            let to = IpEndpoint::from(to);
            if self.shunned.is_none_or(|(gone, _)| gone != to) {
                self.waiting = Some((range, to));
            }
        }
        false
    }

    /// Hands the waiting datagram to the socket. `false` when there is no room for it.
    fn flush(&mut self, socket: &mut udp::Socket<'_>) -> bool {
        if let Some((range, to)) = &self.waiting {
            let bytes = self.buffer.get(range.clone()).unwrap_or_default();
            if socket.send_queue() > 0 && self.to != Some(*to) {
                return false;
            }
            self.to = Some(*to);
            if socket.send_slice(bytes, *to) == Err(udp::SendError::BufferFull) {
                // What would not fit an empty queue never will.
                if socket.send_queue() > 0 {
                    return false;
                }
                tutk_core::warn!("the socket has no room to send {} bytes", bytes.len());
            }
            self.waiting = None;
        }
        self.queued = socket.send_queue();
        true
    }

    /// How long to sleep, given the session's next timer and the interface's.
    pub(crate) fn poll_delay(
        &self,
        now: Instant,
        session: Option<Instant>,
        iface: Option<smoltcp::time::Duration>,
    ) -> Option<smoltcp::time::Duration> {
        let stuck = self.stuck_since.map(|since| since + STUCK);
        let ours = match (&self.waiting, stuck) {
            // Whether there is room for it by now is only known when it is tried.
            (Some(_), None) => Some(now),
            // A session that can't send has to wait for that, whatever its timers say.
            (Some(_), stuck) => stuck,
            (None, stuck) => session.into_iter().chain(stuck).min(),
        };
        let ours = ours.map(|at| at.since(now).into());
        ours.into_iter().chain(iface).min()
    }
}
