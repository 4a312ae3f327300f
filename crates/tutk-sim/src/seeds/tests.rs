//! The laws can fail.

use super::scenario::{Act, World};
use super::*;

/// What the first of some seeds tells that notices `sabotage`.
fn caught(sabotage: Sabotage, wanted: impl Fn(&Scenario) -> bool) -> String {
    let mut pool = Pool::default();
    let some = (0..500).map(Scenario::of).filter(wanted).take(10);
    let told = some.filter_map(|scenario| run(&scenario, &mut pool, sabotage, false).err());
    let all: Vec<String> = told.map(|violation| violation.0).collect();
    all.join("\n")
}

#[test]
fn a_frame_delivered_twice_is_caught() {
    assert!(caught(Sabotage::Twice, |_| true).contains("was delivered after"));
}

#[test]
fn a_frame_that_nobody_sent_is_caught() {
    assert!(caught(Sabotage::Alien, |_| true).contains("bytes were delivered that nobody sent"));
}

#[test]
fn a_second_datagram_in_answer_to_a_stranger_is_caught() {
    let told = caught(Sabotage::Chatty, |s| s.world == World::Siege);
    assert!(
        told.contains("in answer to one that nobody authenticated"),
        "{told}"
    );
}

#[test]
fn a_timer_that_makes_no_progress_is_caught() {
    assert!(caught(Sabotage::Stuck, |_| true).contains("busy loop: the viewer's timer"));
}

#[test]
fn a_session_that_lives_without_pictures_is_caught() {
    assert!(caught(Sabotage::Mute, |s| !s.world.is_rough()).contains("no pictures"));
}

#[test]
fn a_false_answer_to_a_request_is_caught() {
    let asks =
        |s: &Scenario| s.world == World::Siege && s.script.iter().any(|&(_, act)| act == Act::Ask);
    assert!(caught(Sabotage::Liar, asks).contains("and was answered"));
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let mut pool = Pool::default();
    for seed in 0..8 {
        let scenario = Scenario::of(seed);
        let mut runs = || format!("{:?}", run(&scenario, &mut pool, Sabotage::None, false));
        assert_eq!(runs(), runs(), "seed {seed}");
    }
}
