//! Which calls in the linked image can end in a panic.
//!
//! Every panic ends in one function of the image. Whatever of the standard library refers to it may panic itself, and so on
//! upwards; where a reference stands in code of another crate, that is a place that can panic. References are read off the
//! relocations, which the linker was asked to keep, and places off the debug information.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget, SectionKind};

use super::image::{Lines, demangle};
use super::{BUILDS, build};
use crate::process::root;
use crate::setup;

/// Where every panic ends.
const END: &str = "image_panicked";
const FILE: &str = "docs/security.md";
/// The table of panics that are known stands under this heading.
const HEADING: &str = "### Panics in the linked image";

/// What may panic without being asked for its reason, because it only does so for whoever calls it: the standard library, the
/// program, and the start-up code that calls `main`.
const NOT_ASKED: [&str; 4] = ["core", "?", "the program", "riscv-rt"];

/// Places that can panic by function, with what they call and how often.
type Places = BTreeMap<String, BTreeMap<String, u32>>;

/// Links all that firmware may call and compares what can panic with the table in the documentation.
pub(crate) fn check() -> Result<String> {
    setup::bare_metal_targets(&[BUILDS[0].target])?;
    let image = build(&BUILDS[0], "reach", "reach")?;
    let found = places(&image)?;
    for (place, calls) in &found {
        let calls: Vec<_> = calls.iter().map(|(to, n)| format!("{n} x {to}")).collect();
        println!("{place}: {}", calls.join(", "));
    }
    let text = std::fs::read_to_string(root().join(FILE)).context(FILE)?;
    let known = known(&text)?;
    let new: Vec<_> = found
        .keys()
        .filter(|place| !known.contains(*place) && !known.contains(&whole(place)))
        .collect();
    ensure!(
        new.is_empty(),
        "these can panic and have no reason in {FILE}: {new:#?}"
    );
    for row in &known {
        if !found
            .keys()
            .any(|place| place == row || whole(place) == *row)
        {
            println!("{row}: in {FILE}, and not in the image");
        }
    }
    let mut packages = BTreeMap::<&str, u32>::new();
    for place in found.keys() {
        let package = place.split(' ').next().unwrap_or(place);
        *packages.entry(package).or_default() += 1;
    }
    let counts: Vec<_> = packages.iter().map(|(of, n)| format!("{of} {n}")).collect();
    Ok(format!(
        "{} places can panic, all with a reason: {}",
        found.len(),
        counts.join(", ")
    ))
}

/// The row that stands for all places in the crate of one: `smoltcp *`.
fn whole(place: &str) -> String {
    format!("{} *", place.split(' ').next().unwrap_or(place))
}

/// The first column of the table.
fn known(text: &str) -> Result<BTreeSet<String>> {
    let (_, rest) = text.split_once(HEADING).context("no table of panics")?;
    let section = rest.split("\n#").next().unwrap_or(rest);
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    Ok(rows
        .filter_map(|row| Some(row.split_once('`')?.0.to_owned()))
        .collect())
}

/// A reference from an address to a function.
struct Reference {
    at: u64,
    to: u64,
}

fn places(path: &Path) -> Result<Places> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    let file = object::File::parse(&*bytes)?;
    let functions = functions(&file);
    let references = references(&file)?;
    ensure!(
        references.len() > 100,
        "no relocations in {}",
        path.display()
    );
    let lines = Lines::open(path)?;
    let end = functions
        .iter()
        .find(|(_, (_, name))| name == END)
        .context("the image has no end for panics")?;
    let mut places = Places::new();
    let mut panicking = vec![*end.0];
    let mut seen = BTreeSet::from([*end.0]);
    while let Some(target) = panicking.pop() {
        let name = functions.get(&target).map_or("?", |(_, name)| name);
        for reference in references.iter().filter(|reference| reference.to == target) {
            let origin = lines.origin(reference.at)?;
            if !NOT_ASKED.contains(&&*origin.package) {
                let place = format!("{} {}", origin.package, without_generics(&origin.function));
                *places
                    .entry(place)
                    .or_default()
                    .entry(demangle(name))
                    .or_default() += 1;
                continue;
            }
            let around = functions.range(..=reference.at).next_back();
            if let Some((start, (len, _))) = around
                && reference.at < start + len
                && seen.insert(*start)
            {
                panicking.push(*start);
            }
        }
    }
    Ok(places)
}

/// Functions by address, with length and mangled name.
fn functions(file: &object::File<'_>) -> BTreeMap<u64, (u64, String)> {
    file.symbols()
        .filter(|symbol| symbol.kind() == object::SymbolKind::Text && symbol.size() > 0)
        .filter_map(|s| Some((s.address() & !1, (s.size(), s.name().ok()?.to_owned()))))
        .collect()
}

fn references(file: &object::File<'_>) -> Result<Vec<Reference>> {
    let mut references = Vec::new();
    for section in file.sections() {
        let kind = section.kind();
        if !matches!(
            kind,
            SectionKind::Text | SectionKind::ReadOnlyData | SectionKind::Data
        ) {
            continue;
        }
        let start = section.address();
        for (offset, relocation) in section.relocations() {
            let RelocationTarget::Symbol(index) = relocation.target() else {
                continue;
            };
            let symbol = file.symbol_by_index(index)?;
            let at = if offset >= start {
                offset
            } else {
                start + offset
            };
            let addend = if symbol.kind() == object::SymbolKind::Section {
                relocation.addend()
            } else {
                0
            };
            references.push(Reference {
                at,
                to: symbol.address().wrapping_add_signed(addend) & !1,
            });
        }
    }
    Ok(references)
}

/// `a::B<C>::d<E>` as `a::B::d`.
fn without_generics(name: &str) -> String {
    let (mut depth, mut out, mut last) = (0u32, String::new(), ' ');
    for c in name.chars() {
        match c {
            // At the beginning of a path it is `<Type as Trait>::method`, which stays.
            '<' if depth > 0 || last.is_alphanumeric() || out.ends_with("::") => depth += 1,
            '>' if depth > 0 && last != '-' => depth -= 1,
            _ if depth == 0 => out.push(c),
            _ => {}
        }
        last = c;
    }
    out.replace("::::", "::").trim_end_matches("::").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generic_arguments_do_not_name_a_place() {
        assert_eq!(without_generics("a::B<C, D<E>>::d<F>"), "a::B::d");
        assert_eq!(without_generics("a::b::<C>"), "a::b");
        assert_eq!(
            without_generics("<a::B<C> as d::E>::f"),
            "<a::B as d::E>::f"
        );
    }

    #[test]
    fn a_row_may_stand_for_a_whole_crate() {
        assert_eq!(whole("smoltcp smoltcp::wire::arp::Repr::emit"), "smoltcp *");
        let text = format!("{HEADING}\n| `smoltcp *` | x |\n");
        assert!(known(&text).unwrap().contains(&whole("smoltcp a::b")));
        assert!(!known(&text).unwrap().contains(&whole("tutk-av a::b")));
    }

    #[test]
    fn known_panics_are_the_first_column_under_the_heading() {
        let text = format!(
            "| `no` |\n{HEADING}\n\n| place | why |\n|---|---|\n| `a b::c` | x |\n\n## Next\n| `no` |\n"
        );
        assert_eq!(known(&text).unwrap(), BTreeSet::from(["a b::c".to_owned()]));
        assert!(known("").is_err());
    }
}
