//! The tables of models in the documentation, against the one that is data.

use std::path::Path;

use wyze_kauth::Model;
use wyze_kauth::models::{MODELS, Reach, ResolutionCommand};

/// The rows of the table below `head` in a file, each for every model that it names, in order: the cells of a row, the first
/// one numbered 1.
fn rows(file: &str, head: &str) -> Vec<(&'static Model, Vec<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let mut ours = MODELS.iter();
    let mut rows = Vec::new();
    let table = text.lines().skip_while(|line| !line.starts_with(head));
    for row in table.skip(2).take_while(|line| line.starts_with('|')) {
        let cells: Vec<String> = row.split('|').map(|cell| cell.trim().to_owned()).collect();
        for code in cells[1].split(", ") {
            let model = ours.next().unwrap();
            assert_eq!(model.code, code, "{file}");
            rows.push((model, cells.clone()));
        }
    }
    assert_eq!(ours.next(), None, "{file}");
    rows
}

/// `text` says something between `before` and `after`.
fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(said, _)| said)
}

/// The first size of a picture in a text, as width×height.
fn pixels(text: &str) -> Option<(u16, u16)> {
    let digits = |c: char| c.is_ascii_digit();
    let (before, after) = text.split_once('×')?;
    let width = before.trim_end_matches(digits).len();
    let height = after.len() - after.trim_start_matches(digits).len();
    Some((before[width..].parse().ok()?, after[..height].parse().ok()?))
}

#[test]
fn the_reference_says_what_the_table_says() {
    for (model, cells) in rows("docs/protocol/models.md", "| model |") {
        let code = model.code;
        let row = cells.join("|");
        let (name, path, resolution, notes) = (&cells[2], &cells[3], &cells[5], &cells[6]);
        assert_eq!(
            model.unsupported().is_some(),
            row.contains("not TUTK"),
            "{code}"
        );
        let is_behind_base = model.reach == Reach::TutkThroughBase;
        assert_eq!(is_behind_base, path == "TUTK by its base", "{code}");
        if let Some((command, size)) = resolution.split_once(", ") {
            let is_early = model.resolution == ResolutionCommand::VideoParams;
            let ours = (is_early, model.best.frame_size());
            assert_eq!(
                ours,
                (command == "K10052", size[..1].parse().ok()),
                "{code}"
            );
        }
        if let Some(best) = pixels(resolution) {
            assert_eq!(model.best_pixels, Some(best), "{code}");
        }
        assert_eq!(model.pan_tilt, name.starts_with("Pan"), "{code}");
        assert_eq!(model.floodlight, name.starts_with("Floodlight"), "{code}");
        assert_eq!(model.only_suite_00ae, row.contains("0x00AE only"), "{code}");
        let frame_info = between(notes, "FRAMEINFO of ", " bytes").and_then(|n| n.parse().ok());
        assert_eq!(model.frame_info_len, frame_info, "{code}");
        let cc51 = between(notes, "from ", " on **0xCC51 only**");
        assert_eq!(model.cc51_only_from, cc51, "{code}");
    }
}

#[test]
fn the_readme_says_what_the_table_says() {
    for (model, cells) in rows("README.md", "| model | name | expected |") {
        let (code, expected) = (model.code, &cells[3]);
        let is_refused = model.unsupported().is_some();
        assert_eq!(is_refused, expected.starts_with("no: not TUTK"), "{code}");
        let is_behind_base = model.reach == Reach::TutkThroughBase;
        assert_eq!(
            is_behind_base,
            expected.contains("with the base station's ENR and MAC"),
            "{code}"
        );
        let above_hd = model.best_pixels.filter(|best| *best != (1920, 1080));
        assert_eq!(above_hd, pixels(expected), "{code}");
        let cc51 = between(expected, "from firmware ", " on by 0xCC51");
        assert_eq!(model.cc51_only_from, cc51, "{code}");
        let only_cbc = expected.contains("by PSK-AES128-CBC-SHA256 only");
        assert_eq!(model.only_suite_00ae, only_cbc, "{code}");
    }
}
