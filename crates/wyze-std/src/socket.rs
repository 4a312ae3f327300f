//! A UDP socket that is read in batches: one system call brings everything that has arrived.
//!
//! ```text
//!   next() ─► a datagram of the batch, while there is one
//!     │ none left
//!     ▼
//!   wait(limit) ─► poll, recvmmsg: up to 32 buffers, each of which may hold many datagrams of one sender (GRO)
//! ```
//!
//! A camera sends a frame as a burst of datagrams. A system call for each costs as much as decrypting it. Where they trickle in
//! all the same, [`TRICKLE`] small batches in quick succession, each wait goes on for a moment after the first one, and takes
//! what has gathered in one call.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use wyze_session::Instant;

/// Buffers that one system call fills.
const BATCH: usize = 32;
/// Bytes of one buffer: the most that the system coalesces, and some more, so that the buffers do not all begin in the same
/// sets of the processor's caches.
const ROOM: usize = (1 << 16) + 1088;
/// So many datagrams are worth a system call of their own.
const WORTHWHILE: usize = 12;
/// So many small batches in quick succession are a trickle.
const TRICKLE: u8 = 8;
/// The longest wait for the system's send buffer.
const SEND_WAIT: Duration = Duration::from_millis(20);

/// A UDP socket with what has been received and not been read.
pub(crate) struct Socket {
    udp: UdpSocket,
    state: UdpSocketState,
    /// [`BATCH`] times [`ROOM`] bytes. The system commits a page only when a datagram reaches it.
    buffers: Box<[u8]>,
    metas: [RecvMeta; BATCH],
    /// Buffers that were filled.
    filled: usize,
    /// The buffer that is read, and how far it has been.
    at: (usize, usize),
    /// How long the datagrams of a trickle gather.
    pub(crate) gathering: Duration,
    /// When the last batch was there.
    last: Instant,
    /// Small batches that came one soon after the other.
    small: u8,
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("udp", &self.udp)
            .finish_non_exhaustive()
    }
}

impl Socket {
    /// Takes over `udp`, which does not block any more.
    pub(crate) fn new(udp: UdpSocket) -> io::Result<Self> {
        Ok(Self {
            state: UdpSocketState::new(UdpSockRef::from(&udp))?,
            udp,
            buffers: vec![0; BATCH * ROOM].into_boxed_slice(),
            metas: [RecvMeta::default(); BATCH],
            filled: 0,
            at: (0, 0),
            gathering: Duration::ZERO,
            last: Instant::ZERO,
            small: 0,
        })
    }

