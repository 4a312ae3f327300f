//! Both roles against each other, on a virtual clock and a bad network; and what hostile messages do to them.

use std::time::Duration;

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tutk_av::*;
use tutk_core::{Cx, Datagram, Instant, Layer, TxBuf};

use crate::common::*;

const CONFIG: LoginConfig<'static> = LoginConfig {
    user: b"admin",
    password: b"sim-enr-16byte!!",
    resend: false,
};

/// Hands one message over; answers with the event, its payload copied.
fn give<'p, L: Layer>(
    layer: &mut L,
    cx: &mut Cx<'_>,
    bytes: &'p mut [u8],
) -> Result<Option<L::Event<'p>>, L::Error> {
    let mut input = Datagram::new("192.0.2.7:1".parse().unwrap(), bytes);
    let event = layer.handle_datagram(cx, &mut input)?;
    assert!(input.is_empty(), "one message is one datagram");
    Ok(event)
}

fn take<L: Layer>(layer: &mut L, cx: &mut Cx<'_>) -> Result<Vec<Vec<u8>>, L::Error> {
    let mut all = Vec::new();
    loop {
        let mut memory = [0; 1500];
        let mut tx = TxBuf::new(&mut memory);
        if !layer.poll_transmit(cx, &mut tx)? {
            return Ok(all);
        }
        all.push(tx.finish().to_vec());
        assert!(all.len() < 100, "poll_transmit has no end");
    }
}

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(7)
}

/// Both sides, logged in.
fn connected<'m>(cx: &mut Cx<'_>, memory: [&'m mut [u8]; 2]) -> (Initiator<'m>, Responder<'m>) {
    let [app_memory, camera_memory] = memory;
    let mut app = Initiator::new(&CONFIG, app_memory, cx);
    let mut camera = Responder::new(&ResponderConfig::default(), camera_memory, cx);
    for mut bytes in take(&mut app, cx).unwrap() {
        give(&mut camera, cx, &mut bytes).unwrap();
    }
    cx.now += Duration::from_millis(10);
    app.handle_timeout(cx).unwrap();
    for mut bytes in take(&mut app, cx).unwrap() {
        give(&mut camera, cx, &mut bytes).unwrap();
    }
    for mut bytes in take(&mut camera, cx).unwrap() {
        give(&mut app, cx, &mut bytes).unwrap();
    }
    assert!(app.is_logged_in() && camera.is_logged_in());
    (app, camera)
}

#[test]
fn login_goes_out_as_a_pair_and_again_every_second_until_it_fails() {
    let mut rng = rng();
    let mut cx = Cx::new(Instant::ZERO, &mut rng);
    let mut app = Initiator::new(&CONFIG, &mut [], &mut cx);
    let mut sent = Vec::new();
    let error = loop {
        for bytes in take(&mut app, &mut cx).unwrap() {
            let Ok(Message::Login(login)) = Message::parse(&bytes) else {
                panic!()
            };
            assert_eq!(login.password, CONFIG.password);
            sent.push((cx.now.as_millis(), login.second));
        }
        cx.now = app.poll_timeout().unwrap();
        if let Err(error) = app.handle_timeout(&mut cx) {
            break error;
        }
    };
    assert_eq!((error, cx.now.as_millis()), (Error::LoginTimeout, 5000));
    let expected: Vec<_> = (0..5)
        .flat_map(|s| [(s * 1000, false), (s * 1000 + 10, true)])
        .collect();
    assert_eq!(sent, expected);
}

#[test]
fn the_five_seconds_for_an_answer_begin_with_the_first_login() {
    let mut rng = rng();
    let mut cx = Cx::new(Instant::ZERO, &mut rng);
    let mut app = Initiator::new(&CONFIG, &mut [], &mut cx);
    assert_eq!(app.poll_timeout(), None, "nothing runs before");
    cx.now = Instant::from_millis(20_000);
    app.handle_timeout(&mut cx).unwrap();
    assert_eq!(take(&mut app, &mut cx).unwrap().len(), 1);
    let error = loop {
        cx.now = app.poll_timeout().unwrap();
        if let Err(error) = app.handle_timeout(&mut cx) {
            break error;
        }
        take(&mut app, &mut cx).unwrap();
    };
    assert_eq!((error, cx.now.as_millis()), (Error::LoginTimeout, 25_000));
}

