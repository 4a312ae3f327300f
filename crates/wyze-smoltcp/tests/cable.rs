//! An app and a camera, each with a smoltcp interface of its own, at the ends of a cable with faults and a virtual clock.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use smoltcp::iface::{Config, Interface, PollIngressSingleResult, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, FaultInjector, Medium, RxToken, TxToken};
use smoltcp::socket::udp;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{EthernetAddress, IpCidr, Ipv4Cidr};
use wyze_smoltcp::session::kauth::Code;
use wyze_smoltcp::session::kauth::settings::lookup;
use wyze_smoltcp::session::{
    AudioFormat, Camera, CameraConfig, CameraEvent, Cause, Client, ClientConfig, Codec, Cx, Enr,
    Event, FrameInfo, LAN_PORT, Mac, Memory, OutFrame, Storage, Stream, TalkFrame, Uid,
};
use wyze_smoltcp::{Connection, Progress, Server, Status, broadcast, session_time};

type Wire = Rc<RefCell<VecDeque<Vec<u8>>>>;

/// One end of the cable.
struct End {
    incoming: Wire,
    outgoing: Wire,
}

struct Received(Vec<u8>);

struct Sending(Wire);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

impl TxToken for Sending {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let mut frame = vec![0; len];
        let answer = write(&mut frame);
        self.0.borrow_mut().push_back(frame);
        answer
    }
}

impl Device for End {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sending;

    fn receive(&mut self, _: Instant) -> Option<(Received, Sending)> {
        let frame = self.incoming.borrow_mut().pop_front()?;
        Some((Received(frame), Sending(self.outgoing.clone())))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sending> {
        Some(Sending(self.outgoing.clone()))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities
    }
}

/// One machine: interface, device and one socket, with as little memory as the documentation asks for.
struct Host {
    iface: Interface,
    device: FaultInjector<End>,
    sockets: SocketSet<'static>,
    socket: SocketHandle,
    network: Ipv4Cidr,
    rng: ChaCha8Rng,
}

impl Host {
    fn new(number: u8, port: u16, end: End, loss: u8) -> Self {
        let mut device = FaultInjector::new(end, u32::from(number) * 7919);
        device.set_drop_chance(loss);
        let mac = EthernetAddress([2, 0, 0, 0, 0, number]);
        let mut iface = Interface::new(Config::new(mac.into()), &mut device, Instant::ZERO);
        let network = Ipv4Cidr::new(Ipv4Addr::new(192, 168, 7, number), 24);
        iface.update_ip_addrs(|addrs| addrs.push(IpCidr::Ipv4(network)).unwrap());
        let ring = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 2], vec![0; 3000]);
        let mut socket = udp::Socket::new(ring(), ring());
        socket.bind(port).unwrap();
        let mut sockets = SocketSet::new(vec![]);
        let socket = sockets.add(socket);
        Self {
            iface,
            device,
            sockets,
            socket,
            network,
            rng: ChaCha8Rng::seed_from_u64(number.into()),
        }
    }

    fn receive(&mut self, now: Instant) -> bool {
        let result = self
            .iface
            .poll_ingress_single(now, &mut self.device, &mut self.sockets);
        result != PollIngressSingleResult::None
    }

    fn transmit(&mut self, now: Instant) {
        self.iface
            .poll_egress(now, &mut self.device, &mut self.sockets);
    }

    fn delay(&mut self, now: Instant) -> Option<Duration> {
        self.iface.poll_delay(now, &self.sockets)
    }

    /// The socket, and what a session call takes beside it.
    fn parts(&mut self, now: Instant) -> (&mut udp::Socket<'static>, Cx<'_>) {
        let socket = self.sockets.get_mut(self.socket);
        (socket, Cx::new(session_time(now), &mut self.rng))
    }
}

fn cable(loss: u8) -> (Host, Host) {
    let (there, back) = (Wire::default(), Wire::default());
    let end = |incoming: &Wire, outgoing: &Wire| End {
        incoming: incoming.clone(),
        outgoing: outgoing.clone(),
    };
    (
        Host::new(1, 50_000, end(&back, &there), loss),
        Host::new(2, LAN_PORT, end(&there, &back), loss),
    )
}

fn uid() -> Uid {
    "SIMCAMSIMCAMSIMCAM11".parse().unwrap()
}

/// What came of a visit.
#[derive(Debug, Default)]
struct Outcome {
    let_in: bool,
    /// Bytes of video, frame by frame.
    video: Vec<Vec<u8>>,
    heard: Vec<Vec<u8>>,
    found: Option<SocketAddr>,
    ended: Option<Cause>,
    /// Codes of the replies to its requests, and what the server's settings then say of night vision.
    replies: Vec<Code>,
    night_vision: Option<i64>,
    /// How often the app was let in.
    sessions: u32,
    /// How often both ends were asleep.
    sleeps: u32,
    took: Duration,
}

