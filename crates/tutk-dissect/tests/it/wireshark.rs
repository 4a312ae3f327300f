//! What Wireshark's engine reads with `docs/wireshark/tutk.lua` is what we read.

use std::process::Command;
use std::time::Duration;

use tutk_dissect::{Packet, Value};
use tutk_testkit::data;

use crate::common::{Sent, app, camera, datagrams, dissect, keys, pcap_of};
use crate::redaction::redacted;

/// Fields that both name alike.
const OUTER: &[&str] = &[
    "iotc.version",
    "iotc.mode",
    "iotc.body_length",
    "iotc.sequence",
    "iotc.command",
    "iotc.flags",
    "iotc.channel",
    "iotc.sid",
    "iotc.stage",
    "cc51.command",
    "cc51.body_length",
    "cc51.direction",
    "cc51.step",
    "cc51.channel",
    "cc51.ticket",
    "cc51.sid",
    "cc51.hmac",
];
const INNER: &[&str] = &[
    "av.code",
    "av.type",
    "av.flags",
    "av.sequence",
    "av.inner_type",
    "av.counter",
    "av.total",
    "av.index",
    "av.info_length",
    "av.payload_length",
    "av.current",
    "av.highest",
    "av.ordinal",
    "frameinfo.codec",
    "frameinfo.length",
    "frameinfo.number",
    "hl.version",
    "hl.code",
    "hl.length",
];

/// tshark's fields, one row a packet; its absence is an error, never a skipped test.
fn tshark(pcap: &[u8], key_log: Option<&str>, fields: &[&str]) -> Vec<Vec<String>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pcap");
    std::fs::write(&path, pcap).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/wireshark/tutk.lua");
    let mut command = Command::new("tshark");
    command
        .arg("-n")
        .arg("-r")
        .arg(&path)
        .arg("-X")
        .arg(format!("lua_script:{script}"));
    if let Some(name) = key_log {
        let log = data::path(name);
        command
            .arg("-o")
            .arg(format!("tls.keylog_file:{}", log.display()));
    }
    command.args(["-T", "fields", "-E", "separator=|"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("tshark: {e}; install the Debian package `tshark`"));
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaints}");
    assert!(!complaints.contains("Lua"), "{complaints}");
    let rows = String::from_utf8(output.stdout).unwrap();
    rows.lines()
        .map(|row| row.split('|').map(str::to_owned).collect())
        .collect()
}

/// The same of ours.
fn ours(packet: &Packet, fields: &[&str]) -> Vec<String> {
    let of = |name: &&str| {
        let (layer, field) = name.split_once('.').unwrap();
        let layers = packet.layers.iter().filter(|l| l.name == layer);
        let fields = layers.filter_map(|l| l.field(field));
        let values = fields.map(|field| match &field.value {
            Value::Number(n) => n.to_string(),
            Value::Code(n) => format!("{n:#0width$x}", width = 2 + 2 * field.length),
            Value::Bytes(bytes) => hex::encode(bytes),
            other => panic!("{other:?}"),
        });
        values.collect::<Vec<_>>().join(",")
    };
    fields.iter().map(of).collect()
}

fn assert_alike(pcap: &[u8], packets: &[Packet], key_log: Option<&str>, fields: &[&str]) {
    let theirs = tshark(pcap, key_log, fields);
    assert_eq!(theirs.len(), packets.len());
    let mut told = 0;
    for (packet, theirs) in packets.iter().zip(&theirs) {
        let ours = ours(packet, fields);
        for ((field, theirs), ours) in fields.iter().zip(theirs).zip(&ours) {
            assert_eq!(theirs, ours, "packet {}: {field}", packet.number);
            told += usize::from(!ours.is_empty());
        }
    }
    assert!(told > packets.len() * 3, "{told} fields");
}

#[test]
fn wireshark_reads_both_framings_as_we_do() {
    for name in ["iotc", "cc51"] {
        let pcap = pcap_of(&datagrams(name));
        assert_alike(&pcap, &dissect(&pcap, keys(name)), None, OUTER);
    }
}

