//! What every layer relies on in the shared types, one promise a test.

use core::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tutk_core::wire::{Malformed, Reader, Writer};
use tutk_core::{Backoff, Cx, Datagram, Full, Instant, Secret, Timers, TxBuf};

fn address() -> SocketAddr {
    "192.0.2.7:32761".parse().unwrap()
}

#[test]
fn each_integer_is_written_and_read_in_its_byte_order() {
    let mut memory = [0; 18];
    let mut w = Writer::new(&mut memory);
    assert!(w.is_empty());
    w.u8(1);
    w.u16_be(0x0203);
    w.u16_le(0x0405);
    w.u24_be(0xff06_0708);
    w.u32_be(0x090a_0b0c);
    w.u32_le(0x0d0e_0f10);
    w.u16_le(0xfffe);
    assert!(!w.is_empty());
    assert_eq!(w.len(), 18);
    let bytes = w.finish().unwrap();
    let expected = [
        1, 2, 3, 5, 4, 6, 7, 8, 9, 10, 11, 12, 16, 15, 14, 13, 0xfe, 0xff,
    ];
    assert_eq!(bytes, expected);
    let mut r = Reader::new(bytes);
    assert_eq!(
        (r.u8(), r.u16_be(), r.u16_le()),
        (Ok(1), Ok(0x0203), Ok(0x0405))
    );
    assert_eq!(r.u24_be(), Ok(0x06_0708));
    assert_eq!(r.rest(), &expected[8..]);
    assert_eq!((r.u32_be(), r.u32_le()), (Ok(0x090a_0b0c), Ok(0x0d0e_0f10)));
    assert!(!r.is_empty());
    assert_eq!(r.expect_empty(), Err(Malformed::BadLength));
    assert_eq!(r.i16_le(), Ok(-2));
    assert!(r.is_empty());
}

#[test]
fn a_vector_longer_than_the_rest_is_refused() {
    for bytes in [&[][..], &[1], &[3, 1, 2]] {
        assert_eq!(Reader::new(bytes).vec8().unwrap_err(), Malformed::Truncated);
    }
    for bytes in [&[][..], &[0], &[0, 1], &[1, 0, 1]] {
        assert_eq!(
            Reader::new(bytes).vec16().unwrap_err(),
            Malformed::Truncated
        );
    }
    let mut r = Reader::new(&[0, 2, 7, 8, 9]);
    assert_eq!(r.vec16().unwrap().rest(), [7, 8]);
    assert_eq!(r.take(2), Err(Malformed::Truncated));
    assert_eq!(r.take(1), Ok(&[9][..]));
}

#[test]
fn a_length_is_of_the_body_alone() {
    let mut memory = [0xee; 300];
    let mut w = Writer::new(&mut memory);
    w.vec8(|w| w.zeros(255));
    w.vec16(|w| w.bytes(b"ab"));
    let bytes = w.finish().unwrap();
    assert_eq!((bytes.len(), bytes[0]), (260, 255));
    assert_eq!(bytes[256..], *b"\0\x02ab");
    // As long as it may be, and the four bytes right before the body.
    let mut w = Writer::new(&mut memory);
    w.zeros(4);
    w.counted32_le(0, 3, |w| w.bytes(b"abc"));
    assert_eq!(w.finish().unwrap(), b"\x03\0\0\0abc");
}

#[test]
fn a_length_of_two_bytes_has_its_high_byte_first() {
    let mut memory = [0; 300];
    let mut w = Writer::new(&mut memory);
    w.vec16(|w| w.zeros(0x0102));
    assert_eq!(w.finish().unwrap()[..2], [1, 2]);
}

#[test]
fn nothing_is_written_behind_what_did_not_fit() {
    let mut memory = [0xee; 4];
    let mut w = Writer::new(&mut memory);
    w.vec8(|w| {
        w.bytes(b"ab");
        w.bytes(b"cd"); // one byte too many
        w.bytes(b"e"); // would fit
    });
    assert_eq!(w.len(), 3);
    assert_eq!(w.finish(), Err(Full));
    assert_eq!(memory, *b"\0ab\xee", "nor a length");
}

#[test]
fn a_vector_without_room_for_its_length_is_refused() {
    let mut memory = [0; 70_000];
    let mut w = Writer::new(&mut memory);
    w.vec16(|w| w.zeros(65_536));
    assert_eq!(w.finish(), Err(Full));
    let mut w = Writer::new(&mut memory[..1]);
    w.vec16(|_| {});
    assert_eq!(w.finish(), Err(Full));
    let mut w = Writer::new(&mut []);
    w.vec8(|_| {});
    assert_eq!(w.finish(), Err(Full));
}

#[test]
fn each_reason_reads_differently() {
    let all = [
        Malformed::Truncated,
        Malformed::BadMagic,
        Malformed::BadLength,
        Malformed::BadValue,
    ];
    let mut texts: Vec<String> = all.iter().map(ToString::to_string).collect();
    texts.push(Full.to_string());
    assert!(texts.iter().all(|text| text.len() >= 9), "{texts:?}");
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 5);
}

