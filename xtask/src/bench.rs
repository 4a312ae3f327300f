//! Instructions and allocations per packet: `crates/tutk-bench` under callgrind.
//!
//! Callgrind counts only inside the function that holds the measured loop, so that set-up costs nothing, however long it
//! takes. Counts repeat to the instruction on one machine and toolchain; another CPU may take other vector instructions,
//! which is why ratios between scenarios of one run matter more than the counts.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::process::{capture, cargo, command, root, run as run_shown, target_dir};

/// Times that the measured loop goes round.
const ROUNDS: u64 = 500;
/// How much worse than the baseline is still the same, in percent.
const TOLERANCE: f64 = 2.0;
/// Rounds of a scenario that is a whole handshake, or a part of one.
const HANDSHAKES: u64 = 20;
/// Longest time of one scenario.
const LIMIT: Duration = Duration::from_secs(120);

/// What a scenario may cost: so many times its floor, which is the sum of some others, of the same run.
struct Limit {
    scenario: &'static str,
    floor: &'static [&'static str],
    times: f64,
}

const fn limit(scenario: &'static str, floor: &'static [&'static str], times: f64) -> Limit {
    Limit {
        scenario,
        floor,
        times,
    }
}

/// The acceptance lines are those of `receive` and `send`; the others hold what was reached. None may allocate. Wrong padding
/// and a wrong MAC are each other's floor: who times an answer must not tell them apart.
const LIMITS: &[Limit] = &[
    limit("seal", &["aead-seal"], 1.05),
    limit("open", &["aead-open"], 1.05),
    limit("cbc-bad-padding", &["cbc-bad-mac"], 1.01),
    limit("cbc-bad-mac", &["cbc-bad-padding"], 1.01),
    limit("reassembly", &["memcpy"], 3.0),
    limit("receive", &["aead-open", "memcpy"], 1.15),
    limit("receive-cc51", &["aead-open", "memcpy"], 1.15),
    limit("send", &["aead-seal", "memcpy"], 1.2),
    limit("handshake-client", &["x25519"], 1.6),
    limit("handshake-server", &["x25519"], 1.6),
];
/// TransCode codes so many 16-byte blocks of a DTLS data packet, its header and 48 bytes, ...
const TRANSCODE_BLOCKS: f64 = 4.0;
/// ... each in at most so many instructions.
const TRANSCODE_LIMIT: f64 = 150.0;

/// What to do with the figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Show them.
    Show,
    /// Compare them with the baseline.
    Check,
    /// Make them the baseline.
    Save,
}

impl Mode {
    pub(crate) fn from_flags(check: bool, save: bool) -> Self {
        match (check, save) {
            (_, true) => Self::Save,
            (true, _) => Self::Check,
            _ => Self::Show,
        }
    }
}

/// One scenario's cost per round.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cost {
    instructions: f64,
    allocations: f64,
}

type Costs = BTreeMap<String, Cost>;

/// `benches/baseline.json`.
struct Baseline {
    cpu: String,
    costs: Costs,
}

/// Measures every scenario.
pub(crate) fn run(mode: Mode) -> Result<String> {
    crate::setup::packages()?;
    run_shown(&mut cargo("build --release -p tutk-bench"))?;
    let program = target_dir().join("release/tutk-bench");
    let names = capture(&mut command(&program, ""), LIMIT)?;
    let mut costs = Costs::new();
    for name in names.split_whitespace() {
        costs.insert(name.to_owned(), measure(&program, name)?);
    }
    print!("{}", table(&costs));
    let verdict = limits(&costs)?;
    let baseline = root().join("benches/baseline.json");
    match mode {
        Mode::Show => {}
        Mode::Save => {
            std::fs::create_dir_all(root().join("benches"))?;
            std::fs::write(&baseline, format!("{:#}\n", to_json(&costs)))?;
        }
        Mode::Check => {
            let text = std::fs::read_to_string(&baseline)
                .with_context(|| baseline.display().to_string())?;
            compare(&costs, &from_json(&serde_json::from_str(&text)?)?)?;
        }
    }
    Ok(verdict)
}

fn measure(program: &Path, name: &str) -> Result<Cost> {
    let rounds = if name.starts_with("handshake") || name == "x25519" {
        HANDSHAKES
    } else {
        ROUNDS
    };
    let out = target_dir().join(format!("callgrind.{name}"));
    let flags = "--tool=callgrind --toggle-collect=*measured_rounds*";
    let said = capture(
        command("valgrind", flags)
            .arg(format!("--callgrind-out-file={}", out.display()))
            .arg(program)
            .args([name, &rounds.to_string()]),
        LIMIT,
    )?;
    let total = number_after(&said, "Collected :").context("callgrind gave no count")?;
    ensure!(
        total > 0,
        "{name}: nothing was counted; is `measured_rounds` inlined?"
    );
    let allocations = number_after(&said, "allocations").context("tutk-bench gave no count")?;
    let per_round = |n: u64| n as f64 / rounds as f64;
    Ok(Cost {
        instructions: per_round(total),
        allocations: per_round(allocations),
    })
}

