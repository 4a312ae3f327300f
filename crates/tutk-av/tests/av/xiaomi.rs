//! What Xiaomi's cameras without DTLS want otherwise: accounts of their own, and IO types (`docs/protocol.md` §2.12).

use tutk_av::*;
use tutk_core::{Cx, Instant, TxBuf};

use crate::common::*;
use crate::plain::{connected_as, give, rng, take};

const OLD: [Generation; 2] = [Generation::Session25, Generation::Session16];

/// A user name as cameras that encrypt what they show want it; key and signature are invented.
fn signed() -> String {
    let (key, sign) = ("8f".repeat(32), "3c".repeat(32));
    format!(r#"{{"public_key":"{key}","sign":"{sign}","account":"admin"}}"#)
}

fn enr() -> LoginConfig<'static> {
    LoginConfig {
        user: b"admin",
        password: b"sim-enr-16byte!!",
        resend: false,
    }
}

fn logins(wire: &[Vec<u8>]) -> Vec<Login<'_>> {
    let parsed = wire.iter().map(|message| Message::parse(message));
    let login = |message| match message {
        Ok(Message::Login(login)) => Some(login),
        _ => None,
    };
    parsed.filter_map(login).collect()
}

#[test]
fn the_captured_login_is_written_byte_for_byte() {
    // `session16.go`: `00000b00… 22020000fcfc7284`, "Miss" at 24, "client" at 281, and what `session16_login_trailer_538`
    // holds. That one asks for lossless mode and does not say that it is the first; we do the contrary.
    let mut expected = vec![0; 570];
    expected[..4].copy_from_slice(&[0, 0, 0x0b, 0]);
    expected[16..18].copy_from_slice(&[0x22, 0x02]);
    expected[24..28].copy_from_slice(b"Miss");
    expected[281..287].copy_from_slice(b"client");
    let real = vectors()["real"].as_array().unwrap().clone();
    let trailer = real
        .iter()
        .find(|case| case["name"] == "session16_login_trailer_538");
    expected[538..].copy_from_slice(&bytes_of(&trailer.unwrap()["bytes"]));
    expected[18] = 1;
    expected[538] = 0;
    for generation in OLD {
        let (mut rng, account) = (rng(), PlainAccount::new(b"Miss", b"client").unwrap());
        let cx = &mut Cx::new(Instant::ZERO, &mut rng);
        let mut app = Initiator::new(&enr(), &mut [], cx);
        app.set_plain_account(account);
        app.set_generation(generation);
        let mut login = take(&mut app, cx).remove(0);
        login[20..24].fill(0); // the serial
        assert_eq!(hex::encode(login), hex::encode(&expected));
    }
}

#[test]
fn a_user_name_with_a_key_and_no_password_logs_in_and_the_enr_stays_here() {
    for generation in OLD {
        let (mut rng, user) = (rng(), signed());
        let cx = &mut Cx::new(Instant::ZERO, &mut rng);
        let account = PlainAccount::new(user.as_bytes(), b"").unwrap();
        let (_, _, wire) = connected_as(generation, account, b"", cx);
        let logins = logins(&wire);
        assert_eq!(logins.len(), 2);
        for login in logins {
            assert_eq!((login.user, login.password), (user.as_bytes(), &b""[..]));
        }
        for message in wire {
            assert!(!message.windows(7).any(|w| w == b"sim-enr"));
        }
    }
}

#[test]
fn a_camera_with_a_password_of_its_own_lets_in_only_who_says_it() {
    for generation in OLD {
        let mut rng = rng();
        let cx = &mut Cx::new(Instant::ZERO, &mut rng);
        let account = PlainAccount::new(b"admin", b"abc-own-password").unwrap();
        connected_as(generation, account, b"abc-own-password", cx);
        let config = ResponderConfig {
            password: Some(b"abc-own-password"),
            ..ResponderConfig::default()
        };
        let mut camera = Responder::new(&config, &mut [], cx);
        camera.set_generation(generation);
        let mut app = Initiator::new(&enr(), &mut [], cx);
        app.set_generation(generation);
        for mut login in take(&mut app, cx) {
            assert_eq!(give(&mut camera, cx, &mut login), None);
        }
        assert_eq!(camera.stats().rx_login_refused, 1);
    }
}

