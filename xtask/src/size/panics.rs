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
    let wrong = differences(&found, &known(&text)?);
    ensure!(wrong.is_empty(), "{FILE} is to be changed: {wrong:#?}");
    let mut packages = BTreeMap::<&str, u32>::new();
    for place in found.keys() {
        let package = place.split(' ').next().unwrap_or(place);
        *packages.entry(package).or_default() += 1;
    }
    let counts: Vec<_> = packages.iter().map(|(of, n)| format!("{of} {n}")).collect();
    Ok(format!(
        "{} places can panic, all with a reason, as often as {FILE} says: {}",
        found.len(),
        counts.join(", ")
    ))
}

/// The row that stands for all places in the crate of one: `smoltcp *`.
fn whole(place: &str) -> String {
    format!("{} *", place.split(' ').next().unwrap_or(place))
}

/// What the image and the table do not agree in. A place without a row of its own belongs to that of its crate, if there is one.
fn differences(found: &Places, known: &BTreeMap<String, u32>) -> Vec<String> {
    let mut counted = BTreeMap::<String, u32>::new();
    for (place, calls) in found {
        let whole = whole(place);
        let of_crate = !known.contains_key(place) && known.contains_key(&whole);
        let row = if of_crate { whole } else { place.clone() };
        *counted.entry(row).or_default() += calls.values().sum::<u32>();
    }
    let rows: BTreeSet<_> = counted.keys().chain(known.keys()).collect();
    rows.into_iter()
        .filter_map(|row| match (counted.get(row), known.get(row)) {
            (Some(n), None) => Some(format!("{row}: can panic {n} times, and has no reason")),
            (None, _) => Some(format!("{row}: is not in the image")),
            (Some(n), Some(said)) => (n != said).then(|| format!("{row}: {n} times, not {said}")),
        })
        .collect()
}

/// The first two columns of the table: the place, and how often it calls what panics.
fn known(text: &str) -> Result<BTreeMap<String, u32>> {
    let (_, rest) = text.split_once(HEADING).context("no table of panics")?;
    let section = rest.split("\n#").next().unwrap_or(rest);
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let (place, rest) = row.split_once("` | ").context("a row without columns")?;
        let times = rest.split(' ').next().unwrap_or(rest);
        let times = times
            .parse()
            .with_context(|| format!("{place}: how often"))?;
        Ok((place.to_owned(), times))
    })
    .collect()
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

    fn places(of: &[(&str, u32)]) -> Places {
        let calls = |n| BTreeMap::from([("core::panicking::panic".to_owned(), n)]);
        of.iter()
            .map(|(p, n)| ((*p).to_owned(), calls(*n)))
            .collect()
    }

    #[test]
    fn a_row_may_stand_for_a_whole_crate_and_counts_all_of_it() {
        let text = format!("{HEADING}\n| `smoltcp *` | 3 | x |\n| `smoltcp a::c` | 1 | x |\n");
        let known = known(&text).unwrap();
        let found = [("smoltcp a::b", 2), ("smoltcp a::c", 1), ("smoltcp d", 1)];
        assert_eq!(differences(&places(&found), &known), [""; 0]);
        let wrong = differences(&places(&found[..2]), &known);
        assert_eq!(wrong, ["smoltcp *: 2 times, not 3"]);
    }

    #[test]
    fn a_new_place_one_more_of_a_known_one_and_a_row_that_is_out_of_date_are_told() {
        let text = format!("{HEADING}\n| `a b` | 1 | x |\n| `a c` | 1 | x |\n");
        let wrong = differences(&places(&[("a b", 2), ("a d", 1)]), &known(&text).unwrap());
        let expected = [
            "a b: 2 times, not 1",
            "a c: is not in the image",
            "a d: can panic 1 times, and has no reason",
        ];
        assert_eq!(wrong, expected);
    }

    #[test]
    fn known_panics_are_the_first_two_columns_under_the_heading() {
        let text = format!(
            "| `no` | 1 |\n{HEADING}\n\n| place | times | why |\n|---|--:|---|\n| `a b::c` | 2 | x |\n\n## Next\n| `no` | 1 |\n"
        );
        assert_eq!(
            known(&text).unwrap(),
            BTreeMap::from([("a b::c".to_owned(), 2)])
        );
        assert!(known("").is_err());
        assert!(known(&format!("{HEADING}\n| `a` | x |\n")).is_err());
    }
}
