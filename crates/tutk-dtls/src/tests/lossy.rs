//! Handshakes over bad networks.

use core::time::Duration;

use super::world::*;
use crate::*;

const SUITES: [CipherSuite; 2] = [
    CipherSuite::EcdhePskChaCha20Poly1305,
    CipherSuite::PskAes128CbcSha256,
];

fn handshake(seed: u64, suite: CipherSuite, mtu: u16, cookie: bool, net: Net) -> World {
    let limit = Duration::from_secs(120);
    let client = ClientConfig {
        suites: Suites::only(suite),
        mtu,
        handshake_limit: limit,
        ..client_config()
    };
    let server = ServerConfig {
        mtu,
        cookie,
        handshake_limit: limit,
        ..server_config()
    };
    let mut world = World::new(seed, &client, &server);
    world.net = Net {
        mtu: mtu.into(),
        ..net
    };
    world.run();
    world
}

#[cfg(feature = "keylog")]
fn logged(suite: CipherSuite) -> World {
    let client = ClientConfig {
        suites: Suites::only(suite),
        ..client_config()
    };
    let mut world = World::new(1, &client, &server_config());
    world.client.log_keys();
    world.server.log_keys();
    world.run();
    world.assert_connected(suite);
    world
}

#[cfg(feature = "keylog")]
#[test]
fn both_roles_hand_out_the_same_master_secret_once_and_debug_hides_it() {
    for suite in SUITES {
        let mut world = logged(suite);
        let client = world.client.take_key_log_entry().unwrap();
        let server = world.server.take_key_log_entry().unwrap();
        assert_eq!(client.client_random, server.client_random);
        assert_eq!(client.master_secret.expose(), server.master_secret.expose());
        assert_eq!(format!("{client:?}"), "KeyLogEntry(***)");
        assert!(world.client.take_key_log_entry().is_none());
    }
}

#[cfg(feature = "keylog")]
#[test]
fn a_master_secret_that_nobody_asked_for_is_not_kept() {
    for suite in SUITES {
        let mut world = handshake(1, suite, 1200, true, Net::default());
        world.assert_connected(suite);
        assert!(world.client.take_key_log_entry().is_none());
        assert!(world.server.take_key_log_entry().is_none());
    }
}

#[cfg(feature = "keylog")]
#[test]
fn a_reset_forgets_the_master_secret_but_not_that_it_is_asked_for() {
    for suite in SUITES {
        let mut world = logged(suite);
        let cx = &mut tutk_core::Cx::new(world.now, &mut world.rng);
        world.client.reset(cx);
        world.server.reset(cx);
        assert!(world.client.take_key_log_entry().is_none());
        assert!(world.server.take_key_log_entry().is_none());
        world.run();
        assert!(world.client.take_key_log_entry().is_some());
        assert!(world.server.take_key_log_entry().is_some());
    }
}

#[test]
fn every_combination_connects_on_a_good_network() {
    for suite in SUITES {
        for mtu in [100, 101, 137, 256, 1200] {
            for cookie in [false, true] {
                let world = handshake(1, suite, mtu, cookie, Net::default());
                world.assert_connected(suite);
                assert_eq!(world.client.stats().tx_timer_repeats, 0);
                assert_eq!(world.server.stats().tx_timer_repeats, 0);
            }
        }
    }
}

#[test]
fn every_combination_connects_despite_loss_reordering_and_duplication() {
    for suite in SUITES {
        for mtu in [100, 256, 1200] {
            for cookie in [false, true] {
                for (loss, reorder, duplicate) in
                    [(10, 10, 5), (30, 0, 0), (20, 30, 20), (0, 50, 50)]
                {
                    for seed in 0..12 {
                        let net = Net {
                            loss,
                            reorder,
                            duplicate,
                            ..Net::default()
                        };
                        let world = handshake(seed, suite, mtu, cookie, net);
                        world.assert_connected(suite);
                        let connects = |seen: &[Seen]| {
                            seen.iter()
                                .filter(|s| matches!(s, Seen::Connected(_)))
                                .count()
                        };
                        assert_eq!(
                            (connects(&world.client_seen), connects(&world.server_seen)),
                            (1, 1)
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn extended_master_secret_is_used_when_both_want_it_and_not_otherwise() {
    for suite in SUITES {
        for (ours, theirs) in [(true, true), (true, false), (false, true)] {
            let client = ClientConfig {
                suites: Suites::only(suite),
                extended_master_secret: ours,
                ..client_config()
            };
            let server = ServerConfig {
                extended_master_secret: theirs,
                ..server_config()
            };
            let mut world = World::new(3, &client, &server);
            world.run();
            world.assert_connected(suite);
            let hello = world.sent.iter().find(|(to, _)| *to == To::Client).unwrap();
            let answered = records(&hello.1)[0]
                .3
                .windows(4)
                .any(|w| w == [0, 0x17, 0, 0]);
            assert_eq!(answered, ours && theirs);
        }
    }
}

#[test]
fn data_arrives_once_and_intact_in_any_order() {
    for suite in SUITES {
        let mut world = World::connected(suite);
        let mut datagrams: Vec<_> = (0..60u8)
            .map(|i| world.sealed(To::Server, &[i; 33]))
            .collect();
        datagrams.reverse();
        datagrams.extend(datagrams.clone());
        for bytes in &datagrams {
            world.deliver(To::Server, bytes);
        }
        let mut data: Vec<_> = world.server_seen[1..].to_vec();
        data.reverse();
        let expected: Vec<_> = (0..60u8).map(|i| Seen::Data(vec![i; 33])).collect();
        assert_eq!(data, expected);
        assert_eq!(world.server.stats().rx_replayed, 60);
    }
}

#[test]
fn wrong_key_ends_in_a_timeout_without_a_storm() {
    for suite in SUITES {
        for mtu in [100, 1200] {
            let client = ClientConfig {
                suites: Suites::only(suite),
                mtu,
                ..client_config()
            };
            let server = ServerConfig {
                mtu,
                ..ServerConfig::new(Psk::new([1; 32]))
            };
            let mut world = World::new(5, &client, &server);
            world.run();
            let timeout = Some(Error::HandshakeTimeout {
                after: Phase::Finished,
            });
            assert_eq!((world.client_error, world.server_error), (timeout, timeout));
            let flights = world.client.stats().tx_flights + world.server.stats().tx_flights;
            assert!(flights <= 32, "{flights} flights");
            assert!(world.client.stats().tx_echo_repeats <= world.server.stats().tx_timer_repeats);
            let before = world.sent.len();
            world.run();
            assert_eq!(world.sent.len(), before, "finished objects stay silent");
            assert!(world.server.stats().rx_bad_record > 0);
        }
    }
}

#[test]
fn nobody_there_is_a_timeout_after_the_hello() {
    let mut world = World::new(6, &client_config(), &server_config());
    world.net.loss = 100;
    world.run();
    assert_eq!(
        world.client_error,
        Some(Error::HandshakeTimeout {
            after: Phase::Hello
        })
    );
    assert_eq!(world.server_error, None, "nobody has spoken to the server");
    assert!((8..=10).contains(&world.sent.len()), "{}", world.sent.len());
}
