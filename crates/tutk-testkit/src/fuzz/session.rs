//! `Client` against `Camera` over a network that the fuzzer steers.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use tutk_core::{Cx, Instant};
use wyze_session::{Camera, CameraConfig, ClientConfig, Stream};

use super::endpoint::{App, Cam, Choice, Endpoint, Room, app, device, identity};

/// A client and a camera over a mutated network: every frame that comes out was put in, whole, in order and once; `Closed`
/// is the last event; a request is answered once; nobody talks without end; no deadline that was served stays in the past.
/// Without DTLS nothing tells damage from what was sent, so that then, from the first damage on, frames are not judged.
///
/// The first byte chooses suites, framing, cookie, chunk mode, lossless mode and the camera's generation; each further one
/// does something to the next datagram of one direction, lets time pass, sends a frame, or calls an endpoint.
pub fn session_pair(data: &[u8]) {
    run_pair(data);
}

/// Plays `data`; how many frames came out, and how many of talks.
fn run_pair(data: &[u8]) -> (usize, usize) {
    let Some((&choice, ops)) = data.split_first() else {
        return (0, 0);
    };
    let choice = Choice(choice);
    let (uid, enr, mac) = identity();
    let targets = [device()];
    let (mut room1, mut room2) = (
        Room::new(if choice.chunks() { 0 } else { 8192 }, choice),
        Room::new(0, choice),
    );
    let mut rng = crate::rng(8);
    let mut cx = Cx::new(Instant::ZERO, &mut rng);
    let config = ClientConfig {
        suites: choice.suites(),
        framings: choice.framings(),
        resend: choice.resend(),
        plain: choice.plain(),
        ..ClientConfig::new(uid, &enr, &mac, &targets)
    };
    let mut client = App::new(config, room1.storage(), true, &mut cx);
    let config = CameraConfig {
        suites: choice.suites(),
        framings: choice.framings(),
        cookie: choice.cookie(),
        generation: choice.generation(),
        ..CameraConfig::new(uid, &enr, &mac)
    };
    let mut camera = Cam::new(Camera::new(&config, room2.storage(), &mut cx), true);
    let (mut up, mut down) = (VecDeque::new(), VecDeque::new());
    let mut ops = ops.iter().copied();
    client.drain(&mut cx, &mut up);
    while let Some(op) = ops.next() {
        match op {
            0xf0.. => {
                cx.now += Duration::from_millis(1 << (op & 15).min(13));
                client.timeout(&mut cx);
                camera.timeout(&mut cx);
            }
            0xe8.. => camera.show(&mut cx, Stream::Audio, &mut down),
            0xe0.. => camera.show(&mut cx, Stream::Video, &mut down),
            0xd8.. => client.call(&mut cx, ops.next().unwrap_or(0), &mut up),
            0xd0.. => camera.call(&mut cx, ops.next().unwrap_or(0), &mut down),
            _ => {
                if is_damage(op) && choice.generation().is_plain() {
                    client.distrust();
                    camera.distrust();
                }
                if op & 8 == 0 {
                    pass(op, &mut ops, &mut up, app(), &mut camera, &mut cx);
                } else {
                    pass(op, &mut ops, &mut down, device(), &mut client, &mut cx);
                }
            }
        }
        client.drain(&mut cx, &mut up);
        camera.drain(&mut cx, &mut down);
        if op >= 0xf0 {
            client.assert_served(cx.now);
            camera.assert_served(cx.now);
        }
        // More than a link holds is lost.
        up.truncate(100);
        down.truncate(100);
    }
    (client.frames(), camera.talks())
}

/// Whether [`pass`] changes what is passed.
fn is_damage(op: u8) -> bool {
    op % 8 >= 6
}

/// Does to the head of `queue` what `op` says.
fn pass(
    op: u8,
    ops: &mut impl Iterator<Item = u8>,
    queue: &mut VecDeque<Vec<u8>>,
    from: SocketAddr,
    to: &mut impl Endpoint,
    cx: &mut Cx<'_>,
) {
    let Some(mut bytes) = queue.pop_front() else {
        return;
    };
    match op % 8 {
        0..=2 => {}
        3 => queue.push_front(bytes.clone()),
        4 => return,
        5 => return queue.push_back(bytes),
        6 => {
            let at = usize::from(ops.next().unwrap_or(0)) * 13 % bytes.len();
            bytes.truncate(at);
        }
        _ => {
            let bit = usize::from(ops.next().unwrap_or(0)) * 7 % (bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
    to.give(cx, from, &mut bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All generations, framings, suites and modes; not what no session comes of.
    fn choices() -> impl Iterator<Item = u8> {
        (0..=255).filter(|choice| choice >> 6 != 3)
    }

    /// `choice`, and then time enough for both to come together.
    fn begun(choice: u8) -> Vec<u8> {
        let mut script = vec![choice];
        for _ in 0..40 {
            script.extend([0xf6, 0, 8, 0, 8, 0, 8, 8]);
        }
        script
    }

    #[test]
    fn undisturbed_sessions_show_frames() {
        for choice in choices() {
            let mut script = begun(choice);
            for _ in 0..12 {
                script.extend([0xe0, 0xe8]);
                script.extend([8; 8]);
                script.extend([0xf4, 0, 0]);
            }
            let frames = run_pair(&script).0;
            let chunks = Choice(choice).chunks();
            assert!(frames == 24 || chunks, "choice {choice}: {frames}");
        }
    }

    #[test]
    fn undisturbed_viewers_talk() {
        for choice in choices() {
            let mut script = begun(choice);
            script.extend([0xd8, 5]);
            for _ in 0..20 {
                script.extend([0xf6, 0, 8, 0, 8, 0, 8, 8]);
            }
            script.extend([0xd8, 15, 0].repeat(10));
            let talks = run_pair(&script).1;
            assert_eq!(talks, 10, "choice {choice}");
        }
    }

    #[test]
    fn a_viewer_that_begins_again_sees_frames_again() {
        for choice in [0, 1, 4, 0x40, 0x80] {
            let mut script = begun(choice);
            script.extend([0xe0, 8, 8]);
            let before = run_pair(&script).0;
            script.extend([0xd8, 0xf8]);
            script.extend([0; 20]);
            // Both are told that it is over.
            script.extend([0xf6, 0xd8, 7, 0xd0, 0xff]);
            script.extend(&begun(choice)[1..]);
            script.extend([0xe0, 8, 8]);
            let frames = run_pair(&script).0;
            assert!(frames > before && before > 0, "choice {choice}: {frames}");
        }
    }
}