/// What a visit is about.
#[derive(Default)]
struct Visit<'a> {
    targets: &'a [SocketAddr],
    loss: u8,
    /// Frames that the camera sends, one every 50 ms; then the app hangs up.
    frames: &'a [Vec<u8>],
    /// Audio that the app sends meanwhile.
    talk: &'a [Vec<u8>],
    /// The camera hangs up after this many frames, and the app begins anew.
    hang_up_after: Option<usize>,
    /// The app sets night vision to this.
    night_vision: Option<i64>,
}

/// Lets the app visit the camera until the app's session has ended.
fn visit(visit: &Visit<'_>) -> Outcome {
    let (mut app, mut device) = cable(visit.loss);
    let (enr, mac) = (
        Enr::new("sim-enr-16byte!!").unwrap(),
        Mac::new("00AA11BB22CC").unwrap(),
    );
    let mut now = Instant::ZERO;
    let (mut m1, mut m2) = (Memory::<0, 0>::new(), Memory::<0, 4096>::new());
    let (mut t1, mut t2) = ([0; 512], [0; 512]);
    let storage = Storage {
        talk_handshake: &mut t1,
        ..m1.split()
    };
    let config = ClientConfig::new(uid(), &enr, &mac, visit.targets);
    let client = Client::new(&config, storage, &mut app.parts(now).1);
    let storage = Storage {
        talk_handshake: &mut t2,
        ..m2.split()
    };
    let config = CameraConfig::new(uid(), &enr, &mac);
    let camera = Camera::new(&config, storage, &mut device.parts(now).1);
    let (mut b1, mut b2) = ([0; 1500], [0; 1500]);
    let mut connection = Connection::new(client, &mut b1);
    let mut server = Server::new(camera, &mut b2);

    let mut outcome = Outcome::default();
    let mut frame = Vec::new();
    let (mut talk_ready, mut talking) = (false, visit.talk.iter());
    let mut frames = visit.frames.iter();
    let mut night_vision = visit.night_vision;
    let (mut outgoing, mut next_frame) = (None, Instant::ZERO);
    loop {
        let mut busy = app.receive(now);
        let (socket, mut cx) = app.parts(now);
        let status = connection.poll(socket, &mut cx, |event| match event {
            Event::Authenticated(_) => {
                outcome.let_in = true;
                outcome.sessions += 1;
            }
            Event::Phase(wyze_smoltcp::session::Phase::Found { from, .. }) => {
                outcome.found = Some(from);
            }
            Event::Chunk(chunk) => {
                if chunk.offset == 0 {
                    frame.clear();
                }
                frame.extend_from_slice(chunk.bytes);
                if chunk.last {
                    outcome.video.push(std::mem::take(&mut frame));
                }
            }
            Event::TalkReady => talk_ready = true,
            Event::Reply { code, .. } => outcome.replies.push(code),
            _ => {}
        });
        if outcome.let_in
            && let Some(value) = night_vision.take()
        {
            let request = lookup("night-vision").unwrap().set_request(value, None);
            let request = request.unwrap();
            let client = connection.client();
            let asked = client.request_with(&mut cx, true, |w| request.write(w));
            asked.unwrap();
        }
        if outcome.let_in && !visit.talk.is_empty() && !connection.client().is_talking() {
            // Refused while one is under way.
            let _ = connection.client().start_talk(&mut cx);
        }
        if talk_ready && let Some(data) = talking.next() {
            let format = AudioFormat {
                sample_rate: 8000,
                bits: 16,
                channels: 1,
            };
            let frame = TalkFrame {
                codec: Codec::Pcm16,
                format,
                micros: 0,
                data,
            };
            connection.send_audio(socket, &mut cx, &frame).unwrap();
            busy = true;
        }
        app.transmit(now);
        if status == Status::Closed(Cause::Peer) && visit.hang_up_after.is_some() {
            // Through the same connection, in the same memory.
            let config = ClientConfig::new(uid(), &enr, &mac, visit.targets);
            let mut cx = app.parts(now).1;
            connection.client().restart(&config, &mut cx);
        } else if let Status::Closed(cause) = status {
            outcome.ended = Some(cause);
            outcome.night_vision = server.state().value("night-vision");
            outcome.took = now - Instant::ZERO;
            return outcome;
        }

        busy |= device.receive(now);
        let (socket, mut cx) = device.parts(now);
        server.poll(socket, &mut cx, |event| {
            if let CameraEvent::Audio(frame) = event {
                outcome.heard.push(frame.data.to_vec());
            }
        });
        if outgoing.is_none()
            && now >= next_frame
            && server.camera().wants(Stream::Video)
            && let Some(data) = frames.next()
        {
            let frame = OutFrame {
                stream: Stream::Video,
                key: true,
                info: FrameInfo::video(Codec::H264, 20, 0),
                data,
            };
            outgoing = server.camera().start_frame(&frame).ok();
            next_frame = now + Duration::from_millis(50);
        }
        if let Some(frame) = &mut outgoing {
            busy = true;
            if server.send_frame(socket, &mut cx, frame) == Progress::Done {
                outgoing = None;
                if visit.hang_up_after == Some(visit.frames.len() - frames.len()) {
                    server.camera().close();
                }
            }
        }
        device.transmit(now);

        let done = outcome.let_in
            && frames.len() == 0
            && outgoing.is_none()
            && talking.len() == 0
            && now >= next_frame + Duration::from_millis(200);
        if done {
            connection.client().close();
        } else if !busy {
            // Everybody sleeps, and the clock jumps to whoever wakes first.
            let at = session_time(now);
            let delays = [
                connection.poll_delay(at, app.delay(now)),
                server.poll_delay(at, device.delay(now)),
                Some(Duration::from_millis(20)),
            ];
            let delay = delays.into_iter().flatten().min().unwrap();
            now += delay.max(Duration::from_micros(1));
            outcome.sleeps += 1;
        }
        assert!(now < Instant::from_secs(60), "{outcome:?}");
    }
}

