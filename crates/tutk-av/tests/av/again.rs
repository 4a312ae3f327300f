//! What is true before the login, after it, and after both sides begin again.

use std::time::Duration;

use tutk_av::*;
use tutk_core::{Cx, Instant, Layer, TxBuf};

use crate::common::*;
use crate::plain::{connected, give, rng, sent_by, take};

const LOGIN: LoginConfig<'static> = LoginConfig {
    user: b"admin",
    password: b"sim-enr-16byte!!",
    resend: true,
};

#[test]
fn an_answer_is_ours_only_once_we_have_asked() {
    for generation in [Generation::Session25, Generation::Session16] {
        // Both have the same serial.
        let (mut one, mut other) = (rng(), rng());
        let (mut one, mut other) = (
            Cx::new(Instant::ZERO, &mut one),
            Cx::new(Instant::ZERO, &mut other),
        );
        let (_, _, wire) = connected(generation, &mut one);
        let reply = wire.iter().find(|m| (32..100).contains(&m.len())).unwrap();
        let mut app = Initiator::new(&LOGIN, &mut [], &mut other);
        app.set_generation(generation);
        assert_eq!(app.generation(), generation);
        assert!(!app.is_answer(reply), "nothing was asked yet");
        take(&mut app, &mut other);
        assert!(app.is_answer(reply));
    }
}

#[test]
fn before_the_login_only_a_login_is_heard_in_session16_too() {
    let mut rng = rng();
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let (mut app, mut camera, _) = connected(Generation::Session16, cx);
    let frame = sent_by(
        &mut camera,
        &mut Packetizer::new(),
        &video_frame(true, &[7]),
    );
    let mut memory = [0; 200];
    let mut tx = TxBuf::new(&mut memory);
    let ticket = app.ioctl_ticket();
    app.write_ioctl(ticket, b"HL", &mut tx).unwrap();
    let ioctl = tx.finish().to_vec();

    let mut early = Initiator::new(&LOGIN, &mut [], cx);
    early.set_generation(Generation::Session16);
    assert_eq!(give(&mut early, cx, &mut frame[0].clone()), None);
    assert_eq!(early.stats().rx_unexpected, 1);
    let mut early = Responder::new(&ResponderConfig::default(), &mut [], cx);
    early.set_generation(Generation::Session16);
    assert_eq!(give(&mut early, cx, &mut ioctl.clone()), None);
    assert_eq!(early.stats().rx_unexpected, 1);
    assert_eq!(take(&mut early, cx), Vec::<Vec<u8>>::new(), "nor answered");
}

#[test]
fn restart_forgets_the_peer_and_logs_in_anew() {
    let mut rng = rng();
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    for generation in [Generation::Session25, Generation::Session16] {
        let (mut app, _, wire) = connected(generation, cx);
        let resend = generation == Generation::Session16;
        app.restart(&LoginConfig { resend, ..LOGIN }, cx);
        assert!(!app.is_logged_in());
        assert_eq!(app.generation(), Generation::Dtls);
        assert_eq!(app.poll_timeout(), None);
        let login = take(&mut app, cx).remove(0);
        let (Ok(Message::Login(new)), Ok(Message::Login(old))) =
            (Message::parse(&login), Message::parse(&wire[0]))
        else {
            panic!()
        };
        assert_eq!((new.password, new.resend), (LOGIN.password, resend));
        assert_ne!(new.serial, old.serial);
    }
}

#[test]
fn a_message_of_several_parts_is_read_where_it_was_announced() {
    let mut rng = rng();
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let mut memory = [0; 2048];
    let mut app = Initiator::new(&LOGIN, &mut [], cx);
    let mut camera = Responder::new(&ResponderConfig::default(), &mut memory, cx);
    for _ in 0..2 {
        for mut bytes in take(&mut app, cx) {
            give(&mut camera, cx, &mut bytes);
        }
        cx.now += Duration::from_millis(10);
        app.handle_timeout(cx).unwrap();
    }
    take(&mut camera, cx);
    assert_eq!(camera.assembled(), None);
    let payload = [7; 1500];
    let ticket = app.ioctl_ticket();
    for (index, complete) in [(0, false), (1, true)] {
        let mut memory = [0; 1500];
        let mut tx = TxBuf::new(&mut memory);
        app.write_ioctl(ticket.fragment(index), &payload, &mut tx)
            .unwrap();
        let event = give(&mut camera, cx, tx.payload_mut());
        assert_eq!(event, complete.then_some(Event::IoctlAssembled));
        let whole = camera.assembled().map(|ioctl| ioctl.payload.len());
        assert_eq!(whole, complete.then_some(1500));
    }
}

#[test]
fn session16_numbers_go_on_past_65536_wherever_they_begin() {
    let mut rng = rng();
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let (mut app, mut camera, _) = connected(Generation::Session16, cx);
    let mut packetizer = Packetizer::new();
    let frames: Vec<_> = (0..70_000)
        .map(|_| sent_by(&mut camera, &mut packetizer, &video_frame(true, &[1])).remove(0))
        .collect();
    let mut number = |i: usize| {
        let mut bytes = frames[i].clone();
        let Some(Event::Media(packet)) = give(&mut app, cx, &mut bytes) else {
            panic!()
        };
        packet.frame
    };
    for i in 40_000..70_000 {
        assert_eq!(number(i), i as u32 + 1);
        if i > 40_100 {
            assert_eq!(number(i - 100), i as u32 - 99, "a late one");
        }
    }
}
