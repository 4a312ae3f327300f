//! What [`LinkStats`] counts, one statement at a time.

use tutk_av::*;

use crate::common::*;
use crate::lossless::{ack, take, with_pair, with_parity};

#[test]
fn media_and_copies_of_media_are_counted_where_they_come_and_where_they_go() {
    with_pair(true, |pair| {
        let mut packets = pair.frame(10);
        packets.remove(6);
        packets.remove(3);
        pair.give_app(&packets);
        let stats = pair.app.stats();
        assert_eq!((stats.rx_media, stats.rx_resent), (8, 0));
        pair.give_camera(&[ack([3, 6].into_iter())]);
        assert_eq!(pair.camera.stats().rx_requests, 2);
        let copies = take(&mut pair.camera, &mut pair.cx);
        pair.give_app(&copies);
        let stats = pair.app.stats();
        assert_eq!((stats.rx_media, stats.rx_resent), (10, 2));
        assert_eq!(pair.camera.stats().tx_resent, 2);
        // Each entry counts, also one that is asked for twice.
        pair.give_camera(&[ack([3, 3].into_iter()), ack([].into_iter())]);
        assert_eq!(pair.camera.stats().rx_requests, 4);
    });
}

#[test]
fn requests_before_the_statistics_exchange_are_not_counted() {
    with_pair(false, |pair| {
        pair.frame(10);
        pair.give_camera(&[ack([3, 6].into_iter())]);
        assert_eq!(pair.camera.stats().rx_requests, 0);
    });
}

#[test]
fn parity_packets_sent_are_counted() {
    with_parity(true, true, |pair| {
        // Counted over the frames, one behind every twenty packets.
        for (packets, written, sent) in [(20, 21, 1), (1, 1, 1), (19, 20, 2), (40, 42, 4)] {
            assert_eq!(pair.frame(packets).len(), written);
            assert_eq!(pair.camera.stats().tx_parity, sent);
        }
    });
}

#[test]
fn a_statistics_request_goes_out_five_times_a_second_and_is_counted() {
    with_pair(true, |pair| {
        assert_eq!(pair.app.stats().tx_stats_request, 1, "after the login");
        for sent in 2..12 {
            pair.advance(199);
            take(&mut pair.app, &mut pair.cx);
            assert_eq!(pair.app.stats().tx_stats_request, sent - 1);
            pair.advance(1);
            take(&mut pair.app, &mut pair.cx);
            assert_eq!(pair.app.stats().tx_stats_request, sent);
        }
        assert_eq!(pair.camera.stats().tx_stats_request, 1);
    });
}

#[test]
fn the_round_trip_is_that_of_the_exchange() {
    with_pair(true, |pair| {
        pair.advance(200);
        let requests = take(&mut pair.app, &mut pair.cx);
        pair.advance(40);
        pair.give_camera(&requests);
        let replies = take(&mut pair.camera, &mut pair.cx);
        pair.advance(40);
        pair.give_app(&replies);
        // An eighth of the 80 ms, as the first exchange took none.
        assert_eq!(pair.app.rtt_ms(), Some(10));
    });
}

#[test]
fn every_part_of_an_ioctl_is_counted() {
    with_pair(true, |pair| {
        let payload = [7; 3000];
        let ticket = pair.app.ioctl_ticket();
        for index in [0, 1, 1] {
            let mut memory = [0; 1500];
            let mut tx = tutk_core::TxBuf::new(&mut memory);
            pair.app
                .write_ioctl(ticket.fragment(index), &payload, &mut tx)
                .unwrap();
            let bytes = tx.finish().to_vec();
            pair.give_camera(&[bytes]);
        }
        let ticket = pair.app.ioctl_ticket();
        let mut memory = [0; 100];
        let mut tx = tutk_core::TxBuf::new(&mut memory);
        pair.app.write_ioctl(ticket, b"HL", &mut tx).unwrap();
        let bytes = tx.finish().to_vec();
        pair.give_camera(&[bytes]);
        assert_eq!(pair.camera.stats().rx_ioctl, 4);
    });
}

#[test]
fn media_without_lossless_mode_is_counted_too() {
    let mut packets = packets_of(&mut Packetizer::new(), &video_frame(true, &[7; 3000]));
    with_pair(true, |pair| {
        for packet in &mut packets {
            packet[8] = 6; // a key frame, sent again
        }
        pair.give_app(&packets);
        let stats = pair.app.stats();
        assert_eq!((stats.rx_media, stats.rx_resent), (3, 3));
    });
}

#[test]
fn packets_asked_for_and_copies_of_what_is_there_are_counted() {
    with_pair(true, |pair| {
        let mut packets = pair.frame(10);
        packets.remove(6);
        packets.remove(3);
        pair.give_app(&packets);
        pair.advance(20);
        assert_eq!(pair.requests(), [(2, vec![3, 6])]);
        assert_eq!(pair.app.stats().tx_requests, 2);
        let copies = take(&mut pair.camera, &mut pair.cx);
        pair.advance(100);
        // Its first copies are slow: both are asked for again.
        assert_eq!(pair.requests(), [(2, vec![3, 6])]);
        assert_eq!(pair.app.stats().tx_requests, 4);
        pair.give_app(&copies);
        assert_eq!(pair.app.stats().rx_resent_in_vain, 0);
        let copies = take(&mut pair.camera, &mut pair.cx);
        pair.give_app(&copies);
        let stats = pair.app.stats();
        assert_eq!((stats.rx_repaired, stats.rx_resent_in_vain), (2, 2));
    });
}
