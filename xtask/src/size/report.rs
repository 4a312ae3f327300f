//! The tables of `docs/memory.md`, between two marks; the text around them is written by hand.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Context, Result};

use super::budget::LINES;
use super::types::{Type, Types};
use super::{All, BUILDS, Detail, IMAGES, flash};
use crate::process::root;

const FILE: &str = "docs/memory.md";
const BEGIN: &str = "<!-- figures: written by `cargo xtask size` -->\n";
const END: &str = "<!-- end of figures -->\n";
/// Types smaller than this are not worth a line, bytes.
const SMALL: u64 = 96;
/// Instructions per cycle of the estimate: best and worst (`docs/memory.md` says why).
const CYCLES: [f64; 2] = [1.1, 1.6];

/// Writes the tables into the file.
pub(crate) fn write(all: &All, detail: &Detail, everything: &Types) -> Result<()> {
    let path = root().join(FILE);
    let old = std::fs::read_to_string(&path).context(FILE)?;
    let new = replace(&old, &tables(all, detail, everything)?)?;
    std::fs::write(path, new)?;
    Ok(())
}

fn replace(text: &str, tables: &str) -> Result<String> {
    let (before, rest) = text.split_once(BEGIN).context("no mark for the figures")?;
    let (_, after) = rest.split_once(END).context("no mark for their end")?;
    Ok(format!("{before}{BEGIN}{tables}{END}{after}"))
}

fn tables(all: &All, detail: &Detail, everything: &Types) -> Result<String> {
    let mut text = String::new();
    budgets(&mut text, all)?;
    flash_table(&mut text, all)?;
    costs(&mut text, all)?;
    crates(&mut text, detail)?;
    sizes(&mut text, &detail.types, everything)?;
    Ok(text)
}

fn budgets(text: &mut String, all: &All) -> Result<()> {
    writeln!(text, "\n### Budgets ({}, LTO)\n", BUILDS[0].name)?;
    writeln!(text, "| what | budget | now | kept |\n|---|---|---|---|")?;
    for line in &LINES {
        let now = line.now(all).context("a figure is missing")?;
        let digits = if line.limit < 10.0 { 3 } else { 0 };
        let kept = if line.is_kept(all) { "yes" } else { "**no**" };
        writeln!(
            text,
            "| {} | {:.*} {} | {now:.digits$} | {kept} |",
            line.what,
            digits.min(2),
            line.limit,
            line.unit
        )?;
    }
    Ok(())
}

fn heading(text: &mut String, title: &str, first: &str) -> Result<()> {
    writeln!(text, "\n### {title}\n")?;
    let names = BUILDS.map(|build| build.name);
    writeln!(text, "| {first} | {} |", names.join(" | "))?;
    writeln!(text, "|---|{}", "---:|".repeat(BUILDS.len()))?;
    Ok(())
}

fn row(text: &mut String, all: &All, title: &str, name: &str) -> Result<()> {
    write!(text, "| {title} |")?;
    for build in BUILDS {
        match all.get(build.name).and_then(|figures| figures.get(name)) {
            Some(figure) => write!(text, " {figure} |")?,
            None => write!(text, " – |")?,
        }
    }
    writeln!(text)?;
    Ok(())
}

fn flash_table(text: &mut String, all: &All) -> Result<()> {
    heading(
        text,
        "Flash: code, constants, initial values; bytes",
        "image",
    )?;
    for (name, _) in &IMAGES[1..] {
        row(text, all, name, &flash(name))?;
    }
    Ok(())
}

fn costs(text: &mut String, all: &All) -> Result<()> {
    heading(
        text,
        "Instructions and stack of the client's calls",
        "figure",
    )?;
    for (title, name) in [
        (
            "search to authenticated, instructions",
            "handshake.instructions",
        ),
        ("of these, both X25519 alone", "floor.x25519"),
        ("a media packet of 1 KiB received", "steady.receive"),
        ("the same with ACKs and timers", "steady.all"),
        ("ChaCha20-Poly1305 of that packet alone", "floor.open"),
        ("`Client::new`, stack bytes", "construct.stack"),
        ("peak stack until authenticated", "handshake.stack"),
        ("of these, X25519 alone", "floor.x25519.stack"),
        ("peak stack in steady state", "steady.stack"),
        ("of these, ChaCha20-Poly1305 alone", "floor.open.stack"),
        ("static RAM of a client in chunk mode", "ram.client"),
    ] {
        row(text, all, title, name)?;
    }
    let get = |name: &str| {
        let figures = all.get(BUILDS[0].name)?;
        figures.get(name).map(|figure| *figure as f64)
    };
    let handshake = get("handshake.instructions").context("no handshake")?;
    let kib = get("steady.all").context("no steady state")?;
    let [best, worst] = CYCLES;
    writeln!(
        text,
        "\n**Estimate**, nothing ran on silicon: an ESP32-C3 at 160 MHz that needs {best} to {worst} cycles an instruction \
         connects in {:.0} to {:.0} ms of computing, and receives at most {:.0} to {:.0} KiB/s; 2 Mbit/s of video take {:.0} \
         to {:.0} % of it.",
        handshake * best / 160e3,
        handshake * worst / 160e3,
        160e6 / (kib * worst),
        160e6 / (kib * best),
        2e6 / 8192.0 * kib * best / 160e4,
        2e6 / 8192.0 * kib * worst / 160e4,
    )?;
    Ok(())
}

