//! What `Debug` shows of a session goes into logs: sizes, and none of the bytes.

use wyze_session::kauth::{Code, hl};
use wyze_session::{Cx, Framing, Framings, Memory, Reconnect, RepairMemory, StallConfig, Storage};

use crate::common::{Show, with_pair};

/// As no length, code or time reads.
const SECRET: &[u8] = b"nobody may read this";

/// A text in which bytes would be seen, as letters or as numbers.
fn holds(text: &str, bytes: &[u8]) -> bool {
    let numbers = format!("{bytes:?}");
    let letters = String::from_utf8_lossy(bytes);
    text.contains(numbers.trim_matches(['[', ']'])) || text.contains(&*letters)
}

#[test]
fn memory_shows_how_much_there_is_of_it_and_nothing_that_is_in_it() {
    let mut memory = Memory::<32, 16>::default();
    assert_eq!(format!("{memory:?}"), "Memory<32, 16, 512, 0>");
    let (mut repair, mut resend) = (RepairMemory::new(), [7; 24]);
    let storage = Storage {
        repair: Some(&mut repair),
        resend: &mut resend,
        ..memory.split()
    };
    storage.video[..SECRET.len()].copy_from_slice(SECRET);
    let shown = format!("{storage:?}");
    assert_eq!(
        shown,
        "Storage { video: 32, audio: 16, handshake: 512, control: 0, repair: true, resend: 24, talk_handshake: 0, parity: 0 }"
    );
}

#[test]
fn requests_and_replies_under_way_show_their_code_and_length_alone() {
    let show = Show::new(5, 5, 3000, 900);
    with_pair(11, Framings::TRANSCODE, show, |world, client, camera| {
        assert_eq!(camera.camera.framing(), None, "nobody has come");
        while !client.authenticated {
            assert!(world.step(&mut [client, camera]));
        }
        assert_eq!(camera.camera.framing(), Some(Framing::TransCode));
        assert_eq!(client.client.protocol(), 36, "the camera's, not the app's");

        let cx = &mut Cx::new(world.now, &mut world.rng);
        let asked = client.client.request_with(cx, true, |w| {
            hl::write(w, hl::CLIENT_VERSION, Code(11_000), |w| w.bytes(SECRET));
            Code(11_000)
        });
        asked.unwrap();
        assert!(camera.camera.reply(Code(11_001), SECRET));
        for (shown, of) in [
            (format!("{:?}", client.client), "Pending"),
            (format!("{:?}", camera.camera), "Reply"),
        ] {
            let len = hl::HEADER_LEN + SECRET.len();
            assert!(shown.contains(of) && shown.contains(&format!("len: {len}")));
            for secret in [SECRET, b"sim-enr-16byte!!", b"00AA11BB22CC"] {
                assert!(!holds(&shown, secret), "{shown}");
            }
        }
    });
}

#[test]
fn what_is_not_chosen_is_what_is_documented() {
    assert_eq!(StallConfig::default(), StallConfig::DEFAULT);
    assert_eq!(
        format!("{:?}", Reconnect::default()),
        format!("{:?}", Reconnect::new())
    );
}
