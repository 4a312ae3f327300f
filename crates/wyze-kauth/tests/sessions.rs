//! The two recorded sessions in `testdata/sessions`: every K-command in them is read, means what the record says, and
//! is written again byte for byte. The client is go2rtc, the camera a virtual one.

use serde_json::Value;
use tutk_core::wire::Writer;
use wyze_kauth::command::{
    Challenge, Connect, ConnectAuth, ControlChannel, Done, FrameSize, Media, SetResolvingBit,
};
use wyze_kauth::{
    Authenticator, AuthenticatorConfig, CameraInfo, Enr, Hello, Mac, Message, ResponseCommand,
    Status, auth_key, psk, write_request,
};

/// From the URL that `*.client.jsonl` begins with.
const ENR: &str = "roTRg3tiuL3TjXhmz9bQ4wVf7sKc2NpA";
const MAC: &str = "AABBCCDDEEFF";
/// Where the HL message begins in an IOCTRL of the wrapped form.
const HL_AT: usize = 40;

fn records(session: &str) -> Vec<Value> {
    let path = format!(
        "{}/../../testdata/sessions/{session}.camera.jsonl",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The HL messages in order, with their direction.
fn messages(records: &[Value]) -> Vec<(bool, Vec<u8>)> {
    let av = records
        .iter()
        .filter(|r| r["ev"] == "av" && r["dir"] != "c2s-ch1");
    av.filter_map(|r| {
        let packet = hex::decode(r["hex"].as_str().unwrap()).unwrap();
        let message = packet.get(HL_AT..)?.to_vec();
        message
            .starts_with(b"HL")
            .then_some((r["dir"] == "c2s", message))
    })
    .collect()
}

fn each_session(check: impl Fn(&[Value], &[(bool, Vec<u8>)])) {
    for session in ["cc51", "iotc"] {
        let records = records(session);
        let messages = messages(&records);
        assert_eq!(messages.len(), 8, "{session}");
        check(&records, &messages);
    }
}

#[test]
fn the_messages_are_those_that_the_camera_logged() {
    each_session(|records, messages| {
        let logged: Vec<_> = records
            .iter()
            .filter(|r| r["ev"] == "k_rx" || r["ev"] == "k_tx")
            .map(|r| {
                (
                    r["ev"] == "k_rx",
                    r["cmd"].as_u64().unwrap(),
                    r["len"].as_u64().unwrap(),
                )
            })
            .collect();
        let read: Vec<_> = messages
            .iter()
            .map(|(up, bytes)| {
                let m = Message::parse(bytes).unwrap();
                (*up, u64::from(m.code.0), m.payload.len() as u64)
            })
            .collect();
        assert_eq!(read, logged);
    });
}

#[test]
fn the_keys_are_those_that_the_camera_logged() {
    each_session(|records, _| {
        let (enr, mac) = (Enr::new(ENR).unwrap(), Mac::new(MAC).unwrap());
        assert_eq!(
            auth_key(&enr, &mac),
            records[0]["authkey"].as_str().unwrap().as_bytes()
        );
        assert_eq!(
            hex::encode(psk(&enr).expose()),
            records[0]["psk"].as_str().unwrap()
        );
    });
}

#[test]
fn our_authenticator_says_what_the_recorded_client_said() {
    each_session(|_, messages| {
        let mut ours = Authenticator::new(&AuthenticatorConfig {
            enr: &Enr::new(ENR).unwrap(),
            parent_enr: None,
            mac: &Mac::new(MAC).unwrap(),
            video: true,
            audio: true,
            hello: Hello::AudioCodecs,
            command: ResponseCommand::K10002,
            open_user_id: None,
        });
        let mut said = || {
            let mut memory = [0u8; 160];
            let mut w = Writer::new(&mut memory);
            ours.poll_request(&mut w).unwrap();
            w.finish().unwrap().to_vec()
        };
        assert_eq!(said(), messages[0].1);

        let k10001 = Message::parse(&messages[1].1).unwrap();
        assert_eq!(
            k10001.reply_to::<Connect<'_>>().unwrap().status,
            Status::Enr32
        );
        ours.handle_message(&k10001).unwrap();

        let mut memory = [0u8; 160];
        let mut w = Writer::new(&mut memory);
        ours.poll_request(&mut w).unwrap();
        let mut answer = w.finish().unwrap().to_vec();
        let free = 16 + 16..16 + 20; // four bytes that each client fills as it likes
        answer[free.clone()].copy_from_slice(&messages[2].1[free]);
        assert_eq!(answer, messages[2].1);

        let k10003 = Message::parse(&messages[3].1).unwrap();
        assert!(ours.handle_message(&k10003).unwrap().is_some());
        let info = CameraInfo::parse(k10003.payload).unwrap();
        assert_eq!(
            (info.model, info.firmware),
            (Some("HL_CAM4"), Some("4.52.9.4188"))
        );
        assert_eq!(
            (info.video, info.audio, info.wifi),
            (Some(true), Some(true), Some(80))
        );
        assert_eq!(info.mac.unwrap().expose(), MAC);
    });
}

#[test]
fn requests_and_replies_are_written_as_they_were_recorded() {
    each_session(|_, messages| {
        let m: Vec<_> = messages
            .iter()
            .map(|(_, bytes)| Message::parse(bytes).unwrap())
            .collect();
        let mut memory = [0u8; 128];
        let again = |w: Writer<'_>, at: usize| assert_eq!(w.finish().unwrap(), messages[at].1);

        let resolution: SetResolvingBit = m[4].request().unwrap();
        assert_eq!(
            resolution,
            SetResolvingBit {
                size: FrameSize::P1440,
                bitrate: 240,
                fps: 0
            }
        );
        let mut w = Writer::new(&mut memory);
        write_request(&resolution, &mut w);
        again(w, 4);

        let done = m[5].reply_to::<SetResolvingBit>().unwrap();
        assert_eq!(done, Done::OK);
        let mut w = Writer::new(&mut memory);
        wyze_kauth::write_reply::<SetResolvingBit>(5, &done, &mut w);
        again(w, 5);

        let talk: ControlChannel = m[6].request().unwrap();
        assert_eq!(
            talk,
            ControlChannel {
                media: Media::ReturnAudio,
                on: true
            }
        );
        let reply = m[7].reply_to::<ControlChannel>().unwrap();
        let mut w = Writer::new(&mut memory);
        wyze_kauth::write_reply::<ControlChannel>(5, &reply, &mut w);
        again(w, 7);

        let challenge: Challenge = m[1].reply_to::<Connect<'_>>().unwrap();
        let mut w = Writer::new(&mut memory);
        wyze_kauth::write_reply::<Connect<'_>>(5, &challenge, &mut w);
        again(w, 1);

        let answer: ConnectAuth = m[2].request().unwrap();
        assert!(answer.video && answer.audio);
        let mut w = Writer::new(&mut memory);
        write_request(&answer, &mut w);
        again(w, 2);
        assert!(m[2].request::<ControlChannel>().is_err(), "another code");
    });
}