/// A packet of either framing with this command and `len` bytes in all.
fn with_command(framing: &str, command: u16, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    if framing == "cc51" {
        bytes[..2].copy_from_slice(&[0x51, 0xcc]);
        bytes[4..6].copy_from_slice(&command.to_le_bytes());
        bytes[6..8].copy_from_slice(&(len as u16 - 12).to_le_bytes());
    } else {
        bytes[..4].copy_from_slice(&[0x04, 0x02, 0x1a, 0x0a]);
        bytes[4..6].copy_from_slice(&(len as u16 - 16).to_le_bytes());
        bytes[8..10].copy_from_slice(&command.to_le_bytes());
        tutk_transcode::encode(&mut bytes);
    }
    bytes
}

#[test]
fn wireshark_calls_a_command_unknown_when_it_has_no_name_and_a_packet_short_when_fields_are_missing()
 {
    let none = "";
    let unknown = "This command is not known";
    let short = "The packet ends before its command's fields";
    let cases = [
        // A close in 0xCC51 has a name; what is in it is not known.
        ("cc51", 0x1302, 12, none),
        ("cc51", 0x1302, 48, none),
        ("cc51", 0x1402, 48, unknown),
        ("cc51", 0x1002, 52, none),
        ("cc51", 0x1002, 51, short),
        ("cc51", 0x1202, 48, none),
        ("cc51", 0x1202, 47, short),
        // Data without any, and cut off in the HMAC.
        ("cc51", 0x1502, 48, none),
        ("cc51", 0x1502, 47, short),
        ("iotc", 0x0499, 24, unknown),
        ("iotc", 0x0601, 67, short),
        // Older firmware answers with less than 200 bytes.
        ("iotc", 0x0602, 36, none),
        ("iotc", 0x0602, 35, short),
        ("iotc", 0x0401, 52, none),
        ("iotc", 0x0404, 43, short),
        ("iotc", 0x0407, 28, none),
        ("iotc", 0x0408, 27, short),
        ("iotc", 0x0417, 24, none),
        ("iotc", 0x0428, 23, short),
    ];
    let sent = cases.map(|(framing, command, len, _)| Sent {
        at: Duration::from_secs(1_767_225_600),
        from: app(),
        to: camera(),
        bytes: with_command(framing, command, len),
    });
    let rows = tshark(&pcap_of(&sent), None, &["_ws.expert.message"]);
    assert_eq!(rows.len(), cases.len());
    for ((framing, command, len, finding), row) in cases.iter().zip(&rows) {
        assert_eq!(
            row.join(""),
            *finding,
            "{framing} {command:#06x}, {len} bytes"
        );
    }
}

#[test]
fn wireshark_reads_the_oldest_firmware_as_we_do_down_to_the_frames() {
    let pcap = crate::plain::session16();
    let mut packets = dissect(&pcap, Default::default());
    // What lies across two packets is not put together by the script.
    packets[1].layers.retain(|layer| layer.name != "frameinfo");
    assert_alike(&pcap, &packets, None, &[OUTER, INNER].concat());
}

#[test]
fn wireshark_reads_redacted_sessions_as_we_do_down_to_the_frames() {
    for name in ["iotc", "cc51"] {
        let pcap = redacted(name);
        let all = [OUTER, INNER].concat();
        assert_alike(&pcap, &dissect(&pcap, Default::default()), None, &all);
    }
}

#[test]
fn wireshark_decrypts_the_talk_channel_and_finds_the_av_messages_in_it() {
    // Wireshark 4.0 opens 0x00AE; of 0xCCAC in DTLS it opens nothing, not even captures of OpenSSL.
    for name in ["iotc", "cc51"] {
        let pcap = pcap_of(&datagrams(name));
        let log = format!("sessions/{name}.keylog");
        let rows = tshark(
            &pcap,
            Some(&log),
            &["av.code", "av.inner_type", "frameinfo.codec"],
        );
        let said: Vec<_> = rows
            .iter()
            .filter(|row| row.iter().any(|f| !f.is_empty()))
            .collect();
        let packets = dissect(&pcap, keys(name));
        let talk = |p: &&Packet| {
            let outer = p.layer("iotc").or(p.layer("cc51")).unwrap();
            outer
                .field("channel")
                .is_some_and(|c| c.value == Value::Number(1))
                && p.layer("av").is_some()
        };
        assert_eq!(said.len(), packets.iter().filter(talk).count(), "{name}");
        assert!(
            said.iter().any(|row| row[0] == "0x0000") && said.iter().any(|row| row[1] == "0x03")
        );
    }
}
