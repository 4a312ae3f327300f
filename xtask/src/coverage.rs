//! Which lines of the core crates the tests of those crates execute, by cargo-llvm-cov.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::bare_metal::CORE;
use crate::process::{capture, cargo, run as run_shown, target_dir};
use crate::setup;

/// Least part of the lines of each core crate, in percent.
const LEAST: f64 = 95.0;
/// Tables that are constants. What makes their rows, a `const fn` of the file's own, is executed by the compiler alone; the
/// tests of the crate look at what came of it.
const TABLES: [&str; 3] = [
    "wyze-kauth/src/models.rs",
    "wyze-kauth/src/settings/ptz.rs",
    "wyze-kauth/src/settings/table.rs",
];
/// So many unexecuted lines in a row, or more, are named.
const LARGE: usize = 5;
/// Time to write the report, after the tests.
const REPORT: Duration = Duration::from_secs(120);

/// Lines with code, and those among them that were executed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Lines {
    all: usize,
    covered: usize,
}

impl Lines {
    fn percent(self) -> f64 {
        100.0 * self.covered as f64 / self.all.max(1) as f64
    }
}

/// One source file: each line with code, and how often it was executed.
#[derive(Debug, PartialEq)]
struct Source {
    path: String,
    hits: BTreeMap<usize, u64>,
}

/// Runs the tests of the core crates and prints what they cover; fails when one of them is below [`LEAST`].
pub(crate) fn run() -> Result<String> {
    setup::cargo_tool("cargo-llvm-cov")?;
    setup::llvm_tools()?;
    let packages: String = CORE.iter().map(|name| format!(" -p {name}")).collect();
    // What earlier sources left behind would be counted with these.
    run_shown(&mut cargo("llvm-cov clean --workspace"))?;
    run_shown(&mut cargo(&format!("llvm-cov --no-report{packages}")))?;
    let file = std::path::absolute(target_dir().join("coverage.lcov"))?;
    capture(
        cargo("llvm-cov report --lcov --output-path").arg(&file),
        REPORT,
    )?;
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let mut sources = sources(&text);
    for source in &mut sources {
        let code = std::fs::read_to_string(&source.path).with_context(|| source.path.clone())?;
        let end = product_lines(&code);
        source.hits.retain(|line, _| *line <= end);
        if TABLES.iter().any(|table| source.path.ends_with(table)) {
            forget_makers(&mut source.hits, &code);
        }
    }
    for place in gaps(&sources) {
        println!("never executed: {place}");
    }
    let crates = per_crate(&sources);
    let (mut total, mut poor) = (Lines::default(), Vec::new());
    for name in CORE {
        let lines = crates.get(name).copied().unwrap_or_default();
        ensure!(lines.all > 0, "nothing was measured of {name}");
        println!("{}", row(name, lines));
        if lines.percent() < LEAST {
            poor.push(name);
        }
        total.all += lines.all;
        total.covered += lines.covered;
    }
    println!("{}", row("total", total));
    let note = format!("{:.2} % of {} lines", total.percent(), total.all);
    ensure!(
        poor.is_empty(),
        "{note}, and less than {LEAST} % of {}",
        poor.join(", ")
    );
    Ok(note)
}

fn row(name: &str, lines: Lines) -> String {
    let missed = lines.all - lines.covered;
    format!(
        "{name:16} {:>6.2} % of {:>5} lines, {missed:>4} never executed",
        lines.percent(),
        lines.all
    )
}

/// The files of product code in a report of the form that lcov made (`SF:` file, `DA:` line,count).
fn sources(lcov: &str) -> Vec<Source> {
    let mut found: Vec<Source> = Vec::new();
    let mut wanted = false;
    for line in lcov.lines() {
        if let Some(path) = line.strip_prefix("SF:") {
            wanted = owner(path).is_some();
            if wanted {
                let (path, hits) = (path.to_owned(), BTreeMap::new());
                found.push(Source { path, hits });
            }
        } else if let (true, Some(data)) = (wanted, line.strip_prefix("DA:"))
            && let Some((line, count)) = data.split_once(',')
            && let (Ok(line), Ok(count)) = (line.parse(), count.parse())
            && let Some(source) = found.last_mut()
        {
            source.hits.insert(line, count);
        }
    }
    found
}

