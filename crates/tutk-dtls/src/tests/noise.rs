//! Hostile bytes never panic, and never make anybody connect.

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::world::*;
use crate::*;

#[derive(Debug, Clone)]
enum Mutation {
    Flip(usize, u8),
    Cut(usize),
    Append(Vec<u8>),
    Set(usize, u8),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (any::<usize>(), 0u8..8).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        any::<usize>().prop_map(Mutation::Cut),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Mutation::Append),
        (0usize..40, any::<u8>()).prop_map(|(at, v)| Mutation::Set(at, v)),
    ]
}

fn mutate(bytes: &mut Vec<u8>, mutation: &Mutation) {
    let len = bytes.len().max(1);
    match mutation {
        Mutation::Flip(at, bit) => bytes
            .iter_mut()
            .skip(at % len)
            .take(1)
            .for_each(|b| *b ^= 1 << bit),
        Mutation::Cut(at) => bytes.truncate(at % len),
        Mutation::Append(more) => bytes.extend(more),
        Mutation::Set(at, v) => bytes.iter_mut().skip(*at).take(1).for_each(|b| *b = *v),
    }
}

fn config(suite: bool, mtu: u16, cookie: bool) -> (ClientConfig<'static>, ServerConfig<'static>) {
    let suites = if suite { Suites::CHACHA } else { Suites::CBC };
    (
        ClientConfig {
            suites,
            mtu,
            ..client_config()
        },
        ServerConfig {
            mtu,
            cookie,
            ..server_config()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn random_bytes_never_panic(datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 1..20)) {
        let mut world = World::new(1, &client_config(), &server_config());
        for bytes in &datagrams {
            world.deliver(To::Client, bytes);
            world.deliver(To::Server, bytes);
            world.collect();
        }
        prop_assert!(!world.client.is_connected() && !world.server.is_connected());
    }

    /// The mutated copy of each datagram arrives before the true one.
    #[test]
    fn mutated_handshakes_never_panic_and_never_lie(
        seed in 0u64..1000, suite: bool, cookie: bool, small: bool,
        mutations in prop::collection::vec(mutation(), 1..12),
    ) {
        let (client, server) = config(suite, if small { 100 } else { 1200 }, cookie);
        let mut world = World::new(seed, &client, &server);
        for step in 0..60 {
            world.collect();
            if let Some((_, to, bytes)) = world.in_flight.first() {
                let (to, mut bytes) = (*to, bytes.clone());
                mutate(&mut bytes, &mutations[step % mutations.len()]);
                world.deliver(to, &bytes);
            }
            if !world.step() {
                break;
            }
        }
        if world.client.is_connected() && world.server.is_connected() {
            let bytes = world.sealed(To::Server, b"still true");
            world.deliver(To::Server, &bytes);
            prop_assert_eq!(world.server_seen.last(), Some(&Seen::Data(b"still true".to_vec())));
        }
    }

    #[test]
    fn mutated_data_is_dropped_and_true_data_still_arrives(suite: bool, what in mutation(), len in 0usize..300) {
        let mut world = World::connected(if suite { CipherSuite::EcdhePskChaCha20Poly1305 } else { CipherSuite::PskAes128CbcSha256 });
        let good = world.sealed(To::Server, &vec![7; len]);
        let mut bad = good.clone();
        mutate(&mut bad, &what);
        let appended = bad.starts_with(&good);
        world.deliver(To::Server, &bad);
        if !appended {
            prop_assert_eq!(world.server_seen.len(), 1, "only Connected");
        }
        world.deliver(To::Server, &good);
        prop_assert_eq!(&world.server_seen[1..], &[Seen::Data(vec![7; len])][..]);
        prop_assert_eq!(world.server_error, None);
    }
}

#[test]
fn random_records_with_plausible_headers_never_panic() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    for round in 0..3000u32 {
        let mut world = World::new(round.into(), &client_config(), &server_config());
        let steps = rng.next_u32() % 6;
        (0..steps).for_each(|_| {
            world.step();
        });
        for _ in 0..4 {
            let mut body = vec![0; (rng.next_u32() % 90) as usize];
            rng.fill_bytes(&mut body);
            // A handshake header that often fits the state.
            for (b, v) in body.iter_mut().zip([
                [1, 2, 3, 12, 14, 16, 20, 4][rng.next_u32() as usize % 8],
                0,
                0,
            ]) {
                *b = v;
            }
            if let Some(seq) = body.get_mut(4..9) {
                seq.copy_from_slice(&[0, (rng.next_u32() % 4) as u8, 0, 0, 0]);
            }
            let kind = 19 + (rng.next_u32() % 6) as u8;
            let epoch = (rng.next_u32() % 3) as u8;
            let mut datagram = vec![
                kind,
                0xfe,
                0xfd,
                0,
                epoch,
                0,
                0,
                0,
                0,
                0,
                1,
                0,
                body.len() as u8,
            ];
            datagram.append(&mut body);
            world.deliver(To::Client, &datagram);
            world.deliver(To::Server, &datagram);
            world.collect();
        }
    }
}
