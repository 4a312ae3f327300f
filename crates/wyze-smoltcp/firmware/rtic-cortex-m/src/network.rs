//! Everything that is the network task's alone.

use rand_chacha::rand_core;
use smoltcp::iface::{Interface, PollIngressSingleResult, SocketHandle, SocketSet};
use smoltcp::phy::Device;
use smoltcp::socket::udp;
use smoltcp::time::{Duration, Instant};
use wyze_smoltcp::session::{Cause, Cx, Event};
use wyze_smoltcp::{Connection, Status, session_time};

/// The local resources of the network task.
pub(crate) struct Network<D: Device + 'static, R> {
    pub(crate) iface: Interface,
    pub(crate) device: D,
    pub(crate) sockets: SocketSet<'static>,
    pub(crate) socket: SocketHandle,
    pub(crate) connection: Connection<'static, 'static>, // its memory and its datagram: `init`'s `local` statics
    pub(crate) rng: R,
}

impl<D: Device, R: rand_core::CryptoRng> Network<D, R> {
    /// Everything that can be done now; how long to wait then.
    pub(crate) fn run(
        &mut self,
        now: Instant,
        mut on_event: impl FnMut(Event<'_>),
    ) -> Result<Option<Duration>, Cause> {
        loop {
            let received = self
                .iface
                .poll_ingress_single(now, &mut self.device, &mut self.sockets);
            let mut cx = Cx::new(session_time(now), &mut self.rng);
            let socket = self.sockets.get_mut::<udp::Socket<'_>>(self.socket);
            let status = self.connection.poll(socket, &mut cx, &mut on_event);
            self.iface
                .poll_egress(now, &mut self.device, &mut self.sockets);
            if let Status::Closed(cause) = status {
                return Err(cause);
            }
            if received == PollIngressSingleResult::None {
                self.iface.poll_maintenance(now);
                let iface = self.iface.poll_delay(now, &self.sockets);
                return Ok(self.connection.poll_delay(session_time(now), iface));
            }
        }
    }
}
