//! The dissector and the redactor, over captures and over datagrams.

use std::net::SocketAddr;
use std::time::Duration;

use tutk_dissect::{Dissector, Options, Packet, Redactor, read_capture, text};
use tutk_iotc::AuthKey;
use wyze_kauth::keys::{Enr, Mac};

/// The secret that no redacted datagram may hold, whatever came in.
const ENR: &str = "sim-enr-16byte!!";

/// First byte even: the rest is a capture. Odd: datagrams, each with its length in front.
pub fn dissect(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else {
        return;
    };
    if kind % 2 == 0 {
        let mut dissector = Dissector::new(Options::default());
        // That a capture is damaged is no finding.
        let _ = read_capture(rest, |frame| {
            check(&dissector.frame(&frame));
            true
        });
        return;
    }
    let (app, camera) = addresses();
    let mut dissector = Dissector::new(Options::default());
    let mut redactor = redactor();
    let mut rest = rest;
    let mut number = 0;
    while let Some((header, tail)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*header)).min(tail.len());
        let (datagram, next) = tail.split_at(length);
        rest = next;
        number += 1;
        let (from, to) = if number % 2 == 1 {
            (app, camera)
        } else {
            (camera, app)
        };
        check(&Packet {
            number,
            time: Duration::ZERO,
            from: Some(from),
            to: Some(to),
            start: 0,
            length,
            layers: dissector.datagram(from, to, datagram),
        });
        if let Some(redacted) = redactor.datagram(from, to, datagram) {
            let mut clear = redacted;
            // 0xCC51 packets and DTLS records are in clear as they are.
            if !matches!(
                clear.as_slice(),
                [0x51, 0xcc, ..] | [20..=23, 0xfe, 0xfd | 0xff, ..]
            ) {
                tutk_transcode::decode(&mut clear);
            }
            let found = clear.windows(ENR.len()).any(|w| w == ENR.as_bytes());
            assert!(!found, "a secret was left");
        }
    }
}

/// Every place is inside of the datagram, and what is shown obeys no terminal.
fn check(packet: &Packet) {
    for layer in &packet.layers {
        assert!(layer.offset + layer.length <= packet.length, "{layer:?}");
        for field in &layer.fields {
            assert!(field.offset + field.length <= packet.length, "{field:?}");
        }
        for expert in &layer.experts {
            assert!(expert.offset + expert.length <= packet.length, "{expert:?}");
        }
    }
    let start = packet.time;
    let brief = false;
    let shown = text::Shown {
        packet,
        start,
        brief,
    }
    .to_string();
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n'));
}

fn addresses() -> (SocketAddr, SocketAddr) {
    (
        ([192, 0, 2, 1], 40_000).into(),
        ([192, 0, 2, 2], 32_761).into(),
    )
}

fn redactor() -> Redactor {
    let uid = "SIMCAMSIMCAMSIMCAM11".parse().expect("a UID");
    let (enr, mac) = (Enr::new(ENR), Mac::new("00AA11BB22CC"));
    let (enr, mac) = (enr.expect("an ENR"), mac.expect("a MAC"));
    Redactor::new(&uid, &AuthKey::new(*b"vW28cYGv"), &enr, &mac)
}
