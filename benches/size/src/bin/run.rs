//! A client and a camera in one program, joined by memory: what the client's calls cost in instructions and in stack.
//!
//! Before each measured call the stack below is painted; afterwards the paint that is gone tells how deep it went. So the
//! camera's part, which runs between, does not count. One line a figure goes to the host by semihosting.
#![no_std]
#![no_main]

use core::convert::Infallible;
use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, Key, KeyInit, Nonce, Tag};
use rand_core::{TryCryptoRng, TryRng};
use semihosting::{println, process};
use tutk_size::Slot;
use tutk_size::meter::{self, Meter};
use tutk_size::rt::entry;
use wyze_session::{
    Camera, CameraConfig, Client, ClientConfig, Codec, Cx, Datagram, Enr, Event, FrameInfo,
    Framings, Instant, Mac, Memory, OutFrame, Stream, Suites,
};

const APP: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 50000));
const DEVICE: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 2), 32761));
/// Media bytes in one packet, the most that cameras send.
const PAYLOAD: usize = 1024;
/// What DTLS encrypts for it: an AV header too.
const PLAIN: usize = 36 + PAYLOAD;
/// Packets of one frame less its FRAMEINFO.
const PACKETS: usize = 8;
const FRAMES: u32 = 40;
/// Micros between two frames: 20 a second.
const FRAME_TIME: u64 = 50_000;

/// Not random at all, but the same in every run.
struct Counter(u32);

impl TryRng for Counter {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        Ok(self.0)
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from(self.try_next_u32()?) << 32 | u64::from(self.try_next_u32()?))
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for byte in out {
            *byte = self.try_next_u32()? as u8;
        }
        Ok(())
    }
}
impl TryCryptoRng for Counter {}

/// What the client has been told.
#[derive(Default)]
struct Seen {
    authenticated: bool,
    media: usize,
    frames: u32,
}

impl Seen {
    fn note(&mut self, event: &Event<'_>) {
        match event {
            Event::Authenticated(_) => self.authenticated = true,
            Event::Chunk(chunk) => {
                self.media += chunk.bytes.len();
                self.frames += u32::from(chunk.last);
            }
            Event::Closed(_) | Event::Dropped { .. } => process::exit(2),
            _ => {}
        }
    }
}

struct World {
    client: &'static mut Client<'static>,
    camera: &'static mut Camera<'static>,
    rng: Counter,
    now: Instant,
    seen: Seen,
}

impl World {
    fn client_receives(&mut self, meter: &mut Meter, bytes: &mut [u8]) {
        let mut input = Datagram::new(DEVICE, bytes);
        let (client, seen) = (&mut *self.client, &mut self.seen);
        let (now, rng) = (self.now, &mut self.rng);
        meter.measure(|| {
            while let Some(event) = client.handle_datagram(&mut Cx::new(now, rng), &mut input) {
                seen.note(&event);
            }
            while let Some(event) = client.poll_event(&mut Cx::new(now, rng)) {
                seen.note(&event);
            }
        });
    }

    /// Carries what the client wants to send; whether that was anything.
    fn client_sends(&mut self, meter: &mut Meter) -> bool {
        let mut buf = [0; 1500];
        let mut any = false;
        loop {
            let (client, now, rng) = (&mut *self.client, self.now, &mut self.rng);
            let sent = meter.measure(|| client.poll_transmit(&mut Cx::new(now, rng), &mut buf));
            let Some(t) = sent else { return any };
            any = true;
            let mut input = Datagram::new(APP, t.datagram);
            let cx = &mut Cx::new(self.now, &mut self.rng);
            while self.camera.handle_datagram(cx, &mut input).is_some() {}
        }
    }

    fn camera_sends(&mut self, meter: &mut Meter) -> bool {
        let mut buf = [0; 1500];
        let mut any = false;
        loop {
            let len = match self
                .camera
                .poll_transmit(&mut Cx::new(self.now, &mut self.rng), &mut buf)
            {
                // The room in front of the packet was empty: move it to the beginning.
                Some(t) => (t.datagram.as_ptr() as usize, t.datagram.len()),
                None => return any,
            };
            any = true;
            let start = len.0 - buf.as_ptr() as usize;
            if let Some(datagram) = buf.get_mut(start..start + len.1) {
                self.client_receives(meter, datagram);
            }
        }
    }

    fn wait(&mut self, meter: &mut Meter) {
        let next = [self.client.poll_timeout(), self.camera.poll_timeout()];
        let next = next.into_iter().flatten().min().unwrap_or(self.now);
        self.wait_until(meter, next.max(self.now));
    }

    fn wait_until(&mut self, meter: &mut Meter, at: Instant) {
        self.now = at;
        let (client, now, rng) = (&mut *self.client, self.now, &mut self.rng);
        meter.measure(|| client.handle_timeout(&mut Cx::new(now, rng)));
        self.camera
            .handle_timeout(&mut Cx::new(self.now, &mut self.rng));
    }

    fn exchange(&mut self, meter: &mut Meter) -> bool {
        let sent = self.client_sends(meter);
        self.camera_sends(meter) || sent
    }
}

fn report(name: &str, value: u32) {
    println!("{name} {value}");
}

#[entry]
fn main() -> ! {
    meter::start();
    if run().is_none() {
        process::exit(1);
    }
    process::exit(0)
}

