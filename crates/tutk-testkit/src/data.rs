//! Loaders for the files under `testdata/`. Each panics with the path and the place when a file is not as it should be:
//! a broken fixture is a broken test.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

/// The path of a file under `testdata/`.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata")
        .join(name)
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn read_text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// One section of `testdata/vectors.json`, such as `derived_transcode`.
///
/// # Panics
/// When the file or the section is missing.
pub fn vectors(section: &str) -> Value {
    let path = path("vectors.json");
    let mut all: Value =
        serde_json::from_slice(&read(&path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    all.get_mut(section)
        .unwrap_or_else(|| panic!("{}: no section {section}", path.display()))
        .take()
}

/// The bytes of a field that holds them as hexadecimal.
///
/// # Panics
/// When the field is missing or holds something else.
pub fn bytes(value: &Value, field: &str) -> Vec<u8> {
    let text = value[field]
        .as_str()
        .unwrap_or_else(|| panic!("no text in field {field} of {value}"));
    hex::decode(text).unwrap_or_else(|e| panic!("field {field} of {value}: {e}"))
}

/// Every line of a recorded session, such as `sessions/iotc.wire.jsonl`.
///
/// # Panics
/// When the file is missing or a line is not JSON.
pub fn session(name: &str) -> Vec<Value> {
    let path = path(name);
    read_text(&path)
        .lines()
        .enumerate()
        .map(|(n, line)| {
            serde_json::from_str(line)
                .unwrap_or_else(|e| panic!("{}:{}: {e}", path.display(), n + 1))
        })
        .collect()
}

/// An NSS key log (`CLIENT_RANDOM <random> <master secret>`): the 48-byte master secret of each 32-byte client random.
///
/// # Panics
/// When the file is missing or a line is malformed.
pub fn key_log(name: &str) -> HashMap<[u8; 32], [u8; 48]> {
    let path = path(name);
    let entry = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let (label, random, secret) = (words.next()?, words.next()?, words.next()?);
        if label != "CLIENT_RANDOM" {
            return None;
        }
        Some((
            hex::decode(random).ok()?.try_into().ok()?,
            hex::decode(secret).ok()?.try_into().ok()?,
        ))
    };
    read_text(&path)
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| entry(line).unwrap_or_else(|| panic!("{}: {line}", path.display())))
        .collect()
}

/// One UDP datagram of a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// Time since the epoch.
    pub at: Duration,
    /// Sender.
    pub from: SocketAddr,
    /// Receiver.
    pub to: SocketAddr,
    /// UDP payload.
    pub bytes: Vec<u8>,
}

/// The UDP datagrams of a capture in classic little-endian pcap with microseconds, Ethernet and IPv4 without options
/// or fragments.
///
/// # Panics
/// When the file is missing or is not such a capture. Packets that are not UDP over IPv4 are skipped.
pub fn pcap(name: &str) -> Vec<Captured> {
    let path = path(name);
    parse_pcap(&read(&path)).unwrap_or_else(|what| panic!("{}: {what}", path.display()))
}

/// What [`pcap`] reads, from bytes in memory.
///
/// # Errors
/// What is wrong with the file.
pub fn parse_pcap(bytes: &[u8]) -> Result<Vec<Captured>, &'static str> {
    const MAGIC: u32 = 0xa1b2_c3d4;
    const ETHERNET: u32 = 1;
    let (header, mut rest) = bytes.split_at_checked(24).ok_or("no file header")?;
    if le32(header, 0) != MAGIC {
        return Err("not a little-endian pcap with microseconds");
    }
    if le32(header, 20) != ETHERNET {
        return Err("not a capture of Ethernet");
    }
    let mut datagrams = Vec::new();
    while !rest.is_empty() {
        let (header, after) = rest
            .split_at_checked(16)
            .ok_or("a record header is cut off")?;
        let (frame, after) = after
            .split_at_checked(le32(header, 8) as usize)
            .ok_or("a record is cut off")?;
        rest = after;
        let at = Duration::from_secs(le32(header, 0).into())
            + Duration::from_micros(le32(header, 4).into());
        datagrams.extend(udp(frame).map(|(from, to, bytes)| Captured {
            at,
            from,
            to,
            bytes,
        }));
    }
    Ok(datagrams)
}