/// The core crate that a file of product code belongs to.
fn owner(file: &str) -> Option<&'static str> {
    let (_, inside) = file.rsplit_once("/crates/")?;
    let mut parts = Path::new(inside)
        .iter()
        .map(|part| part.to_str().unwrap_or(""));
    let (name, folder) = (parts.next()?, parts.next()?);
    let tests = parts.any(|part| matches!(part, "tests" | "tests.rs" | "testing.rs" | "fuzz.rs"));
    let known = CORE.into_iter().find(|core| *core == name)?;
    (folder == "src" && !tests).then_some(known)
}

/// Lines before the tests at the end of a file, which would praise themselves.
fn product_lines(code: &str) -> usize {
    let lines: Vec<&str> = code.lines().collect();
    let tests = lines.windows(2).position(|two| {
        two[0].starts_with("#[cfg(") && two[0].contains("test") && two[1] == "mod tests {"
    });
    tests.unwrap_or(lines.len())
}

/// Takes out the lines of each private `const fn` of `code` of which nothing was executed.
fn forget_makers(hits: &mut BTreeMap<usize, u64>, code: &str) {
    let mut lines = code.lines().zip(1..);
    while let Some((line, from)) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        if !line[indent..].starts_with("const fn ") {
            continue;
        }
        let end = |line: &str| line.len() == indent + 1 && line.ends_with('}');
        let Some((_, to)) = lines.find(|(line, _)| end(line)) else {
            return;
        };
        if hits.range(from..=to).all(|(_, count)| *count == 0) {
            hits.retain(|line, _| !(from..=to).contains(line));
        }
    }
}

fn per_crate(sources: &[Source]) -> BTreeMap<&'static str, Lines> {
    let mut crates = BTreeMap::<_, Lines>::new();
    for source in sources {
        let Some(name) = owner(&source.path) else {
            continue;
        };
        let entry = crates.entry(name).or_default();
        entry.all += source.hits.len();
        entry.covered += source.hits.values().filter(|count| **count > 0).count();
    }
    crates
}

/// Runs of lines that nothing executed, as `crate/src/file.rs:from-to`, the longest first.
fn gaps(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let path = &source.path;
        let short = path.rsplit_once("/crates/").map_or(&path[..], |(_, s)| s);
        let hits: Vec<(usize, u64)> = source.hits.iter().map(|(line, n)| (*line, *n)).collect();
        for run in hits.chunk_by(|a, b| (a.1 == 0) == (b.1 == 0)) {
            if let (&[(from, 0), ..], &[.., (to, _)]) = (run, run)
                && run.len() >= LARGE
            {
                found.push((run.len(), format!("{short}:{from}-{to}")));
            }
        }
    }
    found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    found.into_iter().map(|(_, place)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "SF:/w/crates/tutk-av/src/ack.rs\nFN:1,a\nDA:1,3\nDA:2,0\nDA:4,0\nDA:5,0\nDA:6,0\nDA:9,0\n\
        DA:10,1\nend_of_record\nSF:/w/crates/tutk-av/src/testing.rs\nDA:1,0\nend_of_record\n\
        SF:/w/crates/tutk-av/tests/av/lossy.rs\nDA:1,0\nSF:/w/crates/tutk-dtls/src/tests/pair.rs\nDA:1,0\n\
        SF:/w/crates/wyze-std/src/lib.rs\nDA:1,0\n";

    #[test]
    fn only_product_code_of_the_core_crates_counts() {
        let crates = per_crate(&sources(REPORT));
        assert_eq!(crates.len(), 1);
        assert_eq!(crates["tutk-av"], Lines { all: 7, covered: 2 });
    }

    #[test]
    fn a_long_run_of_unexecuted_lines_is_named() {
        assert_eq!(gaps(&sources(REPORT)), ["tutk-av/src/ack.rs:2-9"]);
    }

    #[test]
    fn what_makes_a_table_counts_only_where_it_is_executed() {
        let code = "impl A {\n    const fn row() {\n        x\n    }\n    pub const fn get() {\n        y\n    }\n}\nconst fn both() {\n    z\n}\n";
        let count = |line| u64::from(line > 8);
        let mut hits = (1..=11).map(|line| (line, count(line))).collect();
        forget_makers(&mut hits, code);
        let left: Vec<usize> = hits.into_keys().collect();
        assert_eq!(left, [1, 5, 6, 7, 8, 9, 10, 11]);
    }

    #[test]
    fn the_tests_of_a_file_do_not_count() {
        assert_eq!(product_lines("a\nb\n\n#[cfg(test)]\nmod tests {\n}\n"), 3);
        assert_eq!(product_lines("a\n#[cfg(test)]\nuse b;\n"), 3);
    }
}
