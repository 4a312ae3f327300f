//! Budgets of firmware: flash, RAM, stack, instructions. `benches/size` is the firmware; `docs/memory.md` has the figures.

mod budget;
mod image;
pub(crate) mod panics;
mod report;
mod run;
mod types;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::process::{cargo, root, run as run_shown, target_dir};
use crate::setup;

use image::Image;
pub(crate) use image::no_floats;
use types::Types;

/// How much more than the committed figure is still the same, in percent.
const TOLERANCE: u64 = 2;
const BASELINE: &str = "benches/size.json";

/// What to build for: target, cargo profile, and the name under which figures of it stand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Build {
    pub(crate) name: &'static str,
    pub(crate) target: &'static str,
    profile: &'static str,
}

/// The first one is what the budgets are about.
pub(crate) const BUILDS: [Build; 4] = [
    Build {
        name: "riscv32imc s",
        target: "riscv32imc-unknown-none-elf",
        profile: "release",
    },
    Build {
        name: "riscv32imc 3",
        target: "riscv32imc-unknown-none-elf",
        profile: "fast",
    },
    Build {
        name: "thumbv7em s",
        target: "thumbv7em-none-eabihf",
        profile: "release",
    },
    Build {
        name: "thumbv7em 3",
        target: "thumbv7em-none-eabihf",
        profile: "fast",
    },
];

/// Images by the features that make them. The first has nothing in it and is taken off the others.
const IMAGES: [(&str, &str); 8] = [
    ("empty", ""),
    ("client", "client"),
    ("client + talk", "talk"),
    ("client + cc51", "cc51"),
    ("client + frames + lossless", "frames"),
    ("client + plain", "plain"),
    ("client + all of these", "talk,cc51,frames,plain"),
    ("camera", "camera"),
];

/// Figures of one build by name.
type Figures = BTreeMap<String, u64>;
/// Figures by the name of the build.
pub(crate) type All = BTreeMap<String, Figures>;

/// All that was found out about the first build, for the tables.
pub(crate) struct Detail {
    pub(crate) client: Image,
    pub(crate) types: Types,
}

/// Measures everything and writes it down.
pub(crate) fn write() -> Result<String> {
    let (all, detail) = measure_all(&BUILDS)?;
    let everything = types::read(&build(&BUILDS[0], "reach", "reach")?)?;
    std::fs::write(root().join(BASELINE), format!("{:#}\n", to_json(&all)))?;
    report::write(&all, &detail, &everything)?;
    Ok(budget::summary(&all))
}

/// Measures the first build, or all of them, and compares with what is written.
pub(crate) fn check(builds: &[Build]) -> Result<String> {
    let (all, _) = measure_all(builds)?;
    let text = std::fs::read_to_string(root().join(BASELINE)).context(BASELINE)?;
    let before = from_json(&serde_json::from_str(&text)?)?;
    let worse = worse(&all, &before);
    ensure!(
        worse.is_empty(),
        "gone, or more than {TOLERANCE} % above {BASELINE} (if that is meant, `cargo xtask size` writes it anew):\n{}",
        worse.join("\n")
    );
    ensure!(budget::kept(&all), "{}", budget::summary(&all));
    Ok(format!(
        "{} builds; {}",
        builds.len(),
        budget::summary(&all)
    ))
}

fn measure_all(builds: &[Build]) -> Result<(All, Detail)> {
    setup::packages()?;
    setup::bare_metal_targets(&BUILDS.map(|build| build.target))?;
    let mut all = All::new();
    let mut detail = None;
    for build in builds {
        let images = match all.is_empty() {
            true => &IMAGES[..],
            // The others are four minutes of linking for little news.
            false => &IMAGES[..4],
        };
        let (figures, image) = measure(build, images)?;
        detail.get_or_insert(image);
        all.insert(build.name.to_owned(), figures);
    }
    for (build, figures) in &all {
        for (name, figure) in figures {
            println!("{build:14} {name:40} {figure:>9}");
        }
    }
    Ok((all, detail.context("nothing was built")?))
}

/// Builds the image with `features` and answers with its path.
pub(crate) fn build(build: &Build, program: &str, features: &str) -> Result<PathBuf> {
    let target_dir = std::path::absolute(target_dir())?;
    let mut command = cargo(&format!(
        "build --quiet --locked --bin {program} --profile {} --target {} --target-dir {}",
        build.profile,
        build.target,
        target_dir.display()
    ));
    command.arg("--features").arg(features);
    // There, so that its .cargo/config.toml counts; and flags of ours do not.
    command.current_dir(root().join("benches/size"));
    command.env_remove("RUSTFLAGS");
    command.env_remove("CARGO_PROFILE_RELEASE_DEBUG");
    run_shown(&mut command)?;
    let folder = target_dir.join(build.target).join(build.profile);
    Ok(folder.join(program))
}

