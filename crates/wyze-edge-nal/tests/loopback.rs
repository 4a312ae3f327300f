//! An app and a camera over edge-nal's std sockets, on loopback and in real time.

use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use edge_nal_std::UdpSocket;
use embedded_hal_async::delay::DelayNs;
use futures_lite::future::{block_on, or};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use wyze_edge_nal::session::kauth::Code;
use wyze_edge_nal::session::kauth::settings::lookup;
use wyze_edge_nal::session::{
    AudioFormat, Camera, CameraConfig, CameraEvent, Cause, Client, ClientConfig, Codec, Cx, Enr,
    Event, FrameInfo, Instant, Mac, Memory, OutFrame, Storage, Stream, TalkError, TalkFrame, Uid,
};
use wyze_edge_nal::{Connection, Server, Status};

struct Delay;

impl DelayNs for Delay {
    async fn delay_ns(&mut self, ns: u32) {
        async_io::Timer::after(Duration::from_nanos(ns.into())).await;
    }
}

fn socket() -> UdpSocket {
    let any = (Ipv4Addr::LOCALHOST, 0);
    UdpSocket::new(async_io::Async::<std::net::UdpSocket>::bind(any).unwrap())
}

fn clock() -> impl FnMut() -> Instant {
    let start = std::time::Instant::now();
    move || Instant::from_micros(start.elapsed().as_micros() as u64)
}

fn credentials() -> (Uid, Enr, Mac) {
    (
        "SIMCAMSIMCAMSIMCAM11".parse().unwrap(),
        Enr::new("sim-enr-16byte!!").unwrap(),
        Mac::new("00AA11BB22CC").unwrap(),
    )
}

/// What an app knows of the camera it watches.
struct Viewer {
    uid: Uid,
    enr: Enr,
    mac: Mac,
    targets: [SocketAddr; 1],
}

impl Viewer {
    fn of(target: SocketAddr) -> Self {
        let (uid, enr, mac) = credentials();
        let targets = [target];
        Self {
            uid,
            enr,
            mac,
            targets,
        }
    }

    /// Of a camera that is never there.
    fn of_nobody() -> Self {
        Self::of(SocketAddr::from((Ipv4Addr::LOCALHOST, 9)))
    }

    fn config(&self) -> ClientConfig<'_> {
        ClientConfig::new(self.uid, &self.enr, &self.mac, &self.targets)
    }

    fn client<'m>(&self, storage: Storage<'m>, rng: &mut ChaCha8Rng) -> Client<'m> {
        Client::new(&self.config(), storage, &mut Cx::new(Instant::ZERO, rng))
    }
}

/// A camera, and what it is told.
struct Device<'a> {
    socket: &'a UdpSocket,
    picture: &'a [u8],
    /// Audio that viewers sent.
    heard: RefCell<Vec<Vec<u8>>>,
    /// It is to hang up once.
    hang_up: Cell<bool>,
    /// The socket it goes on with, once.
    move_to: Cell<Option<&'a UdpSocket>>,
    /// What its settings say of night vision.
    night_vision: Cell<Option<i64>>,
}

impl<'a> Device<'a> {
    fn new(socket: &'a UdpSocket, picture: &'a [u8]) -> Self {
        Self {
            socket,
            picture,
            heard: RefCell::default(),
            hang_up: Cell::new(false),
            move_to: Cell::new(None),
            night_vision: Cell::default(),
        }
    }
}

/// Serves for ever: the picture again and again.
async fn serve(device: &Device<'_>) -> Option<Cause> {
    let Device {
        socket, picture, ..
    } = *device;
    let (uid, enr, mac) = credentials();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let (mut memory, mut talk, mut buffer) = (Memory::<0, 4096>::new(), [0; 512], [0; 1500]);
    let storage = Storage {
        talk_handshake: &mut talk,
        ..memory.split()
    };
    let config = CameraConfig::new(uid, &enr, &mac);
    let camera = Camera::new(&config, storage, &mut Cx::new(Instant::ZERO, &mut rng));
    let mut server = Server::new(camera, socket, Delay, clock(), &mut buffer);
    loop {
        let step = server.step(&mut rng, Duration::from_millis(20), |event| {
            if let CameraEvent::Audio(frame) = event {
                device.heard.borrow_mut().push(frame.data.to_vec());
            }
        });
        step.await.unwrap();
        if device.hang_up.take() {
            server.camera().close();
        }
        if let Some(socket) = device.move_to.take() {
            server.set_socket(socket);
        }
        device
            .night_vision
            .set(server.state().value("night-vision"));
        let frame = OutFrame {
            stream: Stream::Video,
            key: true,
            info: FrameInfo::video(Codec::H264, 20, 0),
            data: picture,
        };
        // Refused while nobody watches.
        let _ = server.send_frame(&mut rng, &frame).await;
    }
}