#[test]
fn the_second_packet_is_answered_at_once_and_each_repetition_again() {
    let mut rng = rng();
    let mut cx = Cx::new(Instant::ZERO, &mut rng);
    let mut app = Initiator::new(&CONFIG, &mut [], &mut cx);
    let config = ResponderConfig {
        two_way: true,
        resend: true,
        password: None,
    };
    let mut camera = Responder::new(&config, &mut [], &mut cx);
    let mut first = take(&mut app, &mut cx).unwrap().remove(0);
    let logged_in = Event::LoggedIn {
        resend: false,
        two_way: true,
    };
    assert_eq!(
        give(&mut camera, &mut cx, &mut first).unwrap(),
        Some(logged_in)
    );
    assert!(
        take(&mut camera, &mut cx).unwrap().is_empty(),
        "waits for the second"
    );
    assert!(!camera.is_logged_in());
    cx.now = app.poll_timeout().unwrap();
    app.handle_timeout(&mut cx).unwrap();
    let mut second = take(&mut app, &mut cx).unwrap().remove(0);
    for _ in 0..3 {
        assert_eq!(give(&mut camera, &mut cx, &mut second).unwrap(), None);
        let mut replies = take(&mut camera, &mut cx).unwrap();
        assert_eq!(replies.len(), 1);
        let Ok(Message::LoginReply(reply)) = Message::parse(&replies[0]) else {
            panic!()
        };
        let Ok(Message::Login(login)) = Message::parse(&second) else {
            panic!()
        };
        assert_eq!(
            (reply.serial, reply.enable, reply.two_way),
            (login.serial, true, true)
        );
        let event = give(&mut app, &mut cx, &mut replies[0]).unwrap();
        assert!(event.is_none() || event == Some(logged_in));
    }
    assert_eq!(app.stats().rx_unexpected, 2, "one answer is enough");
    assert!(
        take(&mut camera, &mut cx).unwrap().is_empty(),
        "no ACK without a reason"
    );
    assert_eq!(camera.poll_timeout(), None);
}

#[test]
fn a_lone_first_packet_is_answered_after_the_grace_period() {
    let mut rng = rng();
    let mut cx = Cx::new(Instant::ZERO, &mut rng);
    let mut app = Initiator::new(&CONFIG, &mut [], &mut cx);
    let mut camera = Responder::new(&ResponderConfig::default(), &mut [], &mut cx);
    let mut first = take(&mut app, &mut cx).unwrap().remove(0);
    give(&mut camera, &mut cx, &mut first).unwrap();
    assert_eq!(camera.poll_timeout(), Some(Instant::from_millis(50)));
    cx.now = Instant::from_millis(50);
    camera.handle_timeout(&mut cx).unwrap();
    assert_eq!(take(&mut camera, &mut cx).unwrap().len(), 1);
    assert!(camera.is_logged_in());
}

#[test]
fn lossless_mode_needs_both_sides() {
    for (asked, allowed, expected) in [
        (true, true, true),
        (true, false, false),
        (false, true, false),
    ] {
        let mut rng = rng();
        let mut cx = Cx::new(Instant::ZERO, &mut rng);
        let mut app = Initiator::new(
            &LoginConfig {
                resend: asked,
                ..CONFIG
            },
            &mut [],
            &mut cx,
        );
        let config = ResponderConfig {
            resend: allowed,
            ..Default::default()
        };
        let mut camera = Responder::new(&config, &mut [], &mut cx);
        let mut login = take(&mut app, &mut cx).unwrap().remove(0);
        let here = give(&mut camera, &mut cx, &mut login).unwrap();
        cx.now = Instant::from_millis(50);
        camera.handle_timeout(&mut cx).unwrap();
        let mut reply = take(&mut camera, &mut cx).unwrap().remove(0);
        let there = give(&mut app, &mut cx, &mut reply).unwrap();
        let event = Some(Event::LoggedIn {
            resend: expected,
            two_way: false,
        });
        assert_eq!((here, there), (event, event));
    }
}

