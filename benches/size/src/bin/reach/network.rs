//! A client and a camera over smoltcp, with a lease by DHCP.

use core::hint::black_box;

use smoltcp::iface::{
    Config, Interface, PollIngressSingleResult, SocketHandle, SocketSet, SocketStorage,
};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::{dhcpv4, udp};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpCidr};
use wyze_smoltcp::session::{Camera, Client, Cx, LAN_PORT, Reconnect};
use wyze_smoltcp::{Connection, Progress, Server, Status, broadcast, session_time};

use crate::hardware::{Random, chance, identity, read, register, show};
use crate::session::{self, Lent};
use crate::writers::Writers;

/// An Ethernet device.
struct Radio;

struct Token;

impl RxToken for Token {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, take: F) -> R {
        let mut frame = [0; 1514];
        let len = read(&mut frame);
        take(frame.get(..len).unwrap_or_default())
    }
}

impl TxToken for Token {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, give: F) -> R {
        let mut frame = [0; 1514];
        let answer = give(frame.get_mut(..len).unwrap_or_default());
        black_box(frame);
        answer
    }
}

impl Device for Radio {
    type RxToken<'a> = Token;
    type TxToken<'a> = Token;

    fn receive(&mut self, _: Instant) -> Option<(Token, Token)> {
        chance().then_some((Token, Token))
    }

    fn transmit(&mut self, _: Instant) -> Option<Token> {
        chance().then_some(Token)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities
    }
}

fn now() -> Instant {
    Instant::from_micros(i64::from(register(1)))
}

struct Memory<'a> {
    sockets: [SocketStorage<'a>; 2],
    metadata: [[udp::PacketMetadata; 2]; 2],
    bytes: [[u8; 3000]; 2],
}

impl Memory<'_> {
    fn new() -> Self {
        Self {
            sockets: Default::default(),
            metadata: [[udp::PacketMetadata::EMPTY; 2]; 2],
            bytes: [[0; 3000]; 2],
        }
    }
}

struct Network<'a> {
    iface: Interface,
    sockets: SocketSet<'a>,
    socket: SocketHandle,
    dhcp: SocketHandle,
}

impl<'a> Network<'a> {
    fn new(memory: &'a mut Memory<'a>, port: u16) -> Option<Self> {
        let config = Config::new(EthernetAddress([2, 0, 0, 0, 0, 1]).into());
        let iface = Interface::new(config, &mut Radio, now());
        let ([m0, m1], [b0, b1]) = (&mut memory.metadata, &mut memory.bytes);
        let mut socket = udp::Socket::new(
            udp::PacketBuffer::new(&mut m0[..], &mut b0[..]),
            udp::PacketBuffer::new(&mut m1[..], &mut b1[..]),
        );
        socket.bind(port).ok()?;
        let mut sockets = SocketSet::new(&mut memory.sockets[..]);
        let (socket, dhcp) = (sockets.add(socket), sockets.add(dhcpv4::Socket::new()));
        Some(Self {
            iface,
            sockets,
            socket,
            dhcp,
        })
    }

    /// Takes what has come. Where to search, when there is a lease.
    fn receive(&mut self) -> (bool, Option<core::net::SocketAddr>) {
        let came = self
            .iface
            .poll_ingress_single(now(), &mut Radio, &mut self.sockets);
        let came = came != PollIngressSingleResult::None;
        let event = self.sockets.get_mut::<dhcpv4::Socket<'_>>(self.dhcp).poll();
        let Some(dhcpv4::Event::Configured(lease)) = event else {
            return (came, None);
        };
        self.iface.update_ip_addrs(|addresses| {
            addresses.clear();
            let _ = addresses.push(IpCidr::Ipv4(lease.address));
        });
        if let Some(router) = lease.router {
            let _ = self.iface.routes_mut().add_default_ipv4_route(router);
        }
        (came, Some(broadcast(lease.address, LAN_PORT)))
    }

    fn socket(&mut self) -> &mut udp::Socket<'a> {
        self.sockets.get_mut(self.socket)
    }

    fn transmit(&mut self) {
        self.iface.poll_egress(now(), &mut Radio, &mut self.sockets);
        self.iface.poll_maintenance(now());
    }
}

/// Watches a camera until a session ends for good.
pub(crate) fn view() -> Option<()> {
    let mut memory = Memory::new();
    let mut network = Network::new(&mut memory, register(3) as u16)?;
    let identity = identity()?;
    let mut targets = session::targets();
    let (mut lent, mut buffer, mut rng) = (Lent::new(), [0; 1500], Random);
    let config = session::viewer(&identity, &targets);
    let client = Client::new(
        &config,
        lent.split(),
        &mut Cx::new(session_time(now()), &mut rng),
    );
    let mut connection = Connection::new(client, &mut buffer);
    let (mut writers, mut reconnect) = (Writers::new(), Reconnect::new());
    loop {
        if let (_, Some(target)) = network.receive() {
            targets = [target; 2];
        }
        let config = session::viewer(&identity, &targets);
        let mut cx = Cx::new(session_time(now()), &mut rng);
        let status = connection.poll(network.socket(), &mut cx, |event| {
            session::note(&mut writers, &event);
        });
        session::ask(connection.client(), &config, &mut reconnect, &mut cx);
        let sound = session::Sound::take();
        if let Err(error) = connection.send_audio(network.socket(), &mut cx, &sound.frame()) {
            show(&error);
        }
        network.transmit();
        let delay = network.iface.poll_delay(now(), &network.sockets);
        black_box(connection.poll_delay(session_time(now()), delay));
        if let Status::Closed(cause) = status
            && session::is_final(cause)
        {
            return Some(());
        }
    }
}

/// Is a camera for ever.
pub(crate) fn serve() -> Option<()> {
    let mut memory = Memory::new();
    let mut network = Network::new(&mut memory, LAN_PORT)?;
    let identity = identity()?;
    let (mut lent, mut buffer, mut rng) = (Lent::new(), [0; 1500], Random);
    let config = session::device(&identity);
    let camera = Camera::new(
        &config,
        lent.split(),
        &mut Cx::new(session_time(now()), &mut rng),
    );
    let mut server = Server::new(camera, &mut buffer);
    loop {
        black_box(network.receive());
        let mut cx = Cx::new(session_time(now()), &mut rng);
        server.poll(network.socket(), &mut cx, |event| session::hear(&event));
        let picture = session::Picture::take();
        match server.camera().start_frame(&picture.frame()) {
            Ok(mut outgoing) => {
                let sent = server.send_frame(network.socket(), &mut cx, &mut outgoing);
                black_box(sent == Progress::Done);
            }
            Err(error) => show(&error),
        }
        let mut state = core::mem::take(server.state());
        session::look_at(server.camera(), &mut state, &mut cx);
        *server.state() = state;
        network.transmit();
        let delay = network.iface.poll_delay(now(), &network.sockets);
        black_box(server.poll_delay(session_time(now()), delay));
    }
}