/// Watches until `enough` frames have come, then hangs up; gives up after ten seconds.
async fn watch(target: SocketAddr, picture: &[u8], enough: u32) -> Option<Cause> {
    let viewer = Viewer::of(target);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut memory, mut buffer) = (Memory::<16384, 0>::new(), [0; 1500]);
    let client = viewer.client(memory.split(), &mut rng);
    let socket = socket();
    let mut connection = Connection::new(client, &socket, Delay, clock(), &mut buffer);
    let (mut frames, start) = (0, std::time::Instant::now());
    while start.elapsed() < Duration::from_secs(10) {
        let step = connection.step(&mut rng, Duration::from_secs(1), |event| {
            if let Event::Video(frame) = event {
                assert_eq!(frame.data, picture);
                frames += 1;
            }
        });
        if let Status::Closed(cause) = step.await.unwrap() {
            return Some(cause);
        }
        if frames >= enough {
            connection.client(&mut rng).0.close();
        }
    }
    None
}

#[test]
fn frames_cross_loopback_and_the_viewer_leaves() {
    let picture: Vec<u8> = (0..2000u32).map(|i| i as u8).collect();
    let camera = socket();
    let address = camera.get_ref().local_addr().unwrap();
    let viewer = watch(address, &picture, 20);
    let outcome = block_on(or(viewer, serve(&Device::new(&camera, &picture))));
    assert_eq!(outcome, Some(Cause::Local));
}

/// Watches, and when the camera hangs up watches again through the same connection. Frames of both sessions.
async fn watch_twice(target: SocketAddr, device: &Device<'_>) -> [u32; 2] {
    let viewer = Viewer::of(target);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut memory, mut buffer) = (Memory::<16384, 0>::new(), [0; 1500]);
    let client = viewer.client(memory.split(), &mut rng);
    let socket = socket();
    let mut connection = Connection::new(client, &socket, Delay, clock(), &mut buffer);
    let (mut frames, mut session) = ([0; 2], 0);
    let start = std::time::Instant::now();
    while start.elapsed() < Duration::from_secs(10) && frames[1] < 5 {
        let step = connection.step(&mut rng, Duration::from_secs(1), |event| {
            frames[session] += u32::from(matches!(event, Event::Video(_)));
        });
        match step.await.unwrap() {
            Status::Closed(cause) => {
                assert_eq!((cause, session), (Cause::Peer, 0));
                session = 1;
                let (client, mut cx) = connection.client(&mut rng);
                client.restart(&viewer.config(), &mut cx);
            }
            Status::Open => device.hang_up.set(session == 0 && frames[0] >= 5),
        }
    }
    frames
}

#[test]
fn a_camera_that_was_gone_is_watched_again_through_the_same_connection() {
    let camera = socket();
    let address = camera.get_ref().local_addr().unwrap();
    let device = Device::new(&camera, &[7; 2000]);
    let frames = block_on(or(watch_twice(address, &device), async {
        serve(&device).await;
        [0; 2]
    }));
    assert!(frames[0] >= 5 && frames[1] >= 5, "{frames:?}");
}

/// Says these frames once the camera lets us, and waits until it has heard as many.
async fn talk(target: SocketAddr, device: &Device<'_>, frames: &[Vec<u8>]) {
    let viewer = Viewer::of(target);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut memory, mut handshake, mut buffer) = (Memory::<0, 0>::new(), [0; 512], [0; 1500]);
    let storage = Storage {
        talk_handshake: &mut handshake,
        ..memory.split()
    };
    let client = viewer.client(storage, &mut rng);
    let socket = socket();
    let mut connection = Connection::new(client, &socket, Delay, clock(), &mut buffer);
    let (mut let_in, mut ready) = (false, false);
    let frame = |data| TalkFrame {
        codec: Codec::Pcm16,
        format: AudioFormat {
            sample_rate: 8000,
            bits: 16,
            channels: 1,
        },
        micros: 0,
        data,
    };
    let refused = connection.send_audio(&mut rng, &frame(&[0; 320])).await;
    assert_eq!(refused, Err(TalkError::NotReady));
    let start = std::time::Instant::now();
    while start.elapsed() < Duration::from_secs(10) && device.heard.borrow().len() < frames.len() {
        let step = connection.step(&mut rng, Duration::from_millis(20), |event| match event {
            Event::Authenticated(_) => let_in = true,
            Event::TalkReady => ready = true,
            _ => {}
        });
        assert_eq!(step.await.unwrap(), Status::Open);
        if std::mem::take(&mut let_in) {
            let (client, mut cx) = connection.client(&mut rng);
            client.start_talk(&mut cx).unwrap();
        }
        if std::mem::take(&mut ready) {
            for data in frames {
                let sent = connection.send_audio(&mut rng, &frame(data)).await;
                assert_eq!(sent, Ok(()));
            }
        }
    }
}

