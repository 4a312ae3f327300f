//! Recordings of other implementations (provenance: testdata/dtls/README.md, and `_about` and `peer` in
//! testdata/vectors.json): our key schedule and record protection must give the same bytes.

use aes::Aes128Dec;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use hmac::Mac;
use rand_chacha::rand_core::{self, TryCryptoRng, TryRng};
use serde_json::Value;
use tutk_core::TxBuf;
use tutk_core::wire::Reader;
use zeroize::Zeroizing;

use crate::cipher::{self, Opener, Sealer};
use crate::keys::{self, Master, Side};
use crate::message::{
    ClientHello, ClientKeyExchange, Fragment, Kind, ServerHello, ServerKeyExchange, Transcript,
};
use crate::reassembly::{Outcome, Reassembly};
use crate::record::{ContentType, Header, Position, additional_data};
use crate::suite::CipherSuite;

const TESTDATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/");

fn vectors(name: &str) -> Value {
    let text = std::fs::read_to_string(format!("{TESTDATA}vectors.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["dtls"][name].clone()
}

fn bytes(v: &Value) -> Vec<u8> {
    hex::decode(v.as_str().unwrap()).unwrap()
}

fn array<const N: usize>(v: &Value) -> [u8; N] {
    bytes(v).try_into().unwrap()
}

/// Gives out the IVs that the recording has.
struct Recorded(Vec<u8>);

impl TryRng for Recorded {
    type Error = core::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        unreachable!("only IVs are drawn")
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        unreachable!("only IVs are drawn")
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        let rest = self.0.split_off(out.len());
        out.copy_from_slice(&self.0);
        self.0 = rest;
        Ok(())
    }
}
impl TryCryptoRng for Recorded {}

/// Datagrams of a handshake: (from the client, bytes).
type Log = Vec<(bool, Vec<u8>)>;

/// What a whole handshake amounts to, read with our parsers.
struct Replay {
    suite: CipherSuite,
    client_random: [u8; 32],
    server_random: [u8; 32],
    /// Hash up to and including ClientKeyExchange.
    hash: [u8; 32],
    extended_master_secret: bool,
    encrypt_then_mac: bool,
    transcript: Transcript,
    finished_seq: u16,
    client_point: Option<[u8; 32]>,
    server_point: Option<[u8; 32]>,
    /// Records of epoch 1.
    protected: Vec<(bool, Header, Vec<u8>)>,
}

/// The plaintext messages of one side, put together; a repeated one counts once.
fn messages(log: &Log, client: bool) -> Vec<(Kind, u16, Vec<u8>)> {
    let mut out: Vec<(Kind, u16, Vec<u8>)> = Vec::new();
    let mut memory = [0; 1024];
    let mut reassembly = Reassembly::new(&mut memory);
    for (from_client, datagram) in log {
        for (header, body) in split(datagram) {
            if *from_client != client
                || header.at.epoch != 0
                || header.kind != ContentType::Handshake
            {
                continue;
            }
            let mut r = Reader::new(&body);
            while !r.is_empty() {
                let fragment = Fragment::read(&mut r).unwrap();
                if out.iter().any(|(_, seq, _)| *seq == fragment.seq) {
                    continue;
                }
                if reassembly.add(&fragment) == Outcome::Complete {
                    let (memory, len) = reassembly.take().unwrap();
                    out.push((fragment.kind, fragment.seq, memory[..len].to_vec()));
                    reassembly.restore(memory);
                }
            }
        }
    }
    out
}

fn split(mut datagram: &[u8]) -> Vec<(Header, Vec<u8>)> {
    let mut out = Vec::new();
    while !datagram.is_empty() {
        let header = Header::parse(datagram).unwrap();
        out.push((header, datagram[13..13 + header.len].to_vec()));
        datagram = &datagram[13 + header.len..];
    }
    out
}

fn replay(log: &Log) -> Replay {
    let (client, server) = (messages(log, true), messages(log, false));
    let (_, seq, hello) = client.iter().rfind(|m| m.0 == Kind::ClientHello).unwrap();
    let mut transcript = Transcript::default();
    transcript.add(Kind::ClientHello, *seq, hello);
    let mut server_point = None;
    let answer = server.iter().find(|m| m.0 == Kind::ServerHello).unwrap();
    let answer_parsed = ServerHello::read(&answer.2).unwrap();
    let suite = CipherSuite::from_code(answer_parsed.suite).unwrap();
    for (kind, seq, body) in server.iter().filter(|m| m.0 != Kind::HelloVerifyRequest) {
        transcript.add(*kind, *seq, body);
        if *kind == Kind::ServerKeyExchange
            && let ServerKeyExchange::X25519(point) = ServerKeyExchange::read(body, suite).unwrap()
        {
            server_point = Some(*point);
        }
    }
    let (kind, finished_seq, exchange) = client.last().unwrap();
    transcript.add(*kind, *finished_seq, exchange);
    let exchange = ClientKeyExchange::read(exchange, suite).unwrap();
    assert_eq!(exchange.identity, b"AUTHPWD_admin");
    let protected = log
        .iter()
        .flat_map(|(from, d)| split(d).into_iter().map(|(h, b)| (*from, h, b)));
    Replay {
        suite,
        client_random: *ClientHello::read(hello).unwrap().random,
        server_random: *answer_parsed.random,
        hash: transcript.hash(),
        extended_master_secret: answer_parsed.extended_master_secret,
        encrypt_then_mac: answer.2.windows(4).any(|w| w == [0, 0x16, 0, 0]),
        transcript,
        finished_seq: finished_seq + 1,
        client_point: exchange.point.copied(),
        server_point,
        protected: protected.filter(|(_, h, _)| h.at.epoch == 1).collect(),
    }
}

impl Replay {
    fn openers(&self, master: &Master) -> (Opener, Opener) {
        let pair = |side| {
            cipher::derive(
                self.suite,
                side,
                master,
                &self.client_random,
                &self.server_random,
            )
            .unwrap()
            .1
        };
        (pair(Side::Server), pair(Side::Client))
    }

    fn sealer(&self, master: &Master, client: bool) -> Sealer {
        let side = if client { Side::Client } else { Side::Server };
        cipher::derive(
            self.suite,
            side,
            master,
            &self.client_random,
            &self.server_random,
        )
        .unwrap()
        .0
    }

    fn classic_master(&self, other: &[u8; 32], psk: &[u8; 32]) -> Master {
        keys::master_secret(
            &keys::premaster(other, psk),
            &self.client_random,
            &self.server_random,
        )
    }

    /// Opens every protected record, checks both Finished, and gives the rest: (from the client, type, plaintext).
    fn open_all(&self, master: &Master) -> Vec<(bool, ContentType, Vec<u8>)> {
        let (from_client, from_server) = self.openers(master);
        let expected = self.finished(master);
        let mut out = Vec::new();
        let mut finished = 0;
        for (client, header, body) in &self.protected {
            let mut body = body.clone();
            let opener = if *client { &from_client } else { &from_server };
            let plain = opener
                .open(header.kind, header.at, &mut body)
                .expect("a recorded record opens")
                .to_vec();
            if header.kind == ContentType::Handshake {
                assert_eq!(plain[12..], expected[usize::from(!*client)], "verify data");
                finished += 1;
            } else {
                out.push((*client, header.kind, plain));
            }
        }
        assert_eq!(finished, 2);
        out
    }

    /// What both Finished must hold.
    fn finished(&self, master: &Master) -> [[u8; 12]; 2] {
        let client = keys::verify_data(master, Side::Client, &self.hash);
        let mut transcript = self.transcript.clone();
        transcript.add(Kind::Finished, self.finished_seq, &client);
        [
            client,
            keys::verify_data(master, Side::Server, &transcript.hash()),
        ]
    }

    /// Seals a plaintext the way the recorded peer did, with its IV.
    fn reseal(
        &self,
        master: &Master,
        client: bool,
        header: &Header,
        plain: &[u8],
        body: &[u8],
    ) -> Vec<u8> {
        let mut memory = [0; 512];
        let mut tx = TxBuf::new(&mut memory);
        tx.reserve(cipher::HEADROOM, cipher::TAILROOM).unwrap();
        tx.append(plain).unwrap();
        let mut rng = Recorded(body.to_vec());
        let rng: &mut dyn rand_core::CryptoRng = &mut rng;
        self.sealer(master, client)
            .seal(header.kind, header.at, rng, &mut tx)
            .unwrap();
        tx.finish()[13..].to_vec()
    }
}

fn log_of(v: &Value) -> Log {
    let entry = |e: &Value| {
        let hex = e.as_array().unwrap().last().unwrap();
        (e[0].as_str() == Some("C->S"), bytes(hex))
    };
    v["log"].as_array().unwrap().iter().map(entry).collect()
}

fn fixed_keys(name: &str) {
    let v = vectors(name);
    let handshake = replay(&log_of(&v));
    let psk = array(&v["psk"]);
    let z: [u8; 32] = array(&v["Z"]);
    if let (Some(server), Some(client)) = (handshake.server_point, handshake.client_point) {
        let secret = x25519_dalek::StaticSecret::from(array::<32>(&v["x25519_client_priv"]));
        assert_eq!(x25519_dalek::PublicKey::from(&secret).as_bytes(), &client);
        assert_eq!(secret.diffie_hellman(&server.into()).as_bytes(), &z);
    }
    assert_eq!(keys::premaster(&z, &psk)[..], bytes(&v["premaster"]));
    let master = handshake.classic_master(&z, &psk);
    assert_eq!(master[..], bytes(&v["master_secret"]));
    let block = bytes(&v["key_block"]);
    let (cr, sr) = (&handshake.client_random, &handshake.server_random);
    match handshake.suite {
        CipherSuite::EcdhePskChaCha20Poly1305 => {
            assert_eq!(keys::key_block::<88>(&master, cr, sr)[..], block)
        }
        CipherSuite::PskAes128CbcSha256 => {
            assert_eq!(keys::key_block::<96>(&master, cr, sr)[..], block)
        }
    }
    assert_eq!(
        handshake.hash[..],
        bytes(&v["transcript_hash_client_finished"])
    );
    let finished = handshake.finished(&master);
    assert_eq!(finished[0][..], bytes(&v["client_verify_data"]));
    assert_eq!(finished[1][..], bytes(&v["server_verify_data"]));

    let opened = handshake.open_all(&master);
    assert_eq!(
        opened[0],
        (
            true,
            ContentType::ApplicationData,
            b"hello camera\n".to_vec()
        )
    );
    assert_eq!(
        opened[1],
        (false, ContentType::ApplicationData, b"pong\n".to_vec())
    );
    assert_eq!(opened[2], (true, ContentType::Alert, vec![1, 0]));
    // And back: byte for byte what the other implementation sent.
    let (from_client, from_server) = handshake.openers(&master);
    for (client, header, body) in &handshake.protected {
        let mut copy = body.clone();
        let opener = if *client { &from_client } else { &from_server };
        let plain = opener
            .open(header.kind, header.at, &mut copy)
            .unwrap()
            .to_vec();
        assert_eq!(
            &handshake.reseal(&master, *client, header, &plain, body),
            body
        );
    }
}

#[test]
fn ccac_against_openssl_with_fixed_keys() {
    fixed_keys("ccac_openssl_fixed_keys");
}

#[test]
fn ccac_against_openssl_with_a_key_full_of_zeros() {
    fixed_keys("ccac_openssl_fixed_keys_nul_psk");
}

#[test]
fn cbc_against_openssl_with_fixed_keys() {
    fixed_keys("00ae_openssl_fixed_keys");
}

fn keylogged(log: &str, handshake: &Replay) -> Master {
    let line = log
        .lines()
        .find(|l| l.starts_with("CLIENT_RANDOM"))
        .unwrap();
    let mut words = line
        .split_whitespace()
        .skip(1)
        .map(|w| hex::decode(w).unwrap());
    assert_eq!(words.next().unwrap(), handshake.client_random);
    Zeroizing::new(words.next().unwrap().try_into().unwrap())
}

#[test]
fn session_of_another_client_opens() {
    let v = vectors("go2rtc_pion_client_vs_openssl");
    let handshake = replay(&log_of(&v));
    let master = keylogged(v["keylog"].as_str().unwrap(), &handshake);
    let opened = handshake.open_all(&master);
    let alert = |client| (client, ContentType::Alert, vec![1, 0]);
    assert_eq!(opened[0].1, ContentType::ApplicationData);
    assert_eq!(opened[1..], [alert(true), alert(false)]);
}

#[test]
fn session_of_another_server_opens() {
    let v = vectors("openssl_client_vs_go2rtc_pion_server_00ae");
    let handshake = replay(&log_of(&v));
    let master = keylogged(v["keylog"].as_str().unwrap(), &handshake);
    assert_eq!(
        master,
        handshake.classic_master(&[0; 32], &array(&v["psk"])),
        "follows from the key alone"
    );
    assert_eq!(handshake.open_all(&master).len(), 4);
}

/// Datagrams of a capture on the loopback interface. The first sender is the client.
fn pcap(name: &str) -> Log {
    let file = std::fs::read(format!("{TESTDATA}dtls/{name}.pcap")).unwrap();
    let mut rest = &file[24..];
    let mut client_port = None;
    let mut out = Log::new();
    while rest.len() >= 16 {
        let len = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        let packet = &rest[16..16 + len];
        let port = &packet[34..36];
        let client = *client_port.get_or_insert(port) == port;
        out.push((client, packet[42..].to_vec()));
        rest = &rest[16 + len..];
    }
    out
}

const PCAP_PSK: &str = "688831da27f81097acb2c659ab51ba2893a8d64a4b542fab81e1d4865cb0676d";

fn capture(name: &str) -> (Replay, Master) {
    let handshake = replay(&pcap(name));
    let keys = std::fs::read_to_string(format!("{TESTDATA}dtls/{name}.keys")).unwrap();
    let master = keylogged(&keys, &handshake);
    (handshake, master)
}

#[test]
fn every_record_of_every_capture_opens() {
    for (name, ems) in [
        ("ccac_ems", true),
        ("ccac_noems", false),
        ("ccac_frag_mtu256", false),
        ("cbc_noems_noetm", false),
    ] {
        let (handshake, master) = capture(name);
        assert_eq!(handshake.extended_master_secret, ems, "{name}");
        let opened = handshake.open_all(&master);
        assert_eq!(opened.len(), 4, "{name}");
        assert!(
            opened[..2]
                .iter()
                .all(|r| r.1 == ContentType::ApplicationData && !r.2.is_empty()),
            "{name}"
        );
        assert!(
            opened[2..]
                .iter()
                .all(|r| r.1 == ContentType::Alert && r.2 == [1, 0]),
            "{name}"
        );
    }
}

#[test]
fn cbc_master_secrets_follow_from_the_key() {
    let psk: [u8; 32] = hex::decode(PCAP_PSK).unwrap().try_into().unwrap();
    let (handshake, master) = capture("cbc_noems_noetm");
    assert_eq!(handshake.classic_master(&[0; 32], &psk), master);
    let (handshake, master) = capture("cbc_ems_etm");
    assert!(handshake.extended_master_secret && handshake.encrypt_then_mac);
    let premaster = keys::premaster(&[0; 32], &psk);
    assert_eq!(
        keys::extended_master_secret(&premaster, &handshake.hash),
        master
    );
}

#[test]
fn a_wiretap_takes_the_key_alone_where_nothing_else_makes_the_master_secret() {
    let psk: [u8; 32] = hex::decode(PCAP_PSK).unwrap().try_into().unwrap();
    let (handshake, _) = capture("cbc_noems_noetm");
    let (client, server) = (&handshake.client_random, &handshake.server_random);
    let wiretap = crate::Wiretap::with_psk(&psk, client, server).unwrap();
    let mut opened = 0;
    for (by_client, mut datagram) in pcap("cbc_noems_noetm") {
        if datagram[0] == 23 {
            assert!(wiretap.open(by_client, &mut datagram).is_some());
            opened += 1;
        }
    }
    assert_eq!(opened, 2);
}

/// Encrypt-then-MAC is never agreed to by this crate; its capture is opened here with the primitives, which shows that
/// the keys are right.
#[test]
fn the_encrypt_then_mac_capture_opens_with_our_keys() {
    let (handshake, master) = capture("cbc_ems_etm");
    let block = keys::key_block::<96>(&master, &handshake.client_random, &handshake.server_random);
    let finished = handshake.finished(&master);
    let mut opened = 0;
    for (client, header, body) in &handshake.protected {
        let (mac_key, key) = if *client {
            (&block[..32], &block[64..80])
        } else {
            (&block[32..64], &block[80..96])
        };
        let (sealed, mac) = body.split_at(body.len() - 32);
        let mut expected = keys::hmac(mac_key);
        expected.update(&additional_data(header.kind, header.at, sealed.len()));
        expected.update(sealed);
        assert_eq!(expected.finalize().into_bytes()[..], *mac);
        let mut text = sealed[16..].to_vec();
        cbc::Decryptor::<Aes128Dec>::new(key.try_into().unwrap(), sealed[..16].try_into().unwrap())
            .decrypt_padded::<NoPadding>(&mut text)
            .unwrap();
        text.truncate(text.len() - 1 - usize::from(*text.last().unwrap()));
        if header.kind == ContentType::Handshake {
            assert_eq!(text[12..], finished[usize::from(!*client)]);
        }
        opened += 1;
    }
    assert_eq!(opened, 6);
}

#[test]
fn the_wrong_position_does_not_open_a_recorded_record() {
    let (handshake, master) = capture("ccac_noems");
    let (client, header, body) = &handshake.protected[0];
    assert!(client);
    let opener = handshake.openers(&master).0;
    for at in [Position { epoch: 1, seq: 1 }, Position { epoch: 2, seq: 0 }] {
        assert!(opener.open(header.kind, at, &mut body.clone()).is_none());
    }
    assert!(
        opener
            .open(header.kind, header.at, &mut body.clone())
            .is_some()
    );
}