fn measure(which: &Build, images: &[(&str, &str)]) -> Result<(Figures, Detail)> {
    let mut figures = Figures::new();
    let mut empty = 0;
    let mut detail = None;
    for (name, features) in images {
        let path = build(which, "image", features)?;
        let image = Image::read(&path)?;
        no_floats(&path).with_context(|| (*name).to_owned())?;
        match *name {
            "empty" => {
                empty = image.flash;
                continue;
            }
            "client" => {
                let types = types::read(&path)?;
                figures.insert("ram.client".into(), ram(&types)?);
                figures.insert(flash(name), image.flash.saturating_sub(empty));
                detail = Some(Detail {
                    client: image,
                    types,
                });
            }
            _ => {
                figures.insert(flash(name), image.flash.saturating_sub(empty));
            }
        }
    }
    figures.append(&mut run::run(which)?);
    Ok((figures, detail.context("no image of a client")?))
}

fn flash(name: &str) -> String {
    format!("flash.{name}")
}

/// Static memory of a client in chunk mode: itself and what it is lent, without the datagram buffer.
fn ram(types: &Types) -> Result<u64> {
    let size = |name: &str| {
        let found = types
            .iter()
            .find(|(path, _)| path.ends_with(name) && path.starts_with("wyze_session"));
        found
            .map(|(_, of)| of.size)
            .with_context(|| format!("no type {name}"))
    };
    Ok(size("::client::Client")? + size("::memory::Memory<0, 0, 256, 0>")?)
}

fn worse(now: &All, before: &All) -> Vec<String> {
    let mut lines = Vec::new();
    for (build, figures) in now {
        for (name, &figure) in figures {
            let known = before.get(build).and_then(|figures| figures.get(name));
            match known {
                Some(&known) if figure * 100 <= known * (100 + TOLERANCE) => {}
                Some(known) => lines.push(format!("{build}: {name}: {known} -> {figure}")),
                None => lines.push(format!("{build}: {name}: {figure}, not in the file")),
            }
        }
        let known = before.get(build).into_iter().flat_map(Figures::keys);
        for gone in known.filter(|name| !figures.contains_key(*name)) {
            lines.push(format!("{build}: {gone}: not measured any more"));
        }
    }
    lines
}

fn to_json(all: &All) -> Value {
    all.iter()
        .map(|(build, figures)| {
            let figures = figures.iter().map(|(k, v)| (k.clone(), Value::from(*v)));
            (build.clone(), Value::Object(figures.collect()))
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn from_json(json: &Value) -> Result<All> {
    let object = |value: &Value| value.as_object().cloned().context("no object");
    let mut all = All::new();
    for (build, figures) in object(json)? {
        let mut known = Figures::new();
        for (name, figure) in object(&figures)? {
            known.insert(name, figure.as_u64().context("no number")?);
        }
        all.insert(build, known);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(figure: u64) -> All {
        let figures = Figures::from([("flash.client".to_owned(), figure)]);
        All::from([("riscv32imc s".to_owned(), figures)])
    }

    #[test]
    fn two_percent_more_pass_and_what_lies_above_or_is_new_does_not() {
        assert!(worse(&all(1020), &all(1000)).is_empty());
        assert!(worse(&all(500), &all(1000)).is_empty());
        assert_eq!(worse(&all(1021), &all(1000)).len(), 1);
        assert_eq!(worse(&all(1), &All::new()).len(), 1);
    }

    #[test]
    fn a_figure_that_is_not_measured_any_more_does_not_pass() {
        let mut before = all(1000);
        before.insert(
            "thumbv7em s".to_owned(),
            Figures::from([("a".to_owned(), 1)]),
        );
        assert!(worse(&all(1000), &before).is_empty());
        let figures = before.get_mut("riscv32imc s").unwrap();
        figures.insert("flash.camera".to_owned(), 1);
        let lines = worse(&all(1000), &before);
        assert_eq!(lines, ["riscv32imc s: flash.camera: not measured any more"]);
    }

    #[test]
    fn figures_survive_the_file() {
        assert_eq!(from_json(&to_json(&all(7))).unwrap(), all(7));
        assert!(from_json(&serde_json::json!({"a": {"b": "c"}})).is_err());
    }
}
