//! A packet that is lost comes back from parity, where there is memory for that.

use super::*;

/// Pictures of 30 packets: the parity of a group comes before anybody could have asked for what is lost of it.
struct Large(u32);

impl Source for Large {
    fn sample(&self, index: usize) -> Option<Sample<'_>> {
        Some(Sample {
            data: &[0x65; 30_000],
            ..Pictures(self.0).sample(index)?
        })
    }

    fn duration(&self) -> Duration {
        Pictures(self.0).duration()
    }
}

/// Passes datagrams on between a viewer and the camera until `stop`, but every 23rd large one of the camera's: a group is 20
/// packets and their parity, so never two of one.
fn lose_some(relay: &UdpSocket, camera: SocketAddr, stop: &AtomicBool) {
    let (mut buf, mut viewer, mut large) = ([0; 2048], camera, 0u32);
    let start = Instant::now();
    relay.set_read_timeout(Some(TICK)).unwrap();
    while !stop.load(Ordering::Relaxed) && start.elapsed() < MAX {
        let Ok((len, from)) = relay.recv_from(&mut buf) else {
            continue;
        };
        if from != camera {
            viewer = from;
            relay.send_to(&buf[..len], camera).unwrap();
            continue;
        }
        large += u32::from(len > 800);
        if len <= 800 || !large.is_multiple_of(23) {
            relay.send_to(&buf[..len], viewer).unwrap();
        }
    }
}

#[test]
fn a_lost_packet_is_computed_from_parity_if_there_is_memory_for_it() {
    for (mut memory, computes) in [
        (Memory::default().with_parity(), true),
        (Memory::default(), false),
    ] {
        let dtls = wyze_session::Generation::Dtls;
        with_source(
            &Large(100),
            dtls,
            1,
            true,
            |_| {},
            |url| {
                let relay = UdpSocket::bind("127.0.0.1:0").unwrap();
                let address = relay.local_addr().unwrap();
                let (camera, stop) = (url.resolve().unwrap(), AtomicBool::new(false));
                let targets = [address];
                let config = wyze_session::ClientConfig {
                    targets: &targets,
                    ..url.config()
                };
                let mut connection =
                    Connection::with_socket(loopback(), &config, &mut memory).unwrap();
                let mut told = Told::default();
                std::thread::scope(|scope| {
                    scope.spawn(|| lose_some(&relay, camera, &stop));
                    step_until(&mut connection, &mut told, |told, status| {
                        told.pictures >= 50 || status != Status::Open
                    });
                    stop.store(true, Ordering::Relaxed);
                });
                let av = connection.client().0.stats().av;
                assert!(av.rx_holes > 20, "{av:?}");
                assert_eq!(av.rx_recovered > 10, computes, "{av:?}");
                assert!(computes || av.rx_recovered == 0, "{av:?}");
            },
        );
    }
}
