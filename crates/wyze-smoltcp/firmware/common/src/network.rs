//! The interface and its one UDP socket, in memory that the stack of `main` holds.

use smoltcp::iface::{
    Config, Interface, PollIngressSingleResult, SocketHandle, SocketSet, SocketStorage,
};
use smoltcp::socket::{dhcpv4, udp};
use smoltcp::time::Duration;
use smoltcp::wire::{EthernetAddress, IpCidr, Ipv4Cidr};

use crate::arguments::Address;
use crate::{Board, Failure};

/// Memory of the sockets.
pub(crate) struct Memory<'a> {
    sockets: [SocketStorage<'a>; 2],
    received: [udp::PacketMetadata; 2],
    receive: [u8; 3000],
    sent: [udp::PacketMetadata; 2],
    send: [u8; 3000],
}

impl Memory<'_> {
    pub(crate) fn new() -> Self {
        Self {
            sockets: Default::default(),
            received: [udp::PacketMetadata::EMPTY; 2],
            receive: [0; 3000],
            sent: [udp::PacketMetadata::EMPTY; 2],
            send: [0; 3000],
        }
    }
}

/// The network, up to UDP.
pub(crate) struct Network<'a> {
    iface: Interface,
    sockets: SocketSet<'a>,
    socket: SocketHandle,
}

impl<'a> Network<'a> {
    /// A socket on `port`; no address yet.
    pub(crate) fn new<B: Board>(
        board: &mut B,
        memory: &'a mut Memory<'a>,
        port: u16,
        random_seed: u64,
    ) -> Result<Self, Failure> {
        let mut config = Config::new(EthernetAddress(board.mac()).into());
        config.random_seed = random_seed;
        let now = board.now();
        let iface = Interface::new(config, board, now);
        let mut socket = udp::Socket::new(
            udp::PacketBuffer::new(&mut memory.received[..], &mut memory.receive[..]),
            udp::PacketBuffer::new(&mut memory.sent[..], &mut memory.send[..]),
        );
        socket.bind(port).map_err(|_| Failure::Step("bind"))?;
        let mut sockets = SocketSet::new(&mut memory.sockets[..]);
        let socket = sockets.add(socket);
        Ok(Self {
            iface,
            sockets,
            socket,
        })
    }

    /// Gets an address, and says it.
    pub(crate) fn configure<B: Board>(
        &mut self,
        board: &mut B,
        address: &Address,
    ) -> Result<Ipv4Cidr, Failure> {
        match address {
            Address::Dhcp => self.lease(board),
            Address::Static(address) => {
                self.set_address(*address);
                let _ = writeln!(board, "# at {address}");
                Ok(*address)
            }
        }
    }

    fn set_address(&mut self, address: Ipv4Cidr) {
        self.iface.update_ip_addrs(|addresses| {
            addresses.clear();
            // There is room for one.
            let _ = addresses.push(IpCidr::Ipv4(address));
        });
    }

    /// Asks for an address until there is one.
    fn lease<B: Board>(&mut self, board: &mut B) -> Result<Ipv4Cidr, Failure> {
        let dhcp = self.sockets.add(dhcpv4::Socket::new());
        let end = board.now() + Duration::from_secs(15);
        while board.now() < end {
            while self.receive(board) {}
            let event = self.sockets.get_mut::<dhcpv4::Socket<'_>>(dhcp).poll();
            if let Some(dhcpv4::Event::Configured(lease)) = event {
                let (address, router) = (lease.address, lease.router);
                self.set_address(address);
                if let Some(router) = router {
                    // There is room for one.
                    let _ = self.iface.routes_mut().add_default_ipv4_route(router);
                }
                let _ = writeln!(board, "# at {address} by DHCP, router {router:?}");
                return Ok(address);
            }
            self.transmit(board);
            let delay = self.poll_delay(board);
            board.sleep(Some(delay.unwrap_or(Duration::from_millis(100))));
        }
        Err(Failure::Timeout("no DHCP server answered"))
    }

    /// Takes one packet from the board; `false` when there is none. One at a time: the board's device holds what the
    /// socket has no room for.
    pub(crate) fn receive<B: Board>(&mut self, board: &mut B) -> bool {
        let now = board.now();
        let result = self
            .iface
            .poll_ingress_single(now, board, &mut self.sockets);
        result != PollIngressSingleResult::None
    }

    /// Gives the board what there is to send.
    pub(crate) fn transmit<B: Board>(&mut self, board: &mut B) {
        let now = board.now();
        self.iface.poll_egress(now, board, &mut self.sockets);
    }

    /// How long nothing is to be done.
    pub(crate) fn poll_delay<B: Board>(&mut self, board: &mut B) -> Option<Duration> {
        let now = board.now();
        self.iface.poll_delay(now, &self.sockets)
    }

    pub(crate) fn socket(&mut self) -> &mut udp::Socket<'a> {
        self.sockets.get_mut(self.socket)
    }
}
