//! 0x0418 from a camera without DTLS: perhaps a goodbye, perhaps not.

use std::time::Duration;

use tutk_iotc::wire::{Control, Direction};
use tutk_iotc::{Error, Framings, GOODBYE_DOUBT};

use crate::common::{Net, Side};
use crate::hostile::{overheard, scrambled};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_goodbye_without_dtls_is_believed_when_nothing_follows() {
    let mut net = Net::open(9, Framings::TRANSCODE);
    net.client.set_encrypted(false);
    let start = net.now;
    net.device.close();
    net.run(GOODBYE_DOUBT - Duration::from_millis(10));
    assert!(net.client.is_open() && net.failed.is_empty());
    net.run(SECOND);
    assert_eq!(net.seen_by(Side::Client), []);
    let [(at, Side::Client, Error::PeerClosed)] = net.failed[..] else {
        panic!("{:?}", net.failed)
    };
    let late = at - start - GOODBYE_DOUBT;
    assert!(late < Duration::from_millis(10), "{late:?}");
}

#[test]
fn a_goodbye_without_dtls_is_none_when_the_camera_goes_on() {
    let mut net = Net::open(9, Framings::TRANSCODE);
    net.client.set_encrypted(false);
    let (sid, _) = overheard(&mut net, Framings::TRANSCODE);
    let packet = scrambled(&Control::close(Direction::ToClient, sid));
    // Media, and then nothing but alives.
    for media in [true, false] {
        for _ in 0..20 {
            net.deliver(Side::Client, net.device_at, &packet);
            if media {
                net.payload(Side::Device, 0, b"frame");
            }
            net.run(2 * SECOND);
        }
        assert!(net.client.is_open() && net.failed.is_empty());
    }
    // It is no sign of life either.
    net.loss = 100;
    net.run(SECOND);
    for _ in 0..20 {
        net.deliver(Side::Client, net.device_at, &packet);
        net.run(SECOND);
    }
    let gone = (Side::Client, Error::PeerClosed);
    assert!(net.failed.iter().any(|(_, side, e)| (*side, *e) == gone));
}
