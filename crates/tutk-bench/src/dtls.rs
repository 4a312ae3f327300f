//! DTLS alone: one record sealed or opened, and one handshake as each role sees it.

use std::cell::RefCell;
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tutk_core::{Layer, TxBuf};
use tutk_dtls::{
    Client, ClientConfig, Event, Psk, RECOMMENDED_REASSEMBLY, Server, ServerConfig, Suites,
};
use wyze_session::{Cx, Datagram, Instant};
use x25519_dalek::{PublicKey, StaticSecret};

use crate::leak;
use crate::scenario::{PLAIN, Round};

const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 4433);

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn client<'m>(memory: &'m mut [u8], rng: &mut ChaCha8Rng) -> Client<'m> {
    let config = ClientConfig::new(Psk::new([7; 32]), b"AUTHPWD_admin");
    Client::new(&config, memory, &mut Cx::new(Instant::ZERO, rng))
}

fn server<'m>(memory: &'m mut [u8], suites: Suites, rng: &mut ChaCha8Rng) -> Server<'m> {
    let config = ServerConfig {
        suites,
        ..ServerConfig::new(Psk::new([7; 32]))
    };
    Server::new(&config, memory, &mut Cx::new(Instant::ZERO, rng))
}

/// Everything `layer` wants to send.
fn sent(layer: &mut impl Layer, rng: &mut ChaCha8Rng) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut memory = [0; 1500];
    let cx = &mut Cx::new(Instant::ZERO, rng);
    loop {
        let mut tx = TxBuf::new(&mut memory);
        if !layer.poll_transmit(cx, &mut tx).expect("a live handshake") {
            return all;
        }
        all.push(tx.finish().to_vec());
    }
}

/// Gives `layer` a datagram, and drops what it wants to send in answer.
fn play(layer: &mut impl Layer, rng: &mut ChaCha8Rng, bytes: &mut [u8]) {
    let cx = &mut Cx::new(Instant::ZERO, rng);
    let mut input = Datagram::new(PEER, bytes);
    while let Some(event) = layer
        .handle_datagram(cx, &mut input)
        .expect("a live handshake")
    {
        black_box(&event);
    }
}

/// Writes what `layer` wants to send, for nobody.
fn flush(layer: &mut impl Layer, rng: &mut ChaCha8Rng, memory: &mut [u8]) {
    let cx = &mut Cx::new(Instant::ZERO, rng);
    while layer
        .poll_transmit(cx, &mut TxBuf::new(memory))
        .expect("a live handshake")
    {}
}

/// A connected pair, and each flight of the handshake: the client's at even places.
struct Association {
    client: Client<'static>,
    server: Server<'static>,
    flights: Vec<Vec<Vec<u8>>>,
}

/// Seeds of the two roles, which make a handshake repeat.
const CLIENT: u64 = 1;
const SERVER: u64 = 2;

fn associate(suites: Suites) -> Association {
    let (mut for_client, mut for_server) = (rng(CLIENT), rng(SERVER));
    let mut client = client(leak(RECOMMENDED_REASSEMBLY), &mut for_client);
    let mut server = server(leak(RECOMMENDED_REASSEMBLY), suites, &mut for_server);
    let mut flights = Vec::new();
    while !(client.is_connected() && server.is_connected()) {
        let flight = sent(&mut client, &mut for_client);
        for mut bytes in flight.iter().cloned() {
            play(&mut server, &mut for_server, &mut bytes);
        }
        flights.push(flight);
        let flight = sent(&mut server, &mut for_server);
        for mut bytes in flight.iter().cloned() {
            play(&mut client, &mut for_client, &mut bytes);
        }
        flights.push(flight);
    }
    Association {
        client,
        server,
        flights,
    }
}

/// Records of a media packet each, ready to be sealed.
fn unsealed(count: usize) -> Vec<Option<TxBuf<'static>>> {
    (0..count)
        .map(|n| {
            let mut tx = TxBuf::new(leak(1500));
            tx.reserve(Server::HEADROOM, Server::TAILROOM)
                .and_then(|()| tx.append(&[n as u8; PLAIN]))
                .expect("1500 bytes are enough");
            Some(tx)
        })
        .collect()
}

/// The camera's side: one record sealed in place.
pub(crate) fn seal(rounds: usize) -> Round {
    let mut server = associate(Suites::ALL).server;
    let mut records = unsealed(rounds);
    let mut rng = rng(3);
    Box::new(move |n| {
        let tx = records[n].as_mut().expect("a record");
        let cx = &mut Cx::new(Instant::ZERO, &mut rng);
        server.seal(cx, tx).expect("a connected server seals");
        black_box(tx.payload());
    })
}

