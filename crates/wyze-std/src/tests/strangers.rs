//! A camera with a few places on a real socket, and many who want one and have no key.

use std::io::ErrorKind;

use wyze_session::{Client, ClientConfig, Datagram, Phase};

use super::*;
use crate::Clock;

const UID: &str = "SIMCAMSIMCAMSIMCAM11";
/// How many come.
const CROWD: usize = 60;

/// Somebody who goes as far as he gets without the key, and then only waits. Whether a session was opened, and how many
/// datagrams he sent and got.
fn knock(socket: &UdpSocket, camera: SocketAddr) -> (bool, usize, usize) {
    let (enr, mac) = (
        Enr::new("no-key-16-bytes!").unwrap(),
        Mac::new("00AA11BB22CC").unwrap(),
    );
    let targets = [camera];
    let config = ClientConfig::new(UID.parse().unwrap(), &enr, &mac, &targets);
    let (mut memory, mut clock) = (wyze_session::Memory::<0, 0>::new(), Clock::new());
    let mut client = Client::new(&config, memory.split(), &mut clock.cx());
    let (mut open, mut sent, mut got, mut waited) = (false, 0, 0, false);
    let mut buf = [0; 2048];
    while !open {
        while let Some(t) = client.poll_transmit(&mut clock.cx(), &mut buf) {
            socket.send_to(t.datagram, t.to).unwrap();
            sent += 1;
        }
        match socket.recv_from(&mut buf) {
            Ok((len, from)) => {
                got += 1;
                let mut input = Datagram::new(from, &mut buf[..len]);
                while let Some(event) = client.handle_datagram(&mut clock.cx(), &mut input) {
                    open |= matches!(event, Event::Phase(Phase::Open));
                }
            }
            Err(error) => {
                assert!(matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut
                ));
                if std::mem::replace(&mut waited, true) {
                    break;
                }
                // A request for a session follows the search after a gap.
                client.handle_timeout(&mut clock.cx());
            }
        }
    }
    (open, sent, got)
}

/// The places of a camera can be taken, and are free again once those who took them have been silent for 10 s or have not
/// shown the key for 20 s. Meanwhile a viewer who is in loses nothing, and nobody gets more than he sends.
#[test]
fn strangers_who_take_every_place_disturb_nobody_and_lose_it_again() {
    let opened = with_camera(2, 100, true, |url| {
        let (mut memory, mut other) = (Memory::default(), Memory::default());
        let mut viewer = Connection::open(url, &url.config(), &mut memory).unwrap();
        let mut told = Told::default();
        step_until(&mut viewer, &mut told, |told, _| told.pictures > 10);

        let address = url.resolve().unwrap();
        let sockets: Vec<UdpSocket> = (0..CROWD).map(|_| loopback()).collect();
        let (mut places, before) = (0, told.pictures);
        for socket in &sockets {
            socket.set_nonblocking(false).unwrap();
            socket.set_read_timeout(Some(TICK)).unwrap();
            let (open, sent, got) = knock(socket, address);
            assert!(got <= sent, "{got} datagrams in answer to {sent}");
            places += usize::from(open);
            let goal = told.pictures + 1;
            step_until(&mut viewer, &mut told, |told, _| told.pictures >= goal);
        }
        assert_eq!(places, 1, "one place was free");
        assert!(told.pictures >= before + CROWD);

        // Who has the key and comes now has to wait, and need not do anything but that.
        let mut late = Connection::open(url, &url.config(), &mut other).unwrap();
        late.set_reconnect(Some(Reconnect::new()));
        let (start, mut let_in) = (Instant::now(), false);
        while !let_in {
            late.step(TICK, |event| {
                let_in |= matches!(event, Event::Authenticated(_));
            })
            .unwrap();
            let goal = told.pictures;
            step_until(&mut viewer, &mut told, |told, _| told.pictures >= goal);
            assert!(start.elapsed() < MAX + MAX, "never let in");
        }
        let goal = told.pictures + 20;
        step_until(&mut viewer, &mut told, |told, _| told.pictures >= goal);
        assert_eq!((told.let_in, told.dropped), (1, 0));
        assert!(told.ends.is_empty(), "{:?}", told.ends);
        late.close(|_| {}).unwrap();
        viewer.close(|_| {}).unwrap();
    });
    assert_eq!(opened, [0, 1, 1]);
}
