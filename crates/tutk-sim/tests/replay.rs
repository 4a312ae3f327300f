//! A seed that breaks a law can be run again, by the command that was printed.

use std::process::{Command, Output};

fn sim(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tutk-sim"))
        .args(args)
        .output()
        .unwrap()
}

/// The seeds that broke a law: what each told, and the command that is to tell it again.
fn broken(output: &Output) -> Vec<(String, String)> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    lines
        .windows(2)
        .filter(|pair| pair[0].starts_with("seed ") && pair[1].starts_with("    cargo "))
        .map(|pair| (pair[0].to_owned(), pair[1].trim().to_owned()))
        .collect()
}

#[test]
fn the_command_that_a_broken_law_prints_breaks_it_again() {
    for sabotage in ["twice", "stuck"] {
        let all = sim(&["--seeds", "20", "--from", "40", "--sabotage", sabotage]);
        assert!(!all.status.success());
        let all = broken(&all);
        assert!(!all.is_empty(), "{sabotage}: no law was broken");
        let (told, command) = &all[0];
        let args: Vec<&str> = command
            .strip_prefix("cargo xtask sim ")
            .unwrap()
            .split(' ')
            .collect();
        let again = sim(&args);
        assert!(!again.status.success(), "{command}");
        assert_eq!(broken(&again), [(told.clone(), command.clone())]);
        // It says what happened when, up to the end.
        let text = String::from_utf8(again.stdout).unwrap();
        assert!(text.contains("viewer: dials"), "{text}");
    }
}

#[test]
fn lawful_seeds_end_well_and_name_no_command() {
    let all = sim(&["--seeds", "20"]);
    assert!(all.status.success(), "{:?}", all.status);
    assert!(broken(&all).is_empty());
}