#[test]
fn another_password_is_not_answered() {
    for (password, ok) in [
        (&b"sim-enr-16byte!!"[..], true),
        (b"sim-enr-16byte!", false),
        (b"", false),
        (&[b'x'; 70], false),
    ] {
        let mut rng = rng();
        let mut cx = Cx::new(Instant::ZERO, &mut rng);
        let mut app = Initiator::new(&CONFIG, &mut [], &mut cx);
        let config = ResponderConfig {
            password: Some(password),
            ..Default::default()
        };
        let mut camera = Responder::new(&config, &mut [], &mut cx);
        let mut login = take(&mut app, &mut cx).unwrap().remove(0);
        assert_eq!(
            give(&mut camera, &mut cx, &mut login).unwrap().is_some(),
            ok
        );
        assert_eq!(camera.stats().rx_login_refused, u32::from(!ok));
    }
}

#[test]
fn ack_comes_after_the_login_after_each_ioctl_and_ten_times_a_second() {
    let mut rng = rng();
    let mut cx = Cx::new(Instant::ZERO, &mut rng);
    let (mut app, mut camera) = connected(&mut cx, [&mut [], &mut []]);
    let mut acks = Vec::new();
    let mut collect = |app: &mut Initiator<'_>, cx: &mut Cx<'_>| {
        for bytes in take(app, cx).unwrap() {
            let Ok(Message::Ack(ack)) = Message::parse(&bytes) else {
                panic!()
            };
            acks.push((
                cx.now.as_millis(),
                ack.from,
                ack.highest,
                ack.ioctl,
                ack.ordinal,
                ack.seq,
            ));
        }
    };
    collect(&mut app, &mut cx);
    // The camera sends two IOCTRLs and a frame of three packets.
    for payload in [b"one", b"two"] {
        let mut memory = [0; 100];
        let mut tx = TxBuf::new(&mut memory);
        let ticket = camera.ioctl_ticket();
        camera.write_ioctl(ticket, payload, &mut tx).unwrap();
        let event = give(&mut app, &mut cx, tx.finish()).unwrap();
        assert_eq!(
            event,
            Some(Event::Ioctl(Ioctl {
                kind: IO_TYPE,
                payload,
                repeat: false
            }))
        );
        collect(&mut app, &mut cx);
    }
    for mut packet in packets_of(&mut Packetizer::new(), &video_frame(true, &[1; 3000])) {
        assert!(matches!(
            give(&mut app, &mut cx, &mut packet).unwrap(),
            Some(Event::Media(_))
        ));
    }
    for _ in 0..3 {
        cx.now = app.poll_timeout().unwrap();
        app.handle_timeout(&mut cx).unwrap();
        collect(&mut app, &mut cx);
    }
    let none = 0xffff;
    let expected = [
        (10, none, none, 0, 1, 0),
        (10, none, none, 0, 2, 1),
        (10, none, none, 1, 3, 2),
        (110, none, 3, 1, 4, 3),
        // Frames come, so this one waits a little for the end of another (decision 0033); the next one does not.
        (220, 3, 3, 1, 5, 4),
        (320, 3, 3, 1, 6, 5),
    ];
    assert_eq!(acks, expected);
}

#[test]
fn a_repeated_ioctl_is_marked_and_acknowledged_again() {
    let mut rng = rng();
    let mut cx = Cx::new(Instant::ZERO, &mut rng);
    let (mut app, mut camera) = connected(&mut cx, [&mut [], &mut []]);
    take(&mut app, &mut cx).unwrap();
    let ticket = app.ioctl_ticket();
    for repeat in [false, true, true] {
        let mut memory = [0; 100];
        let mut tx = TxBuf::new(&mut memory);
        app.write_ioctl(ticket, b"HL", &mut tx).unwrap();
        let event = give(&mut camera, &mut cx, tx.finish()).unwrap();
        assert_eq!(
            event,
            Some(Event::Ioctl(Ioctl {
                kind: IO_TYPE,
                payload: b"HL",
                repeat
            }))
        );
        let acks = take(&mut camera, &mut cx).unwrap();
        assert!(matches!(Message::parse(&acks[0]), Ok(Message::Ack(ack)) if ack.ioctl == 0));
        assert_eq!(acks.len(), 1);
    }
    assert_eq!(camera.stats().rx_ioctl_repeated, 2);
}

