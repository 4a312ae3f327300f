//! What of the ESP32-C3's firmware runs on any machine: G.711 and the buttons.

#[expect(unreachable_pub, reason = "it is public in the firmware")]
#[path = "../firmware/esp32c3/src/button.rs"]
mod button;
#[expect(unreachable_pub, reason = "it is public in the firmware")]
#[path = "../firmware/esp32c3/src/g711.rs"]
mod g711;

use button::{Button, Edge};
use g711::{from_alaw, from_ulaw, to_alaw, to_ulaw};

/// The table of ITU-T G.711 at the ends of its segments, as samples of 16 bits.
#[test]
fn g711_is_the_standard_one() {
    for (byte, sample) in [
        (0xff, 0),
        (0x80, 32124),
        (0x00, -32124),
        (0xf0, 120),
        (0xef, 132),
    ] {
        assert_eq!(from_ulaw(byte), sample, "µ-law {byte:#x}");
    }
    for (byte, sample) in [
        (0xd5, 8),
        (0x55, -8),
        (0xaa, 32256),
        (0x2a, -32256),
        (0xc5, 264),
    ] {
        assert_eq!(from_alaw(byte), sample, "A-law {byte:#x}");
    }
}

#[test]
fn every_byte_comes_back() {
    for byte in 0..=u8::MAX {
        assert_eq!(to_alaw(from_alaw(byte)), byte);
        // There are two zeros.
        let expected = if byte == 0x7f { 0xff } else { byte };
        assert_eq!(to_ulaw(from_ulaw(byte)), expected);
    }
}

#[test]
fn no_sample_is_far_from_what_it_becomes() {
    for sample in i16::MIN..=i16::MAX {
        // Half a step: a sixteenth of the octave's beginning, and less than that below the first one. What is too loud is cut off.
        let near = 16 + i32::from(sample).abs() / 32;
        for heard in [from_ulaw(to_ulaw(sample)), from_alaw(to_alaw(sample))] {
            let error = i32::from(heard) - i32::from(sample);
            assert!(error.abs() <= near, "{sample} became {heard}");
        }
    }
}

#[test]
fn a_bouncing_button_is_pressed_once() {
    let mut button = Button::default();
    assert_eq!(button.poll(0, false), None);
    assert_eq!(button.poll(10, true), Some(Edge::Down));
    for at in 11..40 {
        assert_eq!(button.poll(at, at % 2 == 0), None);
    }
    assert!(button.is_down());
    assert_eq!(button.poll(40, true), None);
    assert_eq!(button.poll(200, false), Some(Edge::Up));
    assert!(!button.is_down());
}
