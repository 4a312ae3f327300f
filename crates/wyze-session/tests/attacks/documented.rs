//! The table of attacks in `docs/security.md` and the tests that it names.

use std::collections::BTreeSet;
use std::path::Path;

/// All of our sources, one behind the other.
fn sources(folder: &Path, all: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|e| e == "rs") {
            all.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

/// Whether one of `sources` has a test of this name, not just a function.
fn has_test(sources: &str, name: &str) -> bool {
    let declaration = format!("fn {name}(");
    sources.match_indices(&declaration).any(|(at, _)| {
        let above = sources[..at].rsplit('\n').skip(1);
        let mut attributes = above
            .map(str::trim)
            .take_while(|l| l.starts_with(['#', '/']));
        attributes.any(|line| line == "#[test]")
    })
}

#[test]
fn every_attack_in_the_documentation_has_a_test_and_every_test_it_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let docs = |name: &str| std::fs::read_to_string(root.join("docs").join(name)).unwrap();
    let mut all = String::new();
    sources(&root.join("crates"), &mut all);
    let text = docs("security.md");
    let (_, table) = text.split_once("| attack | by |").unwrap();
    let (mut attacks, mut named) = (0, BTreeSet::new());
    for row in table.lines().skip(2).take_while(|l| l.starts_with('|')) {
        let tests = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let names: Vec<_> = tests
            .split('`')
            .filter(|word| word.contains('_') && !word.contains(' '))
            .collect();
        assert!(!names.is_empty(), "no test: {row}");
        for name in &names {
            assert!(has_test(&all, name), "{name}: {row}");
        }
        attacks += 1;
        named.extend(names.iter().map(|name| (*name).to_owned()));
    }
    let figure = format!(
        "| attacks | {attacks}, with {} tests named after them |",
        named.len()
    );
    assert!(
        docs("testing.md").contains(&figure),
        "docs/testing.md lacks: {figure}"
    );
}

#[test]
fn only_what_is_marked_as_a_test_is_one() {
    let sources = "#[test]\n#[ignore]\n// why\nfn one() {}\n\n#[test]\n\nfn two() {}\nfn three() {}\n    /// x\n    #[test]\n    fn four() {}";
    for (name, is_test) in [
        ("one", true),
        ("two", false),
        ("three", false),
        ("four", true),
        ("five", false),
    ] {
        assert_eq!(has_test(sources, name), is_test, "{name}");
    }
}
