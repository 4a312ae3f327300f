//! What a record that fails tells the one who sent it: nothing.

use std::time::Duration;

use wyze_session::{Framings, Suites};

use crate::scene::{Setup, with_scene};

/// What the client does in a second in which one record of a frame had the byte at `from_end` changed: all that it sends,
/// when it next wakes up, and its counters.
fn after_damage(suites: Suites, from_end: usize) -> (Vec<Vec<u8>>, String) {
    let mut seen = (Vec::new(), String::new());
    let setup = Setup {
        suites,
        framings: Framings::TRANSCODE,
        ..Setup::default()
    };
    with_scene([setup], |scene, _| {
        scene.connect();
        scene.run(Duration::from_millis(300));
        let mut left = 1;
        scene.client.edit = Some(Box::new(move |bytes| {
            // A media packet: its last 64 bytes are ciphertext that TransCode leaves alone.
            if bytes.len() > 600 && left > 0 {
                left -= 1;
                let at = bytes.len() - from_end;
                bytes[at] ^= 0x40;
            }
            true
        }));
        let before = scene.client.sent.len();
        scene.run(Duration::from_secs(1));
        let client = &scene.client.node.client;
        let sent = &scene.client.sent[before..];
        let stats = client.stats();
        assert_eq!(stats.dtls.rx_bad_record, 1);
        seen = (
            sent.iter().map(|(_, bytes)| bytes.clone()).collect(),
            format!("{:?} {:?}", client.poll_timeout(), stats.dtls),
        );
    });
    seen
}

#[test]
fn bad_padding_and_a_bad_mac_are_answered_by_the_same_silence() {
    // CBC: a change in the last block garbles the padding, one in the block before changes single bits of the padding, one
    // further up leaves the padding right and the MAC wrong. Each byte of the last 64.
    let first = after_damage(Suites::CBC, 1);
    assert!(!first.0.is_empty(), "acknowledgements go on");
    for from_end in 2..=64 {
        assert!(after_damage(Suites::CBC, from_end) == first, "{from_end}");
    }
}

#[test]
fn a_bad_tag_is_answered_by_the_same_silence_wherever_it_is_bad() {
    let first = after_damage(Suites::CHACHA, 1);
    for from_end in [2, 8, 16, 17, 40] {
        assert!(
            after_damage(Suites::CHACHA, from_end) == first,
            "{from_end}"
        );
    }
}