#[test]
fn audio_goes_the_other_way() {
    let camera = socket();
    let address = camera.get_ref().local_addr().unwrap();
    let device = Device::new(&camera, &[7; 2000]);
    let frames: Vec<_> = (1..=10u8).map(|n| vec![n; 320]).collect();
    block_on(or(talk(address, &device, &frames), async {
        serve(&device).await;
    }));
    assert_eq!(*device.heard.borrow(), frames);
}

/// Watches, moves to another socket, and hangs up when as many frames have come there too. Frames before and after.
async fn watch_and_move(target: SocketAddr) -> ([u32; 2], Option<Cause>) {
    let viewer = Viewer::of(target);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut memory, mut buffer) = (Memory::<16384, 0>::new(), [0; 1500]);
    let client = viewer.client(memory.split(), &mut rng);
    let (first, second) = (socket(), socket());
    let mut connection = Connection::new(client, &first, Delay, clock(), &mut buffer);
    let (mut frames, mut moved) = ([0; 2], 0);
    let start = std::time::Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        let step = connection.step(&mut rng, Duration::from_millis(100), |event| {
            frames[moved] += u32::from(matches!(event, Event::Video(_)));
        });
        if let Status::Closed(cause) = step.await.unwrap() {
            return (frames, Some(cause));
        }
        if moved == 0 && frames[0] >= 5 {
            connection.set_socket(&second);
            moved = 1;
        }
        if frames[1] >= 5 {
            connection.client(&mut rng).0.close();
        }
    }
    (frames, None)
}

#[test]
fn a_camera_follows_a_viewer_to_another_socket() {
    let camera = socket();
    let address = camera.get_ref().local_addr().unwrap();
    let device = Device::new(&camera, &[7; 2000]);
    let (frames, cause) = block_on(or(watch_and_move(address), async {
        serve(&device).await;
        ([0; 2], None)
    }));
    assert!(frames[0] >= 5 && frames[1] >= 5, "{frames:?}");
    assert_eq!(cause, Some(Cause::Local));
}

/// Sets night vision, and gives it another few seconds until the camera has answered. Code of the reply.
async fn set_night_vision(target: SocketAddr, value: i64) -> Option<Code> {
    let viewer = Viewer::of(target);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut memory, mut buffer) = (Memory::<0, 0>::new(), [0; 1500]);
    let client = viewer.client(memory.split(), &mut rng);
    let socket = socket();
    let mut connection = Connection::new(client, &socket, Delay, clock(), &mut buffer);
    let (mut let_in, mut reply) = (false, None);
    let start = std::time::Instant::now();
    while start.elapsed() < Duration::from_secs(10) && reply.is_none() {
        let step = connection.step(&mut rng, Duration::from_millis(20), |event| match event {
            Event::Authenticated(_) => let_in = true,
            Event::Reply { code, .. } => reply = Some(code),
            _ => {}
        });
        assert_eq!(step.await.unwrap(), Status::Open);
        if std::mem::take(&mut let_in) {
            let setting = lookup("night-vision").unwrap();
            let request = setting.set_request(value, None).unwrap();
            let (client, mut cx) = connection.client(&mut rng);
            let asked = client.request_with(&mut cx, true, |w| request.write(w));
            asked.unwrap();
        }
    }
    reply
}

#[test]
fn what_a_viewer_sets_is_answered_and_kept_by_the_server() {
    let camera = socket();
    let address = camera.get_ref().local_addr().unwrap();
    let device = Device::new(&camera, &[7; 2000]);
    for value in [1, 2] {
        let reply = block_on(or(set_night_vision(address, value), async {
            serve(&device).await;
            None
        }));
        assert!(reply.is_some(), "no reply");
        assert_eq!(device.night_vision.get(), Some(value));
    }
}

#[test]
fn a_viewer_follows_a_camera_to_another_socket() {
    let (first, second) = (socket(), socket());
    let address = first.get_ref().local_addr().unwrap();
    let device = Device::new(&first, &[7; 2000]);
    let viewer = Viewer::of(address);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut memory, mut buffer) = (Memory::<16384, 0>::new(), [0; 1500]);
    let client = viewer.client(memory.split(), &mut rng);
    let socket = socket();
    let mut connection = Connection::new(client, &socket, Delay, clock(), &mut buffer);
    let watch = async {
        let (mut frames, mut moved) = ([0; 2], 0);
        let start = std::time::Instant::now();
        while start.elapsed() < Duration::from_secs(10) && frames[1] < 5 {
            let step = connection.step(&mut rng, Duration::from_millis(100), |event| {
                frames[moved] += u32::from(matches!(event, Event::Video(_)));
            });
            assert_eq!(step.await.unwrap(), Status::Open);
            if moved == 0 && frames[0] >= 5 {
                device.move_to.set(Some(&second));
                moved = 1;
            }
        }
        frames
    };
    let frames = block_on(or(watch, async {
        serve(&device).await;
        [0; 2]
    }));
    assert!(frames[0] >= 5 && frames[1] >= 5, "{frames:?}");
}

