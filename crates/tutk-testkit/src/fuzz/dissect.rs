//! The dissector and the redactor, over captures and over datagrams.

use std::net::SocketAddr;
use std::time::Duration;

use tutk_core::Instant;
use tutk_dissect::{
    Dissector, KeyLog, Options, Packet, Recording, Redactor, key_log_line, read_capture, text,
};
use tutk_iotc::{AuthKey, Uid};
use wyze_embedded_io::Pcap;
use wyze_kauth::keys::{Enr, Mac};

/// The secret that no redacted datagram may hold, whatever came in.
const ENR: &str = "sim-enr-16byte!!";

/// The first byte says what follows: bit 2, a key log, its length in front; bit 0, datagrams, each with its length in front,
/// and otherwise a capture. Bit 1: the dissector knows the camera's ENR. What the datagrams are written as is read again.
pub fn dissect(data: &[u8]) {
    let Some((&kind, mut rest)) = data.split_first() else {
        return;
    };
    let keys = if kind & 4 == 0 {
        KeyLog::new()
    } else {
        key_log(part(&mut rest).unwrap_or_default())
    };
    let mut dissector = dissector(keys, kind & 2 != 0);
    if kind & 1 == 0 {
        // That a capture is damaged is no finding.
        let _ = read_capture(rest, |frame| {
            check(&dissector.frame(&frame));
            true
        });
        return;
    }
    let (app, camera) = addresses();
    let mut redactor = redactor();
    let mut recorded = Vec::new();
    while let Some(datagram) = part(&mut rest) {
        let (from, to) = if recorded.len() % 2 == 0 {
            (app, camera)
        } else {
            (camera, app)
        };
        recorded.push((from, to, datagram));
        check(&Packet {
            number: recorded.len() as u64,
            time: Duration::ZERO,
            from: Some(from),
            to: Some(to),
            start: 0,
            length: datagram.len(),
            layers: dissector.datagram(from, to, datagram),
        });
        if let Some(redacted) = redactor.datagram(from, to, datagram) {
            redacted_holds_nothing(redacted);
        }
    }
    recordings(&recorded);
}

/// The next bytes with their length in front; the last may be cut short.
fn part<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (header, tail) = rest.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_le_bytes(*header)).min(tail.len());
    let (part, next) = tail.split_at(length);
    *rest = next;
    Some(part)
}

/// The log in `text`. Each line by itself says as much as all together, and what is written is read.
fn key_log(text: &[u8]) -> KeyLog {
    let log = KeyLog::read(text).expect("memory can be read");
    let lines: usize = text
        .split(|byte| *byte == b'\n')
        .map(|line| KeyLog::read(line).map_or(0, |log| log.len()))
        .inspect(|entries| assert!(*entries <= 1))
        .sum();
    // One association may have two lines.
    assert!(log.len() <= lines && log.is_empty() == (lines == 0));
    if let Some((random, rest)) = text.split_first_chunk()
        && let Some((master, _)) = rest.split_first_chunk()
    {
        let line = key_log_line(random, master);
        let again = KeyLog::read(line.as_bytes()).expect("memory can be read");
        assert_eq!(again.len(), 1);
    }
    log
}

fn dissector(mut keys: KeyLog, knows: bool) -> Dissector {
    if !knows {
        return Dissector::new(Options {
            keys,
            ..Options::default()
        });
    }
    let (uid, enr, _) = identity();
    keys.set_psk(wyze_kauth::psk(&enr).expose());
    Dissector::new(Options {
        credentials: Some((uid, AuthKey::new(*b"vW28cYGv"))),
        keys,
        show_secrets: true,
    })
}

fn redacted_holds_nothing(mut datagram: Vec<u8>) {
    // 0xCC51 packets and DTLS records are in clear as they are.
    if !matches!(
        datagram.as_slice(),
        [0x51, 0xcc, ..] | [20..=23, 0xfe, 0xfd | 0xff, ..]
    ) {
        tutk_transcode::decode(&mut datagram);
    }
    let found = datagram.windows(ENR.len()).any(|w| w == ENR.as_bytes());
    assert!(!found, "a secret was left");
}

/// What both writers make of the datagrams is read as the same.
fn recordings(sent: &[(SocketAddr, SocketAddr, &[u8])]) {
    let mut bytes = Vec::new();
    let mut made_up = Recording::new(&mut bytes).expect("memory");
    let mut bare = Pcap::new(Vec::new(), 0).expect("memory");
    for (at, (from, to, bytes)) in sent.iter().enumerate() {
        let at = Duration::from_millis(at as u64);
        made_up.datagram(at, *from, *to, bytes).expect("memory");
        if let (SocketAddr::V4(from), SocketAddr::V4(to)) = (from, to) {
            let at = Instant::ZERO + at;
            bare.datagram(at, *from, *to, bytes).expect("memory");
        }
    }
    for capture in [bytes, bare.into_inner()] {
        let mut read = 0;
        let whole = read_capture(&capture[..], |frame| {
            let udp = frame.udp().expect("a datagram");
            assert_eq!((udp.from, udp.to, udp.payload), sent[read]);
            assert_eq!(frame.time, Duration::from_millis(read as u64));
            read += 1;
            true
        });
        assert!(whole.is_ok() && read == sent.len());
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

fn identity() -> (Uid, Enr, Mac) {
    let uid = "SIMCAMSIMCAMSIMCAM11".parse().expect("a UID");
    let (enr, mac) = (Enr::new(ENR), Mac::new("00AA11BB22CC"));
    (uid, enr.expect("an ENR"), mac.expect("a MAC"))
}

fn redactor() -> Redactor {
    let (uid, enr, mac) = identity();
    Redactor::new(&uid, &AuthKey::new(*b"vW28cYGv"), &enr, &mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_the_key_of_the_camera_the_sessions_of_the_corpus_are_opened() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/dissect");
        for name in ["session_cbc_transcode", "session_cbc_cc51"] {
            let data = std::fs::read(format!("{folder}/{name}")).unwrap();
            let opened = [false, true].map(|knows| {
                let mut dissector = dissector(KeyLog::new(), knows);
                let (mut from, mut to) = addresses();
                let (mut rest, mut opened) = (&data[1..], 0);
                while let Some(datagram) = part(&mut rest) {
                    let layers = dissector.datagram(from, to, datagram);
                    opened += usize::from(layers.iter().any(|layer| layer.name == "av"));
                    (from, to) = (to, from);
                }
                opened
            });
            assert!(opened[0] == 0 && opened[1] > 10, "{name}: {opened:?}");
        }
    }
}