#[test]
fn a_statistics_request_in_a_media_packet_is_answered() {
    let mut rng = rng();
    let mut cx = Cx::new(Instant::ZERO, &mut rng);
    let (mut app, _) = connected(&mut cx, [&mut [], &mut []]);
    take(&mut app, &mut cx).unwrap();
    let vectors = vectors();
    let case = &vectors["derived_frames"].as_array().unwrap()[1];
    let mut packet = bytes_of(&case["packets"][0]);
    give(&mut app, &mut cx, &mut packet).unwrap();
    let replies = take(&mut app, &mut cx).unwrap();
    assert_eq!(
        Message::parse(&replies[0]),
        Ok(Message::StatsReply { clock: 0x965c })
    );
    assert_eq!(app.stats().tx_stats_reply, 1);
}

#[test]
fn what_nobody_understands_is_counted() {
    let mut rng = rng();
    let mut cx = Cx::new(Instant::ZERO, &mut rng);
    let mut lonely = Initiator::new(&CONFIG, &mut [], &mut cx);
    let mut media = packets_of(&mut Packetizer::new(), &video_frame(true, &[1])).remove(0);
    assert_eq!(give(&mut lonely, &mut cx, &mut media).unwrap(), None);
    assert_eq!(lonely.stats().rx_unexpected, 1, "media before the login");
    let mut camera = Responder::new(&ResponderConfig::default(), &mut [], &mut cx);
    assert_eq!(give(&mut camera, &mut cx, &mut media).unwrap(), None);
    assert_eq!(camera.stats().rx_unexpected, 1);

    let (mut app, _) = connected(&mut cx, [&mut [], &mut []]);
    take(&mut app, &mut cx).unwrap();
    give(&mut app, &mut cx, &mut [1, 2, 3]).unwrap();
    give(
        &mut app,
        &mut cx,
        &mut hex::decode("0014000000000000").unwrap(),
    )
    .unwrap();
    give(
        &mut app,
        &mut cx,
        &mut hex::decode("0010000000000000").unwrap(),
    )
    .unwrap();
    let stats = app.stats();
    assert_eq!(
        (stats.rx_malformed, stats.rx_unknown, stats.rx_channel),
        (1, 1, 1)
    );
    assert_eq!(
        take(&mut app, &mut cx).unwrap().len(),
        1,
        "a channel message is acknowledged"
    );
}

#[test]
fn a_fragmented_ioctl_survives_reordering_repetition_and_lack_of_memory() {
    let payload = Dice::new(3).bytes(3000);
    let mut rng = rng();
    let mut cx = Cx::new(Instant::ZERO, &mut rng);
    let (mut app_memory, mut small) = ([0; 3072], [0; 2000]);
    let (mut app, mut camera) = connected(&mut cx, [&mut app_memory, &mut small]);
    for form in [IoctlForm::Wrapped, IoctlForm::Direct] {
        let ticket = camera.ioctl_ticket().form(form);
        assert_eq!(IoctlTicket::fragments(payload.len()), 3);
        for (index, complete) in [(2, false), (0, false), (0, false), (1, true)] {
            let mut memory = [0; 1500];
            let mut tx = TxBuf::new(&mut memory);
            camera
                .write_ioctl(ticket.fragment(index), &payload, &mut tx)
                .unwrap();
            let event = give(&mut app, &mut cx, tx.finish()).unwrap();
            assert_eq!(event, complete.then_some(Event::IoctlAssembled));
        }
        let whole = app.assembled().unwrap();
        assert_eq!((whole.kind, whole.repeat), (IO_TYPE, false));
        assert_eq!(whole.payload, payload);
    }
    let ticket = app.ioctl_ticket();
    let mut memory = [0; 1500];
    let mut tx = TxBuf::new(&mut memory);
    app.write_ioctl(ticket.fragment(1), &payload, &mut tx)
        .unwrap();
    assert_eq!(give(&mut camera, &mut cx, tx.finish()).unwrap(), None);
    assert_eq!(camera.stats().rx_ioctl_dropped, 1);
    assert_eq!(camera.assembled(), None);
}

