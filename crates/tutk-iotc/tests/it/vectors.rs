//! Our packets against captures and against other implementations' output (`testdata/vectors.json`), byte for byte.

use crate::common::{FixedRng, Seen, UID, addr, drain, give, key, plain, testdata, uid};
use serde_json::Value;
use tutk_core::{Cx, Instant, Layer, TxBuf};
use tutk_iotc::{CONFIRM_GAP, Client, ClientConfig, Device, DeviceConfig, Framing, Framings, wire};
use zerocopy::FromBytes;

const SID: &str = "1c24760a9d2488ba";
const CAMERA: &str = "192.0.2.2:39099";
const APP: &str = "192.0.2.1:4000";

fn vectors() -> Value {
    serde_json::from_str(&testdata("vectors.json")).unwrap()
}

fn real(name: &str) -> Value {
    let all = vectors();
    let list = all["real"].as_array().unwrap();
    list.iter().find(|v| v["name"] == name).unwrap().clone()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn client(sid: &str, framings: Framings) -> Client {
    let targets = [addr(CAMERA)];
    let mut config = ClientConfig::new(uid(), key(), &targets);
    config.framings = framings;
    let mut rng = FixedRng::new(&hex::decode(sid).unwrap());
    Client::new(&config, &mut Cx::new(Instant::ZERO, &mut rng))
}

fn sent(layer: &mut impl crate::common::Role) -> Vec<String> {
    sent_at(layer, Instant::ZERO)
}

fn sent_at(layer: &mut impl crate::common::Role, now: Instant) -> Vec<String> {
    let mut rng = FixedRng::new(&[]);
    let mut cx = Cx::new(now, &mut rng);
    layer.handle_timeout(&mut cx).unwrap();
    let all = drain(layer, &mut cx);
    all.into_iter().map(|(_, b)| hex::encode(b)).collect()
}

fn hear(layer: &mut impl crate::common::Role, from: &str, bytes: &[u8]) -> Option<Seen> {
    let mut rng = FixedRng::new(&[0xe0, 0x05]);
    give(
        layer,
        &mut Cx::new(Instant::ZERO, &mut rng),
        addr(from),
        bytes,
    )
    .unwrap()
}

fn wrapped(client: &mut Client, channel: u8, payload: &[u8]) -> String {
    let mut memory = [0; 500];
    let mut tx = TxBuf::new(&mut memory);
    tx.reserve(Client::HEADROOM, Client::TAILROOM).unwrap();
    tx.append(payload).unwrap();
    client.wrap(channel, &mut tx).unwrap();
    assert_eq!(tx.destination(), Some(addr(CAMERA)));
    hex::encode(tx.finish())
}

/// A TransCode client that has just opened its session, and what it sent on the way.
fn open_transcode(sid: &str) -> (Client, Vec<String>) {
    let mut client = client(sid, Framings::TRANSCODE);
    let mut log = sent(&mut client);
    let sid = hex::decode(sid).unwrap().try_into().unwrap();
    let mut found =
        zerocopy::IntoBytes::as_bytes(&wire::SearchReply::new(*uid().as_bytes(), sid)).to_vec();
    tutk_transcode::encode(&mut found);
    hear(&mut client, CAMERA, &found);
    log.extend(sent(&mut client));
    log.extend(sent_at(&mut client, Instant::ZERO + CONFIRM_GAP));
    let reply = wire::Session::new(wire::Direction::ToClient, *uid().as_bytes(), sid);
    let mut granted = zerocopy::IntoBytes::as_bytes(&reply).to_vec();
    tutk_transcode::encode(&mut granted);
    let event = hear(&mut client, CAMERA, &granted);
    assert_eq!(event, Some(Seen::Open(Framing::TransCode)));
    (client, log)
}

#[test]
fn search_confirmation_and_session_request() {
    let v = &vectors()["derived_packets_go2rtc"];
    let (_, log) = open_transcode(SID);
    let expected: Vec<&str> = ["disco_stage1", "disco_stage2", "session_req_sdkver"]
        .iter()
        .map(|name| v[*name]["wire"].as_str().unwrap())
        .collect();
    assert_eq!(log, expected);
}

#[test]
fn data_packets_count_up_over_both_channels() {
    let v = &vectors()["derived_packets_go2rtc"];
    let (mut client, _) = open_transcode(SID);
    for (name, channel) in [
        ("data_tx_ch0_seq0_16B", 0),
        ("data_tx_ch0_seq1_100B", 0),
        ("data_tx_ch1_seq2_37B", 1),
    ] {
        let payload = &bytes(&v[name]["plain"])[28..];
        let expected = v[name]["wire"].as_str().unwrap();
        assert_eq!(wrapped(&mut client, channel, payload), expected, "{name}");
    }
}

#[test]
fn an_alive_is_answered_with_the_token_that_came() {
    let exchange = real("keepalive_exchange_xiaomi");
    let (mut client, _) = open_transcode(SID);
    let mut alive = bytes(&exchange["rx_plain"]);
    tutk_transcode::encode(&mut alive);
    assert_eq!(hear(&mut client, CAMERA, &alive), None);
    let answer = sent(&mut client);
    let v = &vectors()["derived_packets_go2rtc"]["keepalive_reply"];
    assert_eq!(answer, [v["wire"].as_str().unwrap()]);
    assert_eq!(
        plain(&hex::decode(&answer[0]).unwrap()),
        bytes(&exchange["tx_plain"])
    );
}

#[test]
fn the_captured_close_is_what_we_send_three_times() {
    let close = real("close_frame");
    let (mut client, _) = open_transcode("4dd624bca0347b11");
    client.close();
    let wire = close["wire"].as_str().unwrap();
    assert_eq!(sent(&mut client), [wire; 3]);
    assert!(!client.is_open());
}

#[test]
fn the_captured_alive_header_of_a_device_reads_as_one() {
    let v = real("keepalive_probe_header");
    let decoded = plain(&bytes(&v["wire"]));
    let header = wire::Header::ref_from_bytes(&decoded).unwrap();
    assert_eq!(header.command.get(), wire::code::ALIVE_TO_CLIENT);
    assert_eq!(header.flags.get(), wire::code::TO_CLIENT);
    assert_eq!(header.version, 0x1d, "a device's own version");
}

#[test]
fn cc51_session_from_search_to_data() {
    let all = vectors();
    let v = &all["derived_packets_go2rtc"];
    let fss = &all["fss_cc51"];
    assert_eq!(
        (fss["uid"].as_str(), fss["sid"].as_str()),
        (Some(UID), Some(SID))
    );
    let text = |name: &str| v[name].as_str().unwrap().to_owned();

    let mut client = client(SID, Framings::CC51);
    let probe = sent(&mut client);
    assert_eq!(probe, [text("cc51_disco_seq0")]);
    assert_eq!(probe, [fss["disco_seq0"].as_str().unwrap()]);

    // Our device, made to choose the ticket of the vectors, answers with the vectors' bytes.
    let mut config = DeviceConfig::new(uid(), key());
    config.framings = Framings::CC51;
    let mut device = Device::new(
        &config,
        &mut Cx::new(Instant::ZERO, &mut FixedRng::new(&[])),
    );
    assert_eq!(
        hear(&mut device, APP, &hex::decode(&probe[0]).unwrap()),
        None
    );
    let seq1 = sent(&mut device);
    assert_eq!(seq1, [text("cc51_disco_seq1_resp_ticket05e0")]);

    let found = hear(&mut client, CAMERA, &hex::decode(&seq1[0]).unwrap());
    assert_eq!(found, Some(Seen::Found(addr(CAMERA), Framing::Cc51)));
    let seq2 = sent(&mut client);
    assert_eq!(seq2, [text("cc51_disco_seq2_ticket05e0")]);

    let bound = hear(&mut device, APP, &hex::decode(&seq2[0]).unwrap());
    assert_eq!(bound, Some(Seen::Open(Framing::Cc51)));
    let seq3 = sent(&mut device);
    assert_eq!(seq3, [text("cc51_disco_seq3_resp_ticket05e0")]);
    let open = hear(&mut client, CAMERA, &hex::decode(&seq3[0]).unwrap());
    assert_eq!(open, Some(Seen::Open(Framing::Cc51)));

    for (name, channel) in [("cc51_dtls_ch0", 0), ("cc51_dtls_ch1", 1)] {
        let packet = bytes(&v[name]);
        let payload = &packet[28..packet.len() - 20];
        let ours = wrapped(&mut client, channel, payload);
        assert_eq!(ours, text(name));
        let heard = hear(&mut device, APP, &packet);
        assert_eq!(heard, Some(Seen::Data(channel, payload.to_vec())));
    }
    let fss_data = fss["dtls_ch0_16fefd0000_ticket05e0"].as_str().unwrap();
    assert_eq!(text("cc51_dtls_ch0"), fss_data, "two sources agree");

    // The counter of our answers grows by 2: the 21st has 42.
    let alive = bytes(&v["cc51_keepalive_42"]);
    let answers: Vec<String> = (0..21)
        .flat_map(|_| {
            hear(&mut client, CAMERA, &alive);
            sent(&mut client)
        })
        .collect();
    assert_eq!(answers.len(), 21);
    assert_eq!(answers[20], text("cc51_keepalive_42"));
    assert_eq!(answers[20], fss["keepalive_42"].as_str().unwrap());
}

#[test]
fn what_old_firmware_sends_on_channel_5_comes_back_as_it_wants_it() {
    let case = real("ch5_exchange_xiaomi");
    let (from, to) = (bytes(&case["rx_plain"]), bytes(&case["tx_plain"]));
    let sid = hex::encode(&from[20..28]);
    let (mut client, _) = open_transcode(&sid);
    sent(&mut client);
    // The capture's arrows and its commands contradict each other; a device sends 0x0408.
    let mut packet = from.clone();
    packet[8..12].copy_from_slice(&[0x08, 0x04, 0x12, 0]);
    tutk_transcode::encode(&mut packet);
    assert_eq!(hear(&mut client, CAMERA, &packet), None);
    let answer = sent(&mut client);
    assert_eq!(answer.len(), 1);
    let answer = plain(&hex::decode(&answer[0]).unwrap());
    assert_eq!(answer[8..12], [0x07, 0x04, 0x21, 0]);
    assert_eq!((answer[3], answer[14]), (0x0a, 5));
    assert_eq!(answer[16..], to[16..]);
}