/// A socket whose queue is full for ever: a neighbour that is gone is at its head.
struct Full;

impl edge_nal::io::ErrorType for Full {
    type Error = std::io::Error;
}

impl edge_nal::UdpSend for Full {
    async fn send(&mut self, _: SocketAddr, _: &[u8]) -> Result<(), Self::Error> {
        std::future::pending().await
    }
}

impl edge_nal::UdpReceive for Full {
    async fn receive(&mut self, _: &mut [u8]) -> Result<(usize, SocketAddr), Self::Error> {
        std::future::pending().await
    }
}

#[test]
fn a_socket_that_takes_nothing_does_not_stop_the_session() {
    let viewer = Viewer::of_nobody();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut memory, mut buffer) = (Memory::<0, 0>::new(), [0; 1500]);
    let client = viewer.client(memory.split(), &mut rng);
    let mut connection = Connection::new(client, Full, Delay, clock(), &mut buffer);
    let start = std::time::Instant::now();
    let cause = block_on(async {
        while start.elapsed() < Duration::from_secs(30) {
            let step = connection.step(&mut rng, Duration::from_millis(100), |_| {});
            if let Status::Closed(cause) = step.await.unwrap() {
                return Some(cause);
            }
        }
        None
    });
    assert_eq!(cause, Some(Cause::NoAnswer));
}

/// Adds up what is slept.
struct Slept<'a>(&'a Cell<u64>);

impl DelayNs for Slept<'_> {
    async fn delay_ns(&mut self, ns: u32) {
        self.0.set(self.0.get() + u64::from(ns));
    }
}

/// Takes everything at once, and hears nothing.
struct Sink;

impl edge_nal::io::ErrorType for Sink {
    type Error = std::io::Error;
}

impl edge_nal::UdpSend for Sink {
    async fn send(&mut self, _: SocketAddr, _: &[u8]) -> Result<(), Self::Error> {
        Ok(())
    }
}

impl edge_nal::UdpReceive for Sink {
    async fn receive(&mut self, _: &mut [u8]) -> Result<(usize, SocketAddr), Self::Error> {
        std::future::pending().await
    }
}

#[test]
fn the_goodbye_of_a_session_that_is_closed_gets_time_to_leave() {
    let viewer = Viewer::of_nobody();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut memory, mut buffer) = (Memory::<0, 0>::new(), [0; 1500]);
    let client = viewer.client(memory.split(), &mut rng);
    let slept = Cell::new(0);
    let mut connection = Connection::new(client, Sink, Slept(&slept), clock(), &mut buffer);
    connection.client(&mut rng).0.close();
    let mut step = || block_on(connection.step(&mut rng, Duration::from_secs(1), |_| {}));
    assert_eq!(step().unwrap(), Status::Closed(Cause::Local));
    assert_eq!(slept.get(), 20_000_000);
    assert_eq!(step().unwrap(), Status::Closed(Cause::Local));
    assert_eq!(slept.get(), 20_000_000, "once");
}

#[test]
fn the_goodbye_of_a_camera_that_hangs_up_gets_time_to_leave() {
    let (uid, enr, mac) = credentials();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let (mut memory, mut buffer) = (Memory::<0, 4096>::new(), [0; 1500]);
    let config = CameraConfig::new(uid, &enr, &mac);
    let mut cx = Cx::new(Instant::ZERO, &mut rng);
    let camera = Camera::new(&config, memory.split(), &mut cx);
    let slept = Cell::new(0);
    let mut server = Server::new(camera, Sink, Slept(&slept), clock(), &mut buffer);
    server.camera().close();
    let mut closed = 0;
    // The wait for a datagram counts as sleep too: none.
    block_on(server.step(&mut rng, Duration::ZERO, |event| {
        closed += u32::from(matches!(event, CameraEvent::Closed(Cause::Local)));
    }))
    .unwrap();
    assert_eq!(closed, 1);
    // A microsecond to round the wait up.
    assert_eq!(slept.get(), 20_001_000);
    block_on(server.step(&mut rng, Duration::ZERO, |_| {})).unwrap();
    assert_eq!(slept.get(), 20_002_000, "once");
}

#[test]
fn a_search_that_nobody_answers_ends() {
    let silent = socket();
    let address = silent.get_ref().local_addr().unwrap();
    let outcome = block_on(watch(address, &[], 1));
    assert_eq!(outcome, Some(Cause::NoAnswer));
}