/// Login and ten requests, each repeated every second until answered, through a network that loses 10 %.
#[test]
fn every_request_is_answered_over_a_lossy_network() {
    for seed in 0..1000 {
        let mut dice = Dice::new(seed);
        let (mut app_rng, mut camera_rng) = (
            ChaCha8Rng::seed_from_u64(seed),
            ChaCha8Rng::seed_from_u64(seed + 1),
        );
        let mut app = Initiator::new(&CONFIG, &mut [], &mut Cx::new(Instant::ZERO, &mut app_rng));
        let mut camera = Responder::new(
            &ResponderConfig::default(),
            &mut [],
            &mut Cx::new(Instant::ZERO, &mut camera_rng),
        );
        // Due time, towards the camera?, bytes.
        let mut network: Vec<(u64, bool, Vec<u8>)> = Vec::new();
        let (mut request, mut answered): (Option<(IoctlTicket, u64)>, u8) = (None, 0);
        let mut seen = 0u8; // requests that the camera has seen for the first time
        let mut answers: Vec<IoctlTicket> = Vec::new();
        let mut millis = 0;
        while answered < 10 {
            assert!(
                millis < 60_000,
                "seed {seed}: {answered} answers in a minute"
            );
            let now = Instant::from_millis(millis);
            let mut to_send = Vec::new();
            let mut cx = Cx::new(now, &mut app_rng);
            app.handle_timeout(&mut cx)
                .unwrap_or_else(|e| panic!("seed {seed}: {e}"));
            to_send.extend(
                take(&mut app, &mut cx)
                    .unwrap()
                    .into_iter()
                    .map(|m| (true, m)),
            );
            if app.is_logged_in() {
                let (ticket, due) = request.get_or_insert_with(|| (app.ioctl_ticket(), millis));
                if *due <= millis {
                    *due = millis + 1000;
                    let mut memory = [0; 100];
                    let mut tx = TxBuf::new(&mut memory);
                    app.write_ioctl(*ticket, &[answered], &mut tx).unwrap();
                    to_send.push((true, tx.finish().to_vec()));
                }
            }
            let mut cx = Cx::new(now, &mut camera_rng);
            camera.handle_timeout(&mut cx).unwrap();
            to_send.extend(
                take(&mut camera, &mut cx)
                    .unwrap()
                    .into_iter()
                    .map(|m| (false, m)),
            );
            for (to_camera, bytes) in to_send {
                for _ in 0..1 + u64::from(dice.percent(5)) {
                    if !dice.percent(10) {
                        let delay = 1 + if dice.percent(10) { dice.below(40) } else { 0 };
                        network.push((millis + delay, to_camera, bytes.clone()));
                    }
                }
            }
            millis += 1;
            let now = Instant::from_millis(millis);
            let (due, later): (Vec<_>, Vec<_>) =
                network.into_iter().partition(|(at, ..)| *at <= millis);
            network = later;
            for (_, to_camera, mut bytes) in due {
                if !to_camera {
                    let mut cx = Cx::new(now, &mut app_rng);
                    if let Some(Event::Ioctl(ioctl)) = give(&mut app, &mut cx, &mut bytes).unwrap()
                        && ioctl.payload == [answered + 100]
                    {
                        answered += 1;
                        request = None;
                    }
                    continue;
                }
                let mut cx = Cx::new(now, &mut camera_rng);
                if let Some(Event::Ioctl(ioctl)) = give(&mut camera, &mut cx, &mut bytes).unwrap() {
                    let number = ioctl.payload[0];
                    assert_eq!(ioctl.repeat, number < seen, "seed {seed}");
                    if !ioctl.repeat {
                        seen += 1;
                        answers.push(camera.ioctl_ticket());
                    }
                    let mut memory = [0; 100];
                    let mut tx = TxBuf::new(&mut memory);
                    camera
                        .write_ioctl(answers[usize::from(number)], &[number + 100], &mut tx)
                        .unwrap();
                    if !dice.percent(10) {
                        network.push((millis + 1, false, tx.finish().to_vec()));
                    }
                }
            }
        }
    }
}

