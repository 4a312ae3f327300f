//! The picture counter of `docs/embedding.md`, as tasks of RTIC: it watches until the camera hangs up, and says how many
//! pictures it has seen.
#![no_std]
#![no_main]

mod device;
mod network;

// Start-up code and vector table.
use cortex_m_rt as _;
use rtic_monotonics::systick::prelude::*;

// Milliseconds, as 64 bits: they never go back.
systick_monotonic!(Mono, 1_000);

#[rtic::app(device = crate::device, peripherals = false, dispatchers = [UART0_RX])]
mod app {
    use core::fmt::Write;
    use core::net::SocketAddr;

    use firmware_common::{Address, Arguments};
    use qemu_cortex_m::{MAC, Net, Uart};
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};
    use rtic_sync::channel::{Receiver, Sender};
    use rtic_sync::make_channel;
    use semihosting::process;
    use smoltcp::iface::{Config, Interface, SocketSet, SocketStorage};
    use smoltcp::socket::udp;
    use smoltcp::time::Instant;
    use smoltcp::wire::{EthernetAddress, IpCidr};
    use wyze_smoltcp::session::{Cause, Client, ClientConfig, Cx, Event, Memory, Stream};
    use wyze_smoltcp::{Connection, session_time};

    use super::network::Network;
    use super::*;

    #[shared]
    struct Shared {
        pictures: u32,
    }

    #[local]
    struct Local {
        network: Network<Net, ChaCha20Rng>,
        packets_came: Sender<'static, (), 1>,
        came: Receiver<'static, (), 1>,
    }

    #[init(local = [
        memory: Memory<0, 0, 256> = Memory::new(),
        datagram: [u8; 1500] = [0; 1500],
        sockets: [SocketStorage<'static>; 1] = [SocketStorage::EMPTY],
        received: [udp::PacketMetadata; 2] = [udp::PacketMetadata::EMPTY; 2],
        receive: [u8; 3000] = [0; 3000],
        sent: [udp::PacketMetadata; 2] = [udp::PacketMetadata::EMPTY; 2],
        send: [u8; 3000] = [0; 3000],
    ])]
    fn init(cx: init::Context) -> (Shared, Local) {
        Mono::start(cx.core.SYST, 25_000_000);
        let words = semihosting::experimental::env::args::<384>().expect("arguments");
        let arguments = Arguments::parse((&words).filter_map(Result::ok));
        let Ok(arguments) = arguments else {
            panic!("arguments of a viewer with an address of its own are needed")
        };
        let Address::Static(address) = arguments.address else {
            panic!("an address is needed, not DHCP")
        };
        let mut device = Net::new().expect("a network device");
        let mut rng = ChaCha20Rng::from_seed(arguments.seed);
        let now = now();

        let mut config = Config::new(EthernetAddress(MAC).into());
        config.random_seed = rng.next_u64();
        let mut iface = Interface::new(config, &mut device, now);
        iface.update_ip_addrs(|addresses| addresses.push(IpCidr::Ipv4(address)).expect("room"));
        let memory = cx.local;
        let mut socket = udp::Socket::new(
            udp::PacketBuffer::new(&mut memory.received[..], &mut memory.receive[..]),
            udp::PacketBuffer::new(&mut memory.sent[..], &mut memory.send[..]),
        );
        socket.bind(0xc000 | rng.next_u32() as u16).expect("a port");
        let mut sockets = SocketSet::new(&mut memory.sockets[..]);
        let socket = sockets.add(socket);

        let targets = [SocketAddr::V4(
            arguments.camera.expect("an address of the camera"),
        )];
        let config = ClientConfig {
            audio: false,
            framings: arguments.framings,
            ..ClientConfig::new(arguments.uid, &arguments.enr, &arguments.mac, &targets)
        };
        let client = Client::new(
            &config,
            memory.memory.split(),
            &mut Cx::new(session_time(now), &mut rng),
        );
        let network = Network {
            iface,
            device,
            sockets,
            socket,
            connection: Connection::new(client, memory.datagram),
            rng,
        };

        let (packets_came, came) = make_channel!((), 1);
        session::spawn().expect("it does not run yet");
        (
            Shared { pictures: 0 },
            Local {
                network,
                packets_came,
                came,
            },
        )
    }

    fn now() -> Instant {
        Instant::from_millis(Mono::now().as_ticks() as i64)
    }

    #[task(binds = ETHERNET, priority = 2, local = [packets_came])]
    fn ethernet(cx: ethernet::Context) {
        Net::acknowledge();
        cx.local.packets_came.try_send(()).ok(); // full: the task knows already
    }

    #[task(priority = 1, local = [network, came], shared = [pictures])]
    async fn session(mut cx: session::Context) {
        let cause = loop {
            let outcome = cx.local.network.run(now(), |event| {
                if let Event::Chunk(chunk) = event
                    && chunk.stream == Stream::Video
                    && chunk.last
                {
                    cx.shared.pictures.lock(|pictures| *pictures += 1);
                }
            });
            match outcome {
                Ok(Some(wait)) => {
                    // Whichever is first. A timer that is due by half a millisecond too early makes this spin.
                    let wait = wait.total_micros().micros_at_least();
                    let _ = Mono::timeout_after(wait, cx.local.came.recv()).await;
                }
                Ok(None) => {
                    let _ = cx.local.came.recv().await;
                }
                Err(cause) => break cause,
            }
        };
        report::spawn(cause).expect("it does not run yet");
    }

    #[task(priority = 1, shared = [pictures])]
    async fn report(mut cx: report::Context, cause: Cause) {
        let pictures = cx.shared.pictures.lock(|pictures| *pictures);
        let _ = writeln!(Uart::new(), "# {pictures} pictures, {cause}");
        process::exit(i32::from(cause != Cause::Peer))
    }
}
