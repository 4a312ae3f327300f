//! Cameras that send video at a given rate: the load, and no more. All of them in one thread.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};
use serde_json::json;
use wyze_std::Clock;
use wyze_std::session::{
    Camera, CameraConfig, CameraEvent, Codec, Datagram, Enr, FrameInfo, Framings, Mac, OutFrame,
    Outgoing, Storage, Stream,
};

use crate::{ENR, MAC, UID};

/// Frames from one key frame to the next.
const KEY_INTERVAL: u64 = 40;
/// How long a frame waits for the viewer before the cameras give up.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to send.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) port: u16,
    pub(crate) cameras: u16,
    pub(crate) bits_per_second: f64,
    pub(crate) frames_per_second: f64,
    pub(crate) seconds: f64,
    /// Datagrams handed to the system in one call, as a radio hands over what it received in one aggregate; 1 for none.
    pub(crate) burst: usize,
}

struct Sender<'d> {
    camera: Camera<'static>,
    socket: UdpSocket,
    state: UdpSocketState,
    outgoing: Option<Outgoing<'d>>,
    start: Option<Instant>,
    frames: u64,
    /// Media datagrams so far.
    datagrams: u64,
    closed: bool,
}

pub(crate) fn run(load: &Load) -> Result<String> {
    let len = load.bits_per_second / 8.0 / load.frames_per_second;
    let frame = vec![0x5a; len as usize];
    let mut clock = Clock::new();
    let mut senders = (0..load.cameras)
        .map(|n| sender(load.port + n, &mut clock))
        .collect::<Result<Vec<_>>>()?;
    println!("ready");
    let begun = Instant::now();
    let mut segments = Vec::with_capacity(1 << 16);
    while !senders.iter().all(|s| s.closed) {
        let mut idle = true;
        for sender in &mut senders {
            idle &= !sender.serve(&mut clock)?;
            idle &= !sender.play(load, &frame, &mut clock, &mut segments)?;
        }
        let waited = begun.elapsed().as_secs_f64() - load.seconds;
        anyhow::ensure!(waited < PATIENCE.as_secs_f64(), "a viewer never came");
        if idle {
            std::thread::sleep(Duration::from_micros(50));
        }
    }
    let frames: u64 = senders.iter().map(|s| s.frames).sum();
    let bytes = frames * frame.len() as u64;
    Ok(json!({"frames": frames, "bytes": bytes}).to_string())
}

fn sender(port: u16, clock: &mut Clock) -> Result<Sender<'static>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("port {port} is taken"))?;
    let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
    let leak = |len| Box::leak(vec![0; len].into_boxed_slice());
    let storage = Storage {
        handshake: leak(512),
        control: leak(1024),
        ..Storage::default()
    };
    let (enr, mac) = (Enr::new(ENR)?, Mac::new(MAC)?);
    let config = CameraConfig {
        framings: Framings::TRANSCODE,
        resend: false,
        ..CameraConfig::new(UID.parse()?, &enr, &mac)
    };
    Ok(Sender {
        camera: Camera::new(&config, storage, &mut clock.cx()),
        socket,
        state,
        outgoing: None,
        start: None,
        frames: 0,
        datagrams: 0,
        closed: false,
    })
}

impl<'d> Sender<'d> {
    /// Answers the viewer. `true` when there was something to do.
    fn serve(&mut self, clock: &mut Clock) -> Result<bool> {
        let mut buf = [0; 2048];
        let mut busy = false;
        loop {
            let (len, from) = match self.socket.recv_from(&mut buf) {
                Ok(received) => received,
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => return Err(e.into()),
            };
            busy = true;
            let mut input = Datagram::new(from, &mut buf[..len]);
            while self
                .camera
                .handle_datagram(&mut clock.cx(), &mut input)
                .is_some()
            {}
            self.transmit(clock)?;
        }
        self.camera.handle_timeout(&mut clock.cx());
        self.transmit(clock)?;
        while let Some(event) = self.camera.poll_event(&mut clock.cx()) {
            self.closed |= matches!(event, CameraEvent::Closed(_));
        }
        Ok(busy)
    }

    fn transmit(&mut self, clock: &mut Clock) -> Result<()> {
        let mut buf = [0; 1500];
        while let Some(t) = self.camera.poll_transmit(&mut clock.cx(), &mut buf) {
            self.socket.send_to(t.datagram, t.to)?;
        }
        Ok(())
    }

    /// Sends what is due: one burst at most, so that the others get their turn.
    fn play(
        &mut self,
        load: &Load,
        frame: &'d [u8],
        clock: &mut Clock,
        segments: &mut Vec<u8>,
    ) -> Result<bool> {
        if self.closed || !self.camera.wants(Stream::Video) {
            return Ok(false);
        }
        let elapsed = self.start.get_or_insert_with(Instant::now).elapsed();
        if self.outgoing.is_none() {
            if elapsed.as_secs_f64() >= load.seconds {
                self.camera.close();
                return Ok(true);
            }
            if elapsed.as_secs_f64() * load.frames_per_second < self.frames as f64 {
                return Ok(false);
            }
            let micros = 1_767_239_680_000_000 + elapsed.as_micros() as u64;
            let out = OutFrame {
                stream: Stream::Video,
                key: self.frames.is_multiple_of(KEY_INTERVAL),
                info: FrameInfo::video(Codec::H264, load.frames_per_second as u8, micros),
                data: frame,
            };
            self.outgoing = Some(self.camera.start_frame(&out)?);
        }
        // A frame above the usual size is spread over its time, as a link would: not faster than twice the rate.
        let sent = self.datagrams as f64 * 1024.0 * 8.0;
        let frame_bits = load.bits_per_second / load.frames_per_second;
        if frame_bits > 1e6 && sent > elapsed.as_secs_f64() * load.bits_per_second * 1.05 + 5e5 {
            return Ok(false);
        }
        self.send_burst(load.burst, clock, segments)?;
        Ok(true)
    }

    fn send_burst(
        &mut self,
        burst: usize,
        clock: &mut Clock,
        segments: &mut Vec<u8>,
    ) -> Result<()> {
        let Some(outgoing) = &mut self.outgoing else {
            return Ok(());
        };
        segments.clear();
        let (mut to, mut segment) = (None, 0);
        for _ in 0..burst {
            let mut buf = [0; 1500];
            let Some(t) = self.camera.poll_frame(&mut clock.cx(), outgoing, &mut buf) else {
                self.outgoing = None;
                self.frames += 1;
                break;
            };
            self.datagrams += 1;
            segments.extend_from_slice(t.datagram);
            to = Some(t.to);
            if segment == 0 {
                segment = t.datagram.len();
            } else if t.datagram.len() < segment {
                break; // the last one of a call may be shorter
            }
        }
        let Some(destination) = to else {
            return Ok(());
        };
        let transmit = Transmit {
            destination,
            ecn: None,
            contents: segments,
            segment_size: (segments.len() > segment).then_some(segment),
            src_ip: None,
        };
        loop {
            match self
                .state
                .try_send(UdpSockRef::from(&self.socket), &transmit)
            {
                Ok(()) => return Ok(()),
                Err(e) if e.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(e) => return Err(e.into()),
            }
        }
    }
}