fn number_after(text: &str, label: &str) -> Option<u64> {
    let (_, rest) = text.split_once(label)?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

fn table(costs: &Costs) -> String {
    let mut text = format!(
        "{:16} {:>14} {:>12}\n",
        "scenario", "instructions", "allocations"
    );
    for (name, cost) in costs {
        text += &format!(
            "{name:16} {:>14.1} {:>12.3}\n",
            cost.instructions, cost.allocations
        );
    }
    text
}

/// Prints each scenario with its floor, and fails where one is above its limit or allocates.
fn limits(costs: &Costs) -> Result<String> {
    let cost = |name: &str| {
        costs
            .get(name)
            .with_context(|| format!("no scenario {name}"))
    };
    let mut broken = Vec::new();
    let mut verdict = Vec::new();
    println!(
        "\n{:16} {:>12} {:>6} {:>6}  floor",
        "scenario", "of floor", "ratio", "limit"
    );
    for limit in LIMITS {
        let Cost {
            instructions,
            allocations,
        } = *cost(limit.scenario)?;
        let mut floor = 0.0;
        for name in limit.floor {
            floor += cost(name)?.instructions;
        }
        let (name, ratio, names) = (
            limit.scenario,
            instructions / floor,
            limit.floor.join(" + "),
        );
        println!(
            "{name:16} {floor:>12.1} {ratio:>6.3} {:>6.2}  {names}",
            limit.times
        );
        if ratio > limit.times {
            broken.push(format!(
                "{name} costs {ratio:.3} times {names}, more than {}",
                limit.times
            ));
        }
        if allocations > 0.0 {
            broken.push(format!("{name} allocates {allocations} times a round"));
        }
        verdict.push(format!("{name} {ratio:.3}"));
    }
    let block = cost("transcode")?.instructions / TRANSCODE_BLOCKS;
    println!("TransCode: {block:.0} instructions a block, at most {TRANSCODE_LIMIT}");
    if block > TRANSCODE_LIMIT {
        broken.push(format!(
            "TransCode costs {block:.0} instructions a block, more than {TRANSCODE_LIMIT}"
        ));
    }
    ensure!(broken.is_empty(), "{}", broken.join("; "));
    Ok(format!(
        "times floor: {}; TransCode {block:.0} a block",
        verdict.join(", ")
    ))
}

/// What of this CPU decides which instructions the ciphers take.
fn cpu() -> String {
    #[cfg(target_arch = "x86_64")]
    let has = [
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("bmi2", std::arch::is_x86_feature_detected!("bmi2")),
        ("sha", std::arch::is_x86_feature_detected!("sha")),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let has: [(&str, bool); 0] = [];
    let mut cpu = std::env::consts::ARCH.to_owned();
    for (name, _) in has.iter().filter(|(_, has)| *has) {
        cpu += "+";
        cpu += name;
    }
    cpu
}

/// Compares with the baseline, if that was made on a CPU with the same vector instructions; otherwise only the [`limits`] say
/// something. A cipher that has become slower on the same CPU is a regression like any other.
fn compare(costs: &Costs, baseline: &Baseline) -> Result<()> {
    if baseline.cpu != cpu() {
        println!(
            "not compared with benches/baseline.json: this CPU is {}, and it was made on {}",
            cpu(),
            baseline.cpu
        );
        return Ok(());
    }
    let baseline = &baseline.costs;
    let mut worse = Vec::new();
    for (name, now) in costs {
        let Some(before) = baseline.get(name) else {
            bail!("{name} is not in benches/baseline.json: cargo xtask bench --save");
        };
        let change = (now.instructions / before.instructions - 1.0) * 100.0;
        if change.abs() > TOLERANCE {
            println!("{name}: {change:+.1} % against the baseline");
        }
        if change > TOLERANCE || now.allocations > before.allocations {
            worse.push(format!(
                "{name}: {change:+.1} %, {} allocations (were {})",
                now.allocations, before.allocations
            ));
        }
    }
    ensure!(
        worse.is_empty(),
        "worse than benches/baseline.json ({}); if meant: cargo xtask bench --save",
        worse.join("; ")
    );
    Ok(())
}

fn to_json(costs: &Costs) -> Value {
    let entry = |(name, cost): (&String, &Cost)| {
        (
            name.clone(),
            json!({"instructions": cost.instructions, "allocations": cost.allocations}),
        )
    };
    let scenarios: serde_json::Map<_, _> = costs.iter().map(entry).collect();
    json!({"cpu": cpu(), "scenarios": scenarios})
}

fn from_json(value: &Value) -> Result<Baseline> {
    let entry = |(name, cost): (&String, &Value)| {
        Some((
            name.clone(),
            Cost {
                instructions: cost["instructions"].as_f64()?,
                allocations: cost["allocations"].as_f64()?,
            },
        ))
    };
    let read = || {
        Some(Baseline {
            cpu: value["cpu"].as_str()?.to_owned(),
            costs: value["scenarios"]
                .as_object()?
                .iter()
                .map(entry)
                .collect::<Option<_>>()?,
        })
    };
    read().context("benches/baseline.json is malformed: cargo xtask bench --save")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(list: &[(&str, f64, f64)]) -> Costs {
        let entry = |&(name, instructions, allocations): &(&str, f64, f64)| {
            (
                name.to_owned(),
                Cost {
                    instructions,
                    allocations,
                },
            )
        };
        list.iter().map(entry).collect()
    }

    #[test]
    fn counts_are_read_from_what_callgrind_says() {
        let said = "allocations 3\n==12== Events    : Ir\n==12== Collected : 4711\n";
        assert_eq!(number_after(said, "Collected :"), Some(4711));
        assert_eq!(number_after(said, "allocations"), Some(3));
        assert_eq!(number_after(said, "Nothing"), None);
    }

    #[test]
    fn worse_by_more_than_the_tolerance_fails_and_better_does_not() {
        let before = Baseline {
            cpu: cpu(),
            costs: costs(&[("a", 1000.0, 0.0)]),
        };
        assert!(compare(&costs(&[("a", 1019.0, 0.0)]), &before).is_ok());
        assert!(compare(&costs(&[("a", 1021.0, 0.0)]), &before).is_err());
        assert!(compare(&costs(&[("a", 500.0, 0.0)]), &before).is_ok());
        assert!(compare(&costs(&[("a", 1000.0, 1.0)]), &before).is_err());
        assert!(
            compare(&costs(&[("b", 1.0, 0.0)]), &before).is_err(),
            "an unknown scenario has to be saved first"
        );
        let elsewhere = Baseline {
            cpu: "another".into(),
            ..before
        };
        assert!(compare(&costs(&[("a", 9999.0, 0.0)]), &elsewhere).is_ok());
    }

    /// Every scenario at its floor, but `name` as given.
    fn all_at_floor_but(name: &str, instructions: f64, allocations: f64) -> Costs {
        let mut all = costs(&[
            ("aead-open", 900.0, 0.0),
            ("aead-seal", 900.0, 0.0),
            ("memcpy", 100.0, 0.0),
            ("x25519", 1000.0, 0.0),
            ("transcode", 100.0, 0.0),
            // Each other's floor.
            ("cbc-bad-mac", 1000.0, 0.0),
            ("cbc-bad-padding", 1000.0, 0.0),
        ]);
        for limit in LIMITS {
            let floor = limit.floor.iter().map(|part| all[*part].instructions).sum();
            all.extend(costs(&[(limit.scenario, floor, 0.0)]));
        }
        all.extend(costs(&[(name, instructions, allocations)]));
        all
    }

    #[test]
    fn above_its_limit_a_scenario_fails_and_at_it_it_does_not() {
        let with = |name, instructions, allocations| {
            limits(&all_at_floor_but(name, instructions, allocations))
        };
        assert!(with("receive", 1150.0, 0.0).is_ok());
        assert!(with("receive", 1151.0, 0.0).is_err());
        assert!(with("receive", 1000.0, 0.5).is_err());
        assert!(with("send", 1200.0, 0.0).is_ok());
        assert!(with("send", 1201.0, 0.0).is_err());
        assert!(with("cbc-bad-padding", 1010.0, 0.0).is_ok());
        assert!(with("cbc-bad-padding", 1011.0, 0.0).is_err());
        assert!(
            with("cbc-bad-padding", 989.0, 0.0).is_err(),
            "cheaper shows, too"
        );
        assert!(with("transcode", 600.0, 0.0).is_ok());
        assert!(with("transcode", 601.0, 0.0).is_err());
    }

    #[test]
    fn a_baseline_survives_the_file() {
        let before = costs(&[("a", 1000.5, 0.0), ("b", 2.0, 3.0)]);
        let read = from_json(&to_json(&before)).unwrap();
        assert_eq!((read.cpu, read.costs), (cpu(), before));
        assert!(from_json(&json!({"a": {}})).is_err());
    }
}