fn anywhere() -> [SocketAddr; 1] {
    [broadcast(cable(0).0.network, LAN_PORT)]
}

fn frames(count: u8, len: usize) -> Vec<Vec<u8>> {
    let frame = |n: u8| (0..len).map(|i| (i as u8).wrapping_mul(n | 1)).collect();
    (0..count).map(frame).collect()
}

#[test]
fn a_camera_found_by_broadcast_sends_every_frame() {
    let frames = frames(12, 20_000); // key frames, far more than the sockets hold
    let outcome = visit(&Visit {
        targets: &anywhere(),
        frames: &frames,
        ..Visit::default()
    });
    assert_eq!(outcome.found, Some("192.168.7.2:32761".parse().unwrap()));
    assert!(outcome.video == frames, "{} frames", outcome.video.len());
    assert_eq!(outcome.ended, Some(Cause::Local));
    // Nothing spins: at most once a millisecond over the whole second.
    assert!(outcome.sleeps < 1000, "{} sleeps", outcome.sleeps);
}

#[test]
fn a_camera_that_hangs_up_is_watched_again_through_the_same_connection() {
    let frames = frames(12, 3000);
    let outcome = visit(&Visit {
        targets: &anywhere(),
        frames: &frames,
        hang_up_after: Some(5),
        ..Visit::default()
    });
    assert_eq!((outcome.sessions, outcome.ended), (2, Some(Cause::Local)));
    assert!(outcome.video == frames, "{} frames", outcome.video.len());
}

#[test]
fn audio_goes_the_other_way() {
    let talk = frames(20, 320);
    let outcome = visit(&Visit {
        targets: &anywhere(),
        frames: &frames(5, 3000),
        talk: &talk,
        ..Visit::default()
    });
    assert!(outcome.heard == talk, "{} frames", outcome.heard.len());
}

#[test]
fn what_an_app_sets_is_answered_and_kept_by_the_server() {
    for value in [1, 2] {
        let outcome = visit(&Visit {
            targets: &anywhere(),
            frames: &frames(2, 100),
            night_vision: Some(value),
            ..Visit::default()
        });
        assert_eq!(outcome.replies.len(), 1);
        assert_eq!(outcome.night_vision, Some(value));
    }
}

#[test]
fn loss_costs_frames_and_not_the_session() {
    let frames = frames(40, 4000);
    let outcome = visit(&Visit {
        targets: &anywhere(),
        loss: 5,
        frames: &frames,
        ..Visit::default()
    });
    assert!(outcome.let_in);
    let arrived = outcome.video.len();
    assert!((10..40).contains(&arrived), "{arrived} frames");
    assert!(outcome.video.iter().all(|frame| frames.contains(frame)));
}

#[test]
fn a_neighbour_that_is_gone_does_not_hold_up_the_search() {
    for order in [[0, 1], [1, 0]] {
        let all = [anywhere()[0], "192.168.7.77:32761".parse().unwrap()];
        let outcome = visit(&Visit {
            targets: &order.map(|i: usize| all[i]),
            frames: &frames(1, 100),
            ..Visit::default()
        });
        assert!(outcome.let_in, "order {order:?}: {outcome:?}");
        assert_eq!(outcome.video.len(), 1);
    }
}

#[test]
fn nobody_there_is_an_end_and_not_a_hang() {
    let outcome = visit(&Visit {
        targets: &["192.168.7.77:32761".parse().unwrap()],
        ..Visit::default()
    });
    assert_eq!(outcome.ended, Some(Cause::NoAnswer));
    assert!(outcome.took < Duration::from_secs(10), "{}", outcome.took);
}