/// The client's side: one record opened in place.
pub(crate) fn open(rounds: usize) -> Round {
    let Association {
        mut client,
        mut server,
        ..
    } = associate(Suites::ALL);
    let mut rng = rng(3);
    let mut records: Vec<&'static mut [u8]> = unsealed(rounds)
        .into_iter()
        .flatten()
        .map(|mut tx| {
            let cx = &mut Cx::new(Instant::ZERO, &mut rng);
            server.seal(cx, &mut tx).expect("a connected server seals");
            tx.finish()
        })
        .collect();
    Box::new(move |n| {
        let cx = &mut Cx::new(Instant::ZERO, &mut rng);
        let mut input = Datagram::new(PEER, records[n]);
        let mut opened = false;
        while let Some(event) = client.handle_datagram(cx, &mut input).expect("no alert") {
            opened |= matches!(black_box(event), Event::Data(data) if data.len() == PLAIN);
        }
        assert!(opened, "record {n} opens");
    })
}

/// Bytes in front of the encrypted blocks of a 0x00AE record: header and explicit IV.
const BLOCKS: usize = 13 + 16;

/// Bytes of plaintext whose MAC takes one compression of SHA-256 less than the longest content would that the record can
/// hold: where a padding oracle would show.
const SHORT: usize = 40;

/// Opens records of 0x00AE that `change` has done something to, and that must be dropped.
fn dropped(rounds: usize, change: fn(&mut [u8])) -> Round {
    let Association {
        mut client,
        mut server,
        ..
    } = associate(Suites::CBC);
    let mut rng = rng(3);
    let mut records: Vec<&'static mut [u8]> = (0..rounds)
        .map(|_| {
            let mut tx = TxBuf::new(leak(200));
            tx.reserve(Server::HEADROOM, Server::TAILROOM)
                .and_then(|()| tx.append(&[0x5a; SHORT]))
                .expect("200 bytes are enough");
            let cx = &mut Cx::new(Instant::ZERO, &mut rng);
            server.seal(cx, &mut tx).expect("a connected server seals");
            let record = tx.finish();
            change(&mut record[BLOCKS..]);
            record
        })
        .collect();
    Box::new(move |n| {
        let cx = &mut Cx::new(Instant::ZERO, &mut rng);
        let mut input = Datagram::new(PEER, records[n]);
        let event = client.handle_datagram(cx, &mut input).expect("no alert");
        assert!(black_box(event).is_none(), "record {n} is dropped");
    })
}

/// A record of 0x00AE with right padding and a wrong MAC: its plaintext was changed.
pub(crate) fn bad_mac(rounds: usize) -> Round {
    dropped(rounds, |blocks| blocks[0] ^= 1)
}

/// A record of 0x00AE with wrong padding: what is in the block before the last changes the last one's plaintext, whose end
/// says how long the padding is.
pub(crate) fn bad_padding(rounds: usize) -> Round {
    dropped(rounds, |blocks| {
        let at = blocks.len() - 17;
        blocks[at] ^= 0x80;
    })
}

/// One whole handshake as the client sees it: what it receives is a recording, and fits because its own randomness is
/// the same each time.
pub(crate) fn handshake_client(_: usize) -> Round {
    let flights = RefCell::new(associate(Suites::ALL).flights);
    let memory = RefCell::new([0; RECOMMENDED_REASSEMBLY]);
    Box::new(move |_| {
        let (mut rng, mut memory) = (rng(CLIENT), memory.borrow_mut());
        let mut client = client(&mut *memory, &mut rng);
        let mut out = [0; 1500];
        flush(&mut client, &mut rng, &mut out);
        for flight in flights.borrow().iter().skip(1).step_by(2) {
            answer(&mut client, &mut rng, flight, &mut out);
        }
        assert!(client.is_connected());
    })
}

/// The same as the server sees it.
pub(crate) fn handshake_server(_: usize) -> Round {
    let flights = RefCell::new(associate(Suites::ALL).flights);
    let memory = RefCell::new([0; RECOMMENDED_REASSEMBLY]);
    Box::new(move |_| {
        let (mut rng, mut memory) = (rng(SERVER), memory.borrow_mut());
        let mut server = server(&mut *memory, Suites::ALL, &mut rng);
        let mut out = [0; 1500];
        for flight in flights.borrow().iter().step_by(2) {
            answer(&mut server, &mut rng, flight, &mut out);
        }
        assert!(server.is_connected());
    })
}

/// Plays one recorded flight to `layer` and takes its answer.
fn answer(layer: &mut impl Layer, rng: &mut ChaCha8Rng, flight: &[Vec<u8>], out: &mut [u8]) {
    let mut input = [0; 1500];
    for datagram in flight {
        let copy = &mut input[..datagram.len()];
        copy.copy_from_slice(datagram);
        play(layer, rng, copy);
    }
    flush(layer, rng, out);
}

/// The floor of a handshake: a key pair made, a secret agreed.
pub(crate) fn x25519(_: usize) -> Round {
    let peer = PublicKey::from(&StaticSecret::from([3; 32]));
    Box::new(move |n| {
        let secret = StaticSecret::from(black_box([n as u8; 32]));
        black_box(PublicKey::from(&secret).to_bytes());
        black_box(secret.diffie_hellman(black_box(&peer)).to_bytes());
    })
}
