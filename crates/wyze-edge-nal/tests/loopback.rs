//! An app and a camera over edge-nal's std sockets, on loopback and in real time.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use edge_nal_std::UdpSocket;
use embedded_hal_async::delay::DelayNs;
use futures_lite::future::{block_on, or};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use wyze_edge_nal::session::{
    Camera, CameraConfig, Cause, Client, ClientConfig, Codec, Cx, Enr, Event, FrameInfo, Instant,
    Mac, Memory, OutFrame, Stream, Uid,
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

/// Serves for ever: 2000 bytes of video again and again.
async fn serve(socket: &UdpSocket, picture: &[u8]) -> Option<Cause> {
    let (uid, enr, mac) = credentials();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let (mut memory, mut buffer) = (Memory::<0, 0>::new(), [0; 1500]);
    let config = CameraConfig::new(uid, &enr, &mac);
    let camera = Camera::new(
        &config,
        memory.split(),
        &mut Cx::new(Instant::ZERO, &mut rng),
    );
    let mut server = Server::new(camera, socket, Delay, clock(), &mut buffer);
    loop {
        let step = server.step(&mut rng, Duration::from_millis(20), |_| {});
        step.await.unwrap();
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
    let (uid, enr, mac) = credentials();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut memory, mut buffer) = (Memory::<16384, 0>::new(), [0; 1500]);
    let targets = [target];
    let config = ClientConfig::new(uid, &enr, &mac, &targets);
    let client = Client::new(
        &config,
        memory.split(),
        &mut Cx::new(Instant::ZERO, &mut rng),
    );
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
    let outcome = block_on(or(viewer, serve(&camera, &picture)));
    assert_eq!(outcome, Some(Cause::Local));
}

#[test]
fn a_search_that_nobody_answers_ends() {
    let silent = socket();
    let address = silent.get_ref().local_addr().unwrap();
    let outcome = block_on(watch(address, &[], 1));
    assert_eq!(outcome, Some(Cause::NoAnswer));
}