    /// Where it is bound; port 0 when the system will not say.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        let unknown = (std::net::Ipv4Addr::UNSPECIFIED, 0).into();
        self.udp.local_addr().unwrap_or(unknown)
    }

    /// The next datagram of what [`wait`](Self::wait) brought, and who sent it.
    pub(crate) fn next(&mut self) -> Option<(SocketAddr, &mut [u8])> {
        loop {
            let (buffer, offset) = self.at;
            if buffer >= self.filled {
                return None;
            }
            let meta = self.metas.get(buffer)?;
            let (from, len) = (meta.addr, meta.len);
            let end = len.min(offset + meta.stride);
            if offset >= end {
                self.at = (buffer + 1, 0);
                continue;
            }
            self.at = (buffer, end);
            // Nobody can be answered at port 0, so nobody honest asks from there.
            if from.port() != 0 {
                let start = buffer * ROOM;
                return Some((from, self.buffers.get_mut(start + offset..start + end)?));
            }
        }
    }

    /// Waits until something has arrived, at most `limit` from `now` on. What [`next`](Self::next) has not read is lost.
    ///
    /// # Errors
    /// The socket failed. What the network does is no error.
    pub(crate) fn wait(&mut self, now: Instant, limit: Duration) -> io::Result<()> {
        // Behind a batch that took all the buffers there is more; asking whether there is would be one call too many.
        if self.filled < BATCH {
            let trickles = self.trickles(now);
            if !self.ready(PollFlags::IN, limit)? {
                self.filled = 0;
                return Ok(());
            }
            if trickles {
                std::thread::sleep(self.gathering.min(limit));
            }
        }
        self.receive()
    }

    /// Whether datagrams come in quick succession, and each by itself. `now` is just behind the last batch.
    fn trickles(&mut self, now: Instant) -> bool {
        let trickling = self.small >= TRICKLE;
        // Where fewer than a few come in that time, it would be waited for nothing.
        let more = if trickling {
            self.gathering
        } else {
            Duration::ZERO
        };
        let pause = (self.gathering / 2).saturating_add(more);
        // A look that brought nothing is no trickle, however often one looks.
        let small = trickling || (1..WORTHWHILE).contains(&self.brought());
        self.small = if small && now - self.last < pause {
            (self.small + 1).min(TRICKLE)
        } else {
            0
        };
        self.last = now;
        self.small >= TRICKLE
    }

    /// Datagrams of the last batch.
    fn brought(&self) -> usize {
        let filled = self.metas.iter().take(self.filled);
        filled
            .map(|meta| meta.len.div_ceil(meta.stride.max(1)))
            .sum()
    }

    /// Waits until the socket can be read from or written to.
    fn ready(&self, what: PollFlags, limit: Duration) -> io::Result<bool> {
        let limit = Timespec::try_from(limit).ok();
        match poll(&mut [PollFd::new(&self.udp, what)], limit.as_ref()) {
            Ok(ready) => Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    /// Fills the buffers with what is there.
    fn receive(&mut self) -> io::Result<()> {
        let mut buffers = self.buffers.chunks_exact_mut(ROOM);
        let mut slices: [IoSliceMut<'_>; BATCH] =
            std::array::from_fn(|_| IoSliceMut::new(buffers.next().unwrap_or_default()));
        let received = self
            .state
            .recv(UdpSockRef::from(&self.udp), &mut slices, &mut self.metas);
        self.at = (0, 0);
        self.filled = match received {
            Ok(filled) => filled,
            Err(e) => match e.kind() {
                io::ErrorKind::WouldBlock
                | io::ErrorKind::TimedOut
                | io::ErrorKind::Interrupted
                // Some systems report here that an earlier datagram reached nobody; the session's timers decide.
                | io::ErrorKind::ConnectionRefused
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::NetworkDown => 0,
                _ => return Err(e),
            },
        };
        Ok(())
    }

    /// Sends one datagram. One that the system refuses is lost like any other, and the session's timers decide: a search
    /// goes to several addresses, not every interface has a route, and a stranger chooses where an answer goes.
    pub(crate) fn send(&self, datagram: &[u8], to: SocketAddr) {
        let transmit = Transmit {
            destination: to,
            ecn: None,
            contents: datagram,
            segment_size: None,
            src_ip: None,
        };
        let try_send = || self.state.try_send(UdpSockRef::from(&self.udp), &transmit);
        let sent = match try_send() {
            // The system's buffer is full of what we have sent: a moment empties it.
            Err(e)
                if e.kind() == io::ErrorKind::WouldBlock
                    && self.ready(PollFlags::OUT, SEND_WAIT).unwrap_or(false) =>
            {
                try_send()
            }
            sent => sent,
        };
        if let Err(e) = sent {
            log::debug!("a datagram was not sent: {}", e.kind());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bind;

    fn socket() -> (Socket, SocketAddr) {
        let udp = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = udp.local_addr().unwrap();
        (Socket::new(udp).unwrap(), addr)
    }

    /// Everything that arrives until nothing does.
    fn drain(socket: &mut Socket) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let before = all.len();
            while let Some((_, datagram)) = socket.next() {
                all.push(datagram.to_vec());
            }
            socket
                .wait(Instant::ZERO, Duration::from_millis(50))
                .unwrap();
            if all.len() == before && socket.filled == 0 {
                return all;
            }
        }
    }

    #[test]
    fn datagrams_arrive_whole_and_in_order_however_many_one_call_brings() {
        let ((a, from), (mut b, to)) = (socket(), socket());
        let sent: Vec<Vec<u8>> = (0..100u16)
            .map(|n| vec![n as u8; 1 + usize::from(n) * 11])
            .collect();
        for datagram in &sent {
            a.send(datagram, to);
        }
        b.wait(Instant::ZERO, Duration::from_secs(1)).unwrap();
        let (peer, first) = b.next().unwrap();
        assert_eq!((peer, &*first), (from, &sent[0][..]));
        assert_eq!(drain(&mut b), sent[1..]);
    }

    #[test]
    fn segments_that_the_system_has_coalesced_come_apart_again() {
        let ((a, _), (mut b, to)) = (socket(), socket());
        let contents: Vec<u8> = (0..2500u32).map(|n| (n / 1000) as u8).collect();
        let transmit = Transmit {
            destination: to,
            ecn: None,
            contents: &contents,
            segment_size: Some(1000),
            src_ip: None,
        };
        if a.state
            .try_send(UdpSockRef::from(&a.udp), &transmit)
            .is_err()
        {
            return; // a system without segmentation offload coalesces nothing
        }
        assert_eq!(drain(&mut b), [vec![0; 1000], vec![1; 1000], vec![2; 500]]);
    }

    #[test]
    fn datagrams_gather_where_they_trickle_in_and_only_there() {
        let ((a, _), (mut b, to)) = (socket(), socket());
        b.gathering = Duration::from_millis(1);
        let batches = |b: &mut Socket, size: usize, micros: std::ops::Range<u64>| {
            let mut gathers = Vec::new();
            for at in micros.step_by(200) {
                gathers.push(b.trickles(Instant::from_micros(at)));
                (0..size).for_each(|_| a.send(b"x", to));
                b.receive().unwrap();
                assert_eq!(b.brought(), size);
                while b.next().is_some() {}
            }
            gathers
        };
        // Frames of large batches, however fast; then ten single datagrams; then a pause.
        assert_eq!(batches(&mut b, 20, 0..4000), [false; 20]);
        let gathers = batches(&mut b, 1, 4000..6000);
        assert_eq!(
            (&gathers[..8], &gathers[8..]),
            (&[false; 8][..], &[true; 2][..])
        );
        assert_eq!(batches(&mut b, 1, 7400..7600), [false]);
        b.gathering = Duration::ZERO;
        assert_eq!(batches(&mut b, 1, 8000..12_000), [false; 20]);
    }

    #[test]
    fn nothing_arrives_within_the_limit_and_that_is_no_error() {
        let (mut socket, _) = socket();
        socket
            .wait(Instant::ZERO, Duration::from_millis(1))
            .unwrap();
        assert!(socket.next().is_none());
    }

    #[test]
    fn a_datagram_that_the_system_refuses_is_just_lost() {
        let (mut socket, own) = socket();
        socket.send(b"x", "127.0.0.1:0".parse().unwrap()); // EINVAL on Linux
        socket.send(&[0; 70_000], own); // EMSGSIZE
        assert_eq!(drain(&mut socket), Vec::<Vec<u8>>::new());
    }
}
