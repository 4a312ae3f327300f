//! The laws can fail.

use super::scenario::{Act, World};
use super::*;
use wyze_session::PlainPolicy;

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
fn many_bytes_in_answer_to_a_stranger_are_caught() {
    let told = caught(Sabotage::Verbose, |s| {
        s.world == World::Siege && !s.is_gullible()
    });
    assert!(told.contains("bytes in answer to"), "{told}");
}

#[test]
fn a_camera_that_follows_the_attacker_is_caught() {
    let told = caught(Sabotage::Seduced, |s| {
        s.world == World::Siege && !s.is_gullible()
    });
    assert!(told.contains("ViewerFollowed: to the attacker"), "{told}");
}

#[test]
fn a_session_without_dtls_where_that_was_refused_is_caught() {
    let told = caught(Sabotage::Naked, |s| s.plain == PlainPolicy::Refused);
    assert!(told.contains("where it was refused"), "{told}");
}

#[test]
fn an_answer_that_is_told_twice_or_as_nobodys_is_caught() {
    let asks =
        |s: &Scenario| s.world == World::Siege && s.script.iter().any(|&(_, act)| act == Act::Ask);
    let told = caught(Sabotage::Echo, asks);
    assert!(told.contains("was answered twice"), "{told}");
    let told = caught(Sabotage::Unasked, |s| {
        asks(s) && !s.is_gullible() && !s.talk
    });
    assert!(told.contains("was delivered, and nobody sent it"), "{told}");
}

#[test]
fn an_end_that_one_side_does_not_notice_is_caught() {
    for (sabotage, wanted) in [
        (Sabotage::Untold, "close was called, and Closed never came"),
        (
            Sabotage::Restless,
            "a session that is over still has a timer",
        ),
        (
            Sabotage::Unheard,
            "the camera was not told that the viewer left",
        ),
    ] {
        let told = caught(sabotage, |_| true);
        assert_eq!(told.lines().count(), 10, "{told}");
        assert!(told.lines().all(|line| line == wanted), "{told}");
    }
}

#[test]
fn a_timer_that_makes_no_progress_is_caught() {
    assert!(caught(Sabotage::Stuck, |_| true).contains("busy loop: the viewer's timer"));
}

#[test]
fn a_timer_in_the_past_is_caught() {
    assert!(caught(Sabotage::Past, |_| true).contains("in the past"));
}

#[test]
fn a_viewer_that_moves_and_is_not_followed_is_caught() {
    let moves = |act| matches!(act, Act::MoveViewer { .. });
    let roams = |s: &Scenario| {
        s.world == World::Roam && !s.is_gullible() && s.script.iter().any(|&(_, act)| moves(act))
    };
    let told = caught(Sabotage::Lost, roams);
    assert_eq!(told.lines().count(), 10, "{told}");
    assert!(told.contains("Roam: the session ended: [Lost"), "{told}");
}

#[test]
fn a_picture_that_is_missing_where_nothing_was_lost_is_caught() {
    let told = caught(Sabotage::Hole, |s| {
        s.world == World::Siege && !s.is_gullible()
    });
    assert!(
        told.contains("1 frames of Video are missing between others"),
        "{told}"
    );
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

#[test]
fn a_few_hundred_seeds_try_everything() {
    let plan = Plan {
        from: 0,
        count: 400,
        trace: false,
        sabotage: Sabotage::None,
    };
    let sum = plan.sweep();
    assert!(sum.broken.is_empty(), "{:?}", sum.broken);
    for (deed, times) in Deed::ALL.iter().zip(sum.deeds) {
        assert!(times >= 10, "{deed:?}: {times}");
    }
    assert!(sum.frames.iter().all(|&frames| frames > 1000));
    for world in World::ALL {
        let count = (0..400)
            .filter(|&seed| Scenario::of(seed).world == world)
            .count();
        assert!(count > 50, "{world:?}: {count}");
    }
}
