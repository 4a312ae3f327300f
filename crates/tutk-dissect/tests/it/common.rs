//! The recorded sessions as captures.

use std::net::SocketAddr;
use std::time::Duration;

use tutk_dissect::{Dissector, KeyLog, Options, Packet, Recording, read_capture};
use tutk_testkit::data;

pub(crate) const UID: &str = "HSBJYB5HSETGCDWD111A";
pub(crate) const ENR: &str = "roTRg3tiuL3TjXhmz9bQ4wVf7sKc2NpA";
pub(crate) const MAC: &str = "AABBCCDDEEFF";

pub(crate) fn app() -> SocketAddr {
    "192.0.2.1:40000".parse().unwrap()
}

pub(crate) fn camera() -> SocketAddr {
    "192.0.2.2:32761".parse().unwrap()
}

/// One datagram of a recorded session.
pub(crate) struct Sent {
    pub(crate) at: Duration,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn datagrams(name: &str) -> Vec<Sent> {
    let lines = data::session(&format!("sessions/{name}.wire.jsonl"));
    let sent = lines.iter().map(|line| {
        let by_app = line["dir"] == "c2s";
        let (from, to) = if by_app {
            (app(), camera())
        } else {
            (camera(), app())
        };
        let at = Duration::from_secs(1_767_225_600)
            + Duration::from_micros((line["t_ms"].as_f64().unwrap() * 1000.0) as u64);
        let bytes = data::bytes(line, "raw");
        Sent {
            at,
            from,
            to,
            bytes,
        }
    });
    sent.collect()
}

pub(crate) fn pcap_of(datagrams: &[Sent]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut recording = Recording::new(&mut out).unwrap();
    for sent in datagrams {
        recording
            .datagram(sent.at, sent.from, sent.to, &sent.bytes)
            .unwrap();
    }
    out
}

pub(crate) fn keys(name: &str) -> KeyLog {
    let text = std::fs::read(data::path(&format!("sessions/{name}.keylog"))).unwrap();
    KeyLog::read(&text[..]).unwrap()
}

pub(crate) fn dissect(pcap: &[u8], keys: KeyLog) -> Vec<Packet> {
    let mut dissector = Dissector::new(Options {
        keys,
        ..Options::default()
    });
    let mut packets = Vec::new();
    read_capture(pcap, |frame| {
        packets.push(dissector.frame(&frame));
        true
    })
    .unwrap();
    packets
}