fn le32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// Sender, receiver and payload of an Ethernet frame that holds UDP over IPv4 (RFC 791, RFC 768).
fn udp(frame: &[u8]) -> Option<(SocketAddr, SocketAddr, Vec<u8>)> {
    let (ethernet, ip) = frame.split_at_checked(14)?;
    let (ip, udp) = ip.split_at_checked(20)?;
    if ethernet[12..14] != [0x08, 0x00] || ip[0] != 0x45 || ip[9] != 17 {
        return None;
    }
    let (header, payload) = udp.split_at_checked(8)?;
    let port = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let host = |at: usize| Ipv4Addr::new(ip[at], ip[at + 1], ip[at + 2], ip[at + 3]);
    let payload = payload.get(..usize::from(port(4)).checked_sub(8)?)?;
    Some((
        (host(12), port(0)).into(),
        (host(16), port(2)).into(),
        payload.to_vec(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPTURES: [&str; 5] = [
        "ccac_ems",
        "ccac_noems",
        "ccac_frag_mtu256",
        "cbc_noems_noetm",
        "cbc_ems_etm",
    ];

    #[test]
    fn every_capture_agrees_with_its_listing() {
        for name in CAPTURES {
            let datagrams = pcap(&format!("dtls/{name}.pcap"));
            let listing = read_text(&path(&format!("dtls/{name}.txt")));
            let listed: Vec<(u16, usize)> = listing
                .lines()
                .map(|line| {
                    let mut columns = line.split('\t').skip(1);
                    let mut number = || columns.next().unwrap().parse::<usize>().unwrap();
                    (number() as u16, number() - 8)
                })
                .collect();
            let read: Vec<_> = datagrams
                .iter()
                .map(|d| (d.from.port(), d.bytes.len()))
                .collect();
            assert_eq!(read, listed, "{name}");
        }
    }

    #[test]
    fn every_capture_starts_with_a_client_hello_whose_key_is_in_the_log() {
        for name in CAPTURES {
            let keys = key_log(&format!("dtls/{name}.keys"));
            let hello = &pcap(&format!("dtls/{name}.pcap"))[0].bytes;
            // record header 13, handshake header 12, version 2
            let random: [u8; 32] = hello[27..59].try_into().unwrap();
            assert!(keys.contains_key(&random), "{name}");
        }
    }

    #[test]
    fn recorded_sessions_and_their_keys_load() {
        for framing in ["iotc", "cc51"] {
            for part in ["wire", "camera", "client"] {
                let lines = session(&format!("sessions/{framing}.{part}.jsonl"));
                assert!(lines.len() > 20, "{framing}.{part}: {}", lines.len());
            }
            let keys = key_log(&format!("sessions/{framing}.keylog"));
            assert_eq!(keys.len(), 2, "one per DTLS association");
        }
        let first = &session("sessions/iotc.wire.jsonl")[0];
        assert_eq!(bytes(first, "raw").len() as u64, first["len"]);
    }

    #[test]
    fn vectors_are_found_by_section() {
        let cases = vectors("derived_transcode");
        let case = &cases["cases"][20];
        assert_eq!(bytes(case, "plain").len(), 20);
    }

    #[test]
    fn a_truncated_capture_is_refused() {
        let whole = read(&path("dtls/ccac_ems.pcap"));
        assert!(parse_pcap(&whole).is_ok());
        assert!(parse_pcap(&whole[..whole.len() - 1]).is_err());
        assert!(parse_pcap(&whole[..23]).is_err());
        assert!(parse_pcap(&[0; 24]).is_err());
    }
}