fn run() -> Option<()> {
    floors()?;
    let mut construct = Meter::default();
    let mut world = make(&mut construct)?;
    report("construct.stack", construct.stack);

    let mut handshake = Meter::default();
    while !(world.seen.authenticated && world.camera.wants(Stream::Video)) {
        if !world.exchange(&mut handshake) {
            world.wait(&mut handshake);
        }
    }
    world.exchange(&mut handshake);
    report("handshake.instructions", handshake.instructions);
    report("handshake.stack", handshake.stack);

    static PICTURE: [u8; PACKETS * PAYLOAD - 40] = [0x5a; PACKETS * PAYLOAD - 40];
    let (mut receive, mut rest) = (Meter::default(), Meter::default());
    let mut buf = [0; 1500];
    for number in 0..FRAMES {
        let picture = OutFrame {
            stream: Stream::Video,
            key: number % 40 == 0,
            info: FrameInfo::video(
                Codec::H264,
                20,
                1_767_239_680_000_000 + u64::from(number) * FRAME_TIME,
            ),
            data: &PICTURE,
        };
        let mut out = world.camera.start_frame(&picture).ok()?;
        loop {
            let cx = &mut Cx::new(world.now, &mut world.rng);
            let Some(t) = world.camera.poll_frame(cx, &mut out, &mut buf) else {
                break;
            };
            world.client_receives(&mut receive, t.datagram);
        }
        world.exchange(&mut rest);
        let next = world.now + core::time::Duration::from_micros(FRAME_TIME);
        world.wait_until(&mut rest, next);
        world.exchange(&mut rest);
    }
    if world.seen.frames != FRAMES || world.seen.media != FRAMES as usize * PICTURE.len() {
        println!("frames {} bytes {}", world.seen.frames, world.seen.media);
        return None;
    }
    let kib = FRAMES * PACKETS as u32;
    report("steady.receive", receive.instructions / kib);
    report(
        "steady.all",
        (receive.instructions + rest.instructions) / kib,
    );
    report("steady.stack", receive.stack.max(rest.stack));
    Some(())
}

fn make(meter: &mut Meter) -> Option<World> {
    static CLIENT: Slot<Client<'static>> = Slot::new();
    static CAMERA: Slot<Camera<'static>> = Slot::new();
    static MEMORY: Slot<Memory<0, 0, 256, 0>> = Slot::new();
    static CAMERA_MEMORY: Slot<Memory<0, 0, 256, 0>> = Slot::new();
    let uid = "SIMCAMSIMCAMSIMCAM11".parse().ok()?;
    let enr = Enr::new("sim-enr-16byte!!").ok()?;
    let mac = Mac::new("00AA11BB22CC").ok()?;
    let mut rng = Counter(0x1234_5678);
    let now = Instant::ZERO;
    // SAFETY: this function is called once.
    let (memory, camera_memory) =
        unsafe { (MEMORY.put(Memory::new), CAMERA_MEMORY.put(Memory::new)) };
    let config = CameraConfig {
        suites: Suites::CHACHA,
        ..CameraConfig::new(uid, &enr, &mac)
    };
    let storage = camera_memory.split();
    // SAFETY: this function is called once.
    let camera =
        unsafe { CAMERA.put(|| Camera::new(&config, storage, &mut Cx::new(now, &mut rng))) };
    let targets = [DEVICE];
    let config = ClientConfig {
        suites: Suites::CHACHA,
        framings: Framings::TRANSCODE,
        ..ClientConfig::new(uid, &enr, &mac, &targets)
    };
    let storage = memory.split();
    let client = meter.measure(|| {
        // SAFETY: this function is called once.
        unsafe { CLIENT.put(|| Client::new(&config, storage, &mut Cx::new(now, &mut rng))) }
    });
    Some(World {
        client,
        camera,
        rng,
        now,
        seen: Seen::default(),
    })
}

/// What the ciphers cost alone.
fn floors() -> Option<()> {
    let cipher = ChaCha20Poly1305::new(&Key::from([7; 32]));
    let nonce = Nonce::from([1; 12]);
    let mut bytes = [0x5a; PLAIN];
    let tag: Tag = cipher
        .encrypt_inout_detached(&nonce, &[0x17; 13], (&mut bytes[..]).into())
        .ok()?;
    let mut open = Meter::default();
    open.measure(|| {
        let cipher = ChaCha20Poly1305::new(&Key::from(core::hint::black_box([7; 32])));
        cipher
            .decrypt_inout_detached(&nonce, &[0x17; 13], (&mut bytes[..]).into(), &tag)
            .ok()
    })?;
    report("floor.open", open.instructions);
    report("floor.open.stack", open.stack);

    let mut exchange = Meter::default();
    exchange.measure(|| {
        let secret = x25519_dalek::StaticSecret::from(core::hint::black_box([7; 32]));
        // The ladder twice, as the client goes: for the public key, and for the shared secret.
        let base = x25519_dalek::PublicKey::from(x25519_dalek::X25519_BASEPOINT_BYTES);
        let public = secret.diffie_hellman(&base).to_bytes();
        let shared = secret.diffie_hellman(&x25519_dalek::PublicKey::from(public));
        core::hint::black_box(shared.as_bytes());
    });
    report("floor.x25519", exchange.instructions);
    report("floor.x25519.stack", exchange.stack);
    Some(())
}