#[test]
fn a_transmit_buffer_counts_what_is_written_and_what_fits() {
    let mut memory = [0; 12];
    let mut tx = TxBuf::new(&mut memory);
    tx.reserve(3, 2).unwrap();
    assert_eq!((tx.len(), tx.room(), tx.is_empty()), (0, 7, true));
    tx.grow(4).unwrap().copy_from_slice(b"abcd");
    assert_eq!(tx.grow(4), Err(Full));
    assert_eq!((tx.len(), tx.room(), tx.is_empty()), (4, 3, false));
    tx.truncate(9);
    assert_eq!(tx.payload(), b"abcd");
    assert!(tx.grow(3).is_ok(), "all that fits");
    assert_eq!((tx.room(), tx.grow(1)), (0, Err(Full)));
    tx.truncate(3);
    tx.payload_mut()[0] = b'x';
    assert_eq!(tx.payload(), b"xbc");
    assert_eq!(tx.destination(), None);
    tx.set_destination(address());
    assert_eq!(tx.destination(), Some(address()));
    let shown = format!("{tx:?}");
    assert!(
        shown.contains("len: 3") && shown.contains("room: 4"),
        "{shown}"
    );
    assert!(!shown.contains("xbc") && !shown.contains("120"), "{shown}");
    tx.clear();
    assert_eq!((tx.len(), tx.room(), tx.destination()), (0, 12, None));
}

#[test]
fn layers_reserve_one_after_another() {
    let mut memory = [0; 10];
    let mut tx = TxBuf::new(&mut memory);
    tx.reserve(2, 1).unwrap();
    tx.reserve(3, 1).unwrap();
    assert_eq!(tx.room(), 3);
    assert_eq!(tx.reserve(3, 1), Err(Full));
    tx.reserve(3, 0).unwrap();
    assert_eq!((tx.room(), tx.append(b"x")), (0, Err(Full)));
    tx.push_header(b"12345678").unwrap();
    tx.push_trailer(b"9").unwrap();
    tx.push_trailer(b"0").unwrap();
    assert_eq!(tx.finish(), b"1234567890");
}

#[test]
fn a_datagram_is_taken_off_its_front() {
    let mut bytes = *b"headbody";
    let mut inside = *b"in";
    let mut input = Datagram::new(address(), &mut bytes);
    assert_eq!((input.from(), input.channel()), (address(), None));
    input.set_channel(1);
    assert_eq!(input.channel(), Some(1));
    assert_eq!((input.len(), input.is_empty()), (8, false));
    assert_eq!(input.take(9), None);
    assert_eq!(input.peek(), b"headbody");
    assert_eq!(input.take(4).unwrap(), b"head");
    let shown = format!("{input:?}");
    assert!(
        shown.contains("192.0.2.7") && shown.contains("len: 4"),
        "{shown}"
    );
    assert!(!shown.contains("body") && !shown.contains("98"), "{shown}");
    assert_eq!(input.take_all(), b"body");
    assert!(input.is_empty());
    input.replace(&mut inside);
    assert_eq!(input.take_all(), b"in");
}

#[test]
fn the_earliest_timer_goes_first_and_each_goes_once() {
    let mut timers = Timers::<3>::default();
    timers.set(0, Instant::from_millis(9));
    timers.set(2, Instant::from_millis(5));
    assert_eq!(timers.get(0), Some(Instant::from_millis(9)));
    assert_eq!(timers.get(1), None);
    assert_eq!(timers.next(), Some(Instant::from_millis(5)));
    assert!(!timers.expired(2, Instant::from_micros(4999)));
    assert!(timers.expired(2, Instant::from_millis(5)));
    assert!(!timers.expired(2, Instant::from_millis(5)), "was stopped");
    timers.set(1, Instant::from_millis(7));
    timers.stop(1);
    assert_eq!(timers.next(), Some(Instant::from_millis(9)));
    timers.stop_all();
    assert_eq!(timers.next(), None);
}

#[test]
fn repetition_is_spread_over_an_eighth_and_no_more() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let first = Duration::from_micros(160);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..1000 {
        let interval = Backoff::new(first, first * 4).advance(&mut rng);
        assert!(first <= interval && interval < Duration::from_micros(180));
        seen.insert(interval);
    }
    assert_eq!(seen.len(), 20, "each microsecond of it");
    // Nothing to spread, and nothing to divide by.
    let tiny = Duration::from_micros(7);
    assert_eq!(Backoff::new(tiny, tiny).advance(&mut rng), tiny);
}

#[test]
fn moments_and_durations_agree() {
    let mut at = Instant::from_millis(1500);
    assert_eq!((at.as_micros(), at.as_millis()), (1_500_000, 1500));
    assert_eq!(Instant::from_micros(1999).as_millis(), 1);
    at += Duration::from_micros(2_000_250);
    assert_eq!(at, Instant::from_micros(3_500_250));
    assert_eq!(
        at.since(Instant::from_millis(3500)),
        Duration::from_micros(250)
    );
    assert_eq!(at - Instant::from_millis(4000), Duration::ZERO);
    assert!(Instant::ZERO < at);
}

#[test]
fn a_secret_is_reached_by_one_word_alone_and_wiped() {
    use zeroize::Zeroize;
    let mut secret = Secret::new([1u8, 2]);
    secret.expose_mut()[0] = 3;
    assert_eq!(secret.expose(), &[3, 2]);
    assert_eq!(secret.clone().expose(), &[3, 2]);
    secret.zeroize();
    assert_eq!(secret.expose(), &[0, 0]);

    /// Counts how often it is wiped.
    struct Probe<'a>(&'a core::cell::Cell<u32>);
    impl Zeroize for Probe<'_> {
        fn zeroize(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let wiped = core::cell::Cell::new(0);
    drop(Secret::new(Probe(&wiped)));
    assert_eq!(wiped.get(), 1);
}

#[test]
fn a_context_shows_the_moment_alone() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let cx = Cx::new(Instant::from_micros(77), &mut rng);
    let shown = format!("{cx:?}");
    assert!(shown.contains("77") && !shown.contains("ChaCha"), "{shown}");
}
