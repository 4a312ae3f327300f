//! `wyze discover`, on loopback addresses.

use std::net::UdpSocket;

use serde_json::Value;

use crate::harness::*;

const SECOND: &str = "TESTTESTTESTTESTTES2";
const THIRD: &str = "TESTTESTTESTTESTTES3";

#[test]
fn cameras_of_both_framings_are_found_and_the_missing_one_is_named() {
    let older = Camera::start_as(UID, "127.0.0.1:0", &["--slots", "1"]);
    let newer = Camera::start_as(SECOND, "127.0.0.1:0", &["--framing", "cc51"]);
    let account = account(&[
        ["Front Door", "HL_CAM3P", "127.0.0.1", UID],
        ["Garden", "HL_CAM4", "127.0.0.1", SECOND],
        ["Attic", "HL_CAM4", "127.0.0.1", THIRD],
        ["Gate", "GW_GC1", "127.0.0.1", "TESTTESTTESTTESTTES4"],
    ]);
    let mut args = vec!["discover", "--timeout", "1.5"];
    args.extend(["--target", &older.address, "--target", &newer.address]);
    let output = wyze_at(account.path(), &args);
    assert_succeeds(&output);
    let table = stdout(&output);
    for (name, address, framing) in [
        ("Front Door", older.address.as_str(), "TransCode"),
        ("Garden", &newer.address, "CC51"),
        ("Attic", "no answer", ""),
    ] {
        let line = table.lines().find(|l| l.starts_with(name)).unwrap();
        assert!(line.contains(address) && line.contains(framing), "{line}");
    }
    assert_eq!(table.lines().count(), 3, "the Gate speaks no TUTK: {table}");
    for camera in [older, newer] {
        assert!(!camera.stop().contains("connects"), "a slot was taken");
    }
}

#[test]
fn a_uid_alone_finds_what_does_not_ask_for_more() {
    let older = Camera::start(&[]);
    let newer = Camera::start_as(SECOND, "127.0.0.1:0", &["--framing", "cc51"]);
    let mut args = vec!["discover", "--timeout", "1", "--json"];
    args.extend(["--uid", UID, "--uid", SECOND]);
    args.extend(["--target", &older.address, "--target", &newer.address]);
    let output = wyze(&args);
    assert_succeeds(&output);
    let found: Vec<Value> = stdout(&output)
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(found[0]["address"], older.address);
    assert_eq!(found[0]["framing"], "TransCode");
    assert_eq!(found[1]["found"], false);
    assert!(!stdout(&output).contains(UID), "UIDs stay private");
}

#[test]
fn a_uid_is_searched_without_an_account_that_is_damaged() {
    let camera = Camera::start(&[]);
    let config = account(&[]);
    // Its mode stays.
    std::fs::write(config.path().join("account.json"), "{ damaged").unwrap();
    let mut args = vec!["discover", "--timeout", "1", "--target", &camera.address];
    assert_fails(&wyze_at(config.path(), &args), 34);
    args.extend(["--uid", UID]);
    let output = wyze_at(config.path(), &args);
    assert_succeeds(&output);
    assert!(stdout(&output).contains(&camera.address));
    assert!(stderr(&output).starts_with("wyze: warning: "));
}

#[test]
fn nobody_there() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = silent.local_addr().unwrap().to_string();
    let mut args = vec!["discover", "--timeout", "0.5", "--uid", UID];
    args.extend(["--target", &target]);
    let output = wyze(&args);
    assert_fails(&output, 10);
    assert!(stdout(&output).contains("no answer"));
}

#[test]
fn without_a_uid_the_remedy_is_named() {
    let message = assert_fails(&wyze(&["discover"]), 35);
    for remedy in ["wyze login", "--uid"] {
        assert!(message.contains(remedy), "{message}");
    }
    assert_fails(&wyze(&["discover", "--uid", "short"]), 22);
}