fn crates(text: &mut String, detail: &Detail) -> Result<()> {
    writeln!(
        text,
        "\n### What fills the flash of the client ({})\n\n| crate | bytes of code |\n|---|---:|",
        BUILDS[0].name
    )?;
    let rows = detail.client.by_package();
    let (large, small) = rows.split_at(
        rows.iter()
            .position(|(_, n)| *n < 300)
            .unwrap_or(rows.len()),
    );
    for (name, bytes) in large {
        writeln!(text, "| {name} | {bytes} |")?;
    }
    let rest: u64 = small.iter().map(|(_, bytes)| bytes).sum();
    writeln!(text, "| {} others | {rest} |", small.len())?;
    writeln!(text, "| constants | {} |", detail.client.constants)?;
    Ok(())
}

fn sizes(text: &mut String, client: &Types, everything: &Types) -> Result<()> {
    writeln!(
        text,
        "\n### `size_of` the machines (32 bits)\n\n\
         That client, and both roles with every feature over either network. Members are those with every feature; of a \
         generic type it is\nthe largest.\n\n\
         | type | that client | every feature | its largest members |\n|---|---:|---:|---|"
    )?;
    let client = by_name(client);
    let mut rows: Vec<_> = by_name(everything).into_iter().collect();
    rows.sort_by_key(|(_, of)| std::cmp::Reverse(of.size));
    for (name, of) in rows {
        let small = client
            .get(name)
            .map_or("–".to_owned(), |of| of.size.to_string());
        let members: Vec<_> = of
            .members
            .iter()
            .filter(|(_, size)| *size >= 32)
            .map(|(name, size)| format!("`{name}` {size}"))
            .collect();
        let members = members.join(", ");
        writeln!(text, "| `{name}` | {small} | {} | {members} |", of.size)?;
    }
    Ok(())
}

/// Types of our crates that are worth a line, by path without generic arguments; of several the largest.
fn by_name(types: &Types) -> BTreeMap<&str, &Type> {
    let mut found = BTreeMap::<&str, &Type>::new();
    for (path, of) in types {
        let ours = path.starts_with("wyze_") || path.starts_with("tutk_");
        // Futures are named after the functions that make them, and what lies in them is the caller's.
        let is_named = !path.starts_with("tutk_size") && !path.contains('{');
        if ours && is_named && of.size >= SMALL && of.members.len() > 1 {
            let name = path.split('<').next().unwrap_or(path);
            let largest = found.entry(name).or_insert(of);
            if of.size > largest.size {
                *largest = of;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_types_of_one_name_the_largest_counts_and_a_future_is_none() {
        let of = |size| Type {
            size,
            members: vec![("a".to_owned(), 4), ("b".to_owned(), 4)],
        };
        let types = Types::from([
            ("wyze_smoltcp::Port<A>".to_owned(), of(200)),
            ("wyze_smoltcp::Port<B>".to_owned(), of(300)),
            (
                "wyze_edge_nal::step::{async_fn_env#0}<A>".to_owned(),
                of(900),
            ),
            ("smoltcp::Interface".to_owned(), of(900)),
            ("tutk_size::Slot".to_owned(), of(900)),
            ("tutk_av::Small".to_owned(), of(SMALL - 1)),
        ]);
        let found = by_name(&types);
        assert_eq!(found.len(), 1);
        assert_eq!(found["wyze_smoltcp::Port"].size, 300);
    }

    #[test]
    fn only_what_lies_between_the_marks_is_replaced() {
        let text = format!("a\n{BEGIN}old\n{END}b\n");
        let new = replace(&text, "new\n").unwrap();
        assert_eq!(new, format!("a\n{BEGIN}new\n{END}b\n"));
        assert!(replace("no marks", "new").is_err());
    }
}
