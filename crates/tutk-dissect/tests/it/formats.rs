//! Kinds of captures and links.

use tutk_dissect::{CaptureError, Frame, NoUdp, read_capture};

use crate::common::{app, camera, datagrams, pcap_of};

/// One frame of Ethernet with the payload "payload".
fn ethernet() -> Vec<u8> {
    let mut all = datagrams("iotc");
    all.truncate(1);
    all[0].bytes = b"payload".to_vec();
    pcap_of(&all)[40..].to_vec()
}

fn payload(link: i32, bytes: &[u8]) -> Result<Vec<u8>, NoUdp> {
    let frame = Frame {
        number: 1,
        time: Default::default(),
        link,
        bytes,
        original: bytes.len(),
    };
    frame.udp().map(|udp| {
        assert_eq!((udp.from, udp.to), (app(), camera()));
        assert_eq!(&bytes[udp.start..][..udp.payload.len()], udp.payload);
        udp.payload.to_vec()
    })
}

#[test]
fn every_kind_of_link_leads_to_the_same_payload() {
    let ethernet = ethernet();
    let ip = &ethernet[14..];
    let with = |head: &[u8]| [head, ip].concat();
    let vlan = [&ethernet[..12], &[0x81, 0, 0, 5, 8, 0], ip].concat();
    let mut sll = [0; 16];
    sll[14] = 8;
    let mut sll2 = [0; 20];
    sll2[0] = 8;
    for (name, link, bytes) in [
        ("Ethernet", 1, ethernet.clone()),
        ("VLAN", 1, vlan),
        ("RAW", 101, ip.to_vec()),
        ("RAW of BSD", 12, ip.to_vec()),
        ("NULL", 0, with(&[2, 0, 0, 0])),
        ("LOOP", 108, with(&[0, 0, 0, 2])),
        ("LINUX_SLL", 113, with(&sll)),
        ("LINUX_SLL2", 276, with(&sll2)),
    ] {
        assert_eq!(
            payload(link, &bytes).as_deref(),
            Ok(&b"payload"[..]),
            "{name}"
        );
        for n in 0..bytes.len() {
            let _ = payload(link, &bytes[..n]);
        }
    }
    assert_eq!(payload(147, &ethernet), Err(NoUdp::Link(147)));
}

#[test]
fn a_fragment_of_ip_is_called_one() {
    let mut bytes = ethernet();
    bytes[14 + 6] = 0x20;
    assert_eq!(payload(1, &bytes), Err(NoUdp::Fragment));
}

/// The capture as pcapng with nanoseconds.
fn ng(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut out = hex::decode("0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff1c000000").unwrap();
    out.extend(
        hex::decode("0100000020000000010000000000040009000100090000000000000020000000").unwrap(),
    );
    for (n, frame) in frames.iter().enumerate() {
        let padded = frame.len().next_multiple_of(4);
        let total = (32 + padded) as u32;
        let ticks = 1_500_000_000u64 * (n as u64 + 1);
        for word in [
            6,
            total,
            0,
            (ticks >> 32) as u32,
            ticks as u32,
            frame.len() as u32,
            frame.len() as u32,
        ] {
            out.extend(word.to_le_bytes());
        }
        out.extend(frame);
        out.resize(out.len() + padded - frame.len(), 0);
        out.extend(total.to_le_bytes());
    }
    out
}

#[test]
fn pcapng_is_read_with_its_own_resolution() {
    let frames = vec![ethernet(), ethernet()];
    let mut seen = Vec::new();
    read_capture(&ng(&frames)[..], |frame| {
        seen.push((
            frame.number,
            frame.time.as_millis(),
            frame.udp().unwrap().payload.to_vec(),
        ));
        true
    })
    .unwrap();
    assert_eq!(
        seen,
        [
            (1, 1500, b"payload".to_vec()),
            (2, 3000, b"payload".to_vec())
        ]
    );
}

#[test]
fn a_capture_cut_off_gives_what_is_whole_and_says_so() {
    for whole in [pcap_of(&datagrams("iotc")), ng(&[ethernet(), ethernet()])] {
        let count = |bytes: &[u8]| {
            let mut n = 0;
            let end = read_capture(bytes, |_| {
                n += 1;
                true
            });
            (n, end)
        };
        let (all, end) = count(&whole);
        assert!(end.is_ok());
        let (n, end) = count(&whole[..whole.len() - 1]);
        assert_eq!(n, all - 1);
        assert!(matches!(end, Err(CaptureError::CutOff)), "{end:?}");
        for n in (0..whole.len().min(3000)).step_by(5) {
            let _ = count(&whole[..n]);
        }
    }
    assert!(matches!(
        read_capture(&b"GIF89a and more of this"[..], |_| true),
        Err(CaptureError::NotACapture)
    ));
    assert!(read_capture(&b""[..], |_| true).is_err());
}