#[test]
fn the_account_outlives_a_restart_and_is_not_used_with_dtls() {
    let mut rng = rng();
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let mut app = Initiator::new(&enr(), &mut [], cx);
    app.set_plain_account(PlainAccount::new(b"Miss", b"client").unwrap());
    for _ in 0..2 {
        let sent = take(&mut app, cx);
        let login = &logins(&sent)[0];
        assert_eq!((login.user, login.password), (enr().user, enr().password));
        app.set_generation(Generation::Session25);
        let sent = take(&mut app, cx);
        let login = &logins(&sent)[0];
        assert_eq!((login.user, login.password), (&b"Miss"[..], &b"client"[..]));
        app.restart(&enr(), cx);
    }
}

#[test]
fn an_account_fills_its_fields_or_is_refused() {
    let (most, more) = ([b'u'; PlainAccount::MAX], [b'u'; PlainAccount::MAX + 1]);
    assert!(PlainAccount::new(&more, b"").is_none());
    assert!(PlainAccount::new(b"", &more).is_none());
    let mut rng = rng();
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let account = PlainAccount::new(&most, &most[..64]).unwrap();
    assert_eq!(format!("{account:?}"), "PlainAccount { .. }");
    let (_, _, wire) = connected_as(Generation::Session16, account, &most[..64], cx);
    assert_eq!(logins(&wire)[0].user, most);
}

#[test]
fn frameinfo_has_milliseconds_behind_its_seconds() {
    // A comment in `legacy/producer.go`.
    let mut bytes = hex::decode("500000000134060080026801ed8d5c694c030000").unwrap();
    bytes.resize(32, 0);
    let info = FrameInfo::parse(&bytes).unwrap();
    assert_eq!((info.codec, info.viewers, info.size), (Codec::H265, 1, 32));
    assert_eq!((info.unix_seconds, info.micros), (0x695c_8ded, 844_000));
    // What can be microseconds is; and only this form has the other.
    let mut other = bytes.clone();
    other[8..12].copy_from_slice(&999_999u32.to_le_bytes());
    assert_eq!(FrameInfo::parse(&other).unwrap().micros, 999_999);
    bytes.resize(40, 0);
    assert_eq!(FrameInfo::parse(&bytes).unwrap().micros, 0x0168_0280);
}

#[test]
fn commands_have_io_types_of_their_own() {
    // `legacy/client.go`: IO type and payload as they stand on the wire.
    let commands = [
        (0x01ff, &b"{}"[..], "ff0100007b7d"),
        (0x02ff, b"{}", "ff0200007b7d"),
        (0x0300, b"{}", "000300007b7d"),
        (0x0301, b"{}", "010300007b7d"),
        (
            0x0320,
            &[0, 0, 0, 0, 2, 0, 0, 0],
            "200300000000000002000000",
        ),
    ];
    for generation in OLD {
        let mut rng = rng();
        let cx = &mut Cx::new(Instant::ZERO, &mut rng);
        let account = PlainAccount::new(b"Miss", b"client").unwrap();
        let (mut app, mut camera, _) = connected_as(generation, account, b"client", cx);
        for (n, (io_type, payload, body)) in (0u8..).zip(commands) {
            let (ticket, mut memory) = (app.ioctl_ticket(), [0; 100]);
            let mut tx = TxBuf::new(&mut memory);
            app.write_ioctl_as(ticket, io_type, payload, &mut tx)
                .unwrap();
            let (wire, size) = (hex::encode(tx.payload()), body.len() / 2);
            let head = match generation {
                Generation::Session16 => format!("00700b00{:02x}", n + 1),
                _ => "00700b00".into(),
            };
            assert!(wire.starts_with(&head) && wire.ends_with(body), "{wire}");
            assert_eq!(tx.payload()[16], size as u8, "{wire}");
            let Some(Event::Ioctl(ioctl)) = give(&mut camera, cx, tx.payload_mut()) else {
                panic!("{io_type:x}")
            };
            assert_eq!((ioctl.kind, ioctl.payload), (io_type, payload));
            // And the other way, in an answer.
            let ticket = camera.ioctl_ticket();
            let mut tx = TxBuf::new(&mut memory);
            camera
                .write_ioctl_as(ticket, io_type + 1, b"done", &mut tx)
                .unwrap();
            let Some(Event::Ioctl(ioctl)) = give(&mut app, cx, tx.payload_mut()) else {
                panic!("{io_type:x}")
            };
            assert_eq!((ioctl.kind, ioctl.payload), (io_type + 1, &b"done"[..]));
        }
    }
}