#[test]
fn a_side_fits_a_microcontroller() {
    assert!(
        size_of::<Initiator<'_>>() <= 520,
        "{}",
        size_of::<Initiator<'_>>()
    );
    assert!(
        size_of::<Responder<'_>>() <= 520,
        "{}",
        size_of::<Responder<'_>>()
    );
    assert!(
        size_of::<ChunkStream>() <= 64,
        "{}",
        size_of::<ChunkStream>()
    );
    assert!(size_of::<Packetizer>() <= 32, "{}", size_of::<Packetizer>());
}

#[test]
fn credentials_never_show() {
    let mut rng = rng();
    let mut cx = Cx::new(Instant::ZERO, &mut rng);
    let app = Initiator::new(&CONFIG, &mut [], &mut cx);
    let config = ResponderConfig {
        password: Some(b"sim-enr-16byte!!"),
        ..Default::default()
    };
    let camera = Responder::new(&config, &mut [], &mut cx);
    let shown = format!("{app:?} {camera:?} {CONFIG:?} {config:?}");
    let as_numbers = format!("{:?}", &b"sim-enr"[..]);
    assert!(!shown.contains("sim-enr") && !shown.contains(as_numbers.trim_matches(['[', ']'])));
}

/// Messages of every kind, to be mutated.
fn samples() -> Vec<Vec<u8>> {
    let vectors = vectors();
    let mut all: Vec<_> = vectors["derived_av"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| *name != "note")
        .map(|(_, value)| bytes_of(value))
        .collect();
    for case in vectors["derived_frames"].as_array().unwrap() {
        all.extend(case["packets"].as_array().unwrap().iter().map(bytes_of));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_bytes_are_read_without_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..1200), kind in 0u8..14) {
        if let Some(first) = bytes.first_mut() {
            *first = kind;
        }
        let _ = Message::parse(&bytes);
        let _ = FrameInfo::parse(&bytes);
        let _ = Adts::parse(&bytes);
    }

    #[test]
    fn mutated_messages_do_no_harm(
        mutations in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0u8..8), 1..60),
    ) {
        let samples = samples();
        let mut rng = rng();
        let mut cx = Cx::new(Instant::ZERO, &mut rng);
        let mut memories = ([0; 2048], [0; 2048]);
        let (mut app, mut camera) = connected(&mut cx, [&mut memories.0, &mut memories.1]);
        let mut memory = [0; 40 * 1026];
        let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
        let mut chunks = ChunkStream::new(Stream::Video, true);
        for (which, at, value, cut) in mutations {
            let mut bytes = which.get(&samples).clone();
            let len = bytes.len();
            bytes[at.index(len.min(48))] = value;
            if cut == 0 {
                bytes.truncate(at.index(len));
            }
            let mut copy = bytes.clone();
            give(&mut camera, &mut cx, &mut copy).unwrap();
            if let Some(Event::Media(packet)) = give(&mut app, &mut cx, &mut bytes).unwrap() {
                prop_assert!(packet.index < packet.total && packet.payload.len() <= 1024);
                prop_assert_eq!(packet.last, packet.info.is_some());
                chunks.push(&packet);
                video.push(cx.now, &packet);
                while video.poll(cx.now).is_some() {}
                video.check_invariants().unwrap();
            }
            take(&mut app, &mut cx).unwrap();
            take(&mut camera, &mut cx).unwrap();
            app.assembled();
            camera.assembled();
            cx.now += Duration::from_millis(20);
            app.handle_timeout(&mut cx).unwrap();
        }
    }
}
