//! What `cargo xtask bench --loopback` runs, as two processes on one core each: cameras that send at a given rate, and a
//! client that says what receiving cost.
//!
//! ```text
//!   tutk-loopback camera PORT CAMERAS MBIT_PER_SECOND FRAMES_PER_SECOND SECONDS BURST
//!   tutk-loopback client PORT CAMERAS
//! ```
//!
//! Camera `n` listens at `PORT + n`. Each prints one JSON object at the end.

mod camera;
mod client;

use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context, Result, bail};

/// The cameras' credentials; all have the same.
const UID: &str = "SIMCAMSIMCAMSIMCAM11";
const ENR: &str = "sim-enr-16byte!!";
const MAC: &str = "00AA11BB22CC";

fn run(args: &[String]) -> Result<String> {
    fn number<T: FromStr>(args: &[String], at: usize) -> Result<T> {
        let text = args.get(at).context("too few arguments")?;
        text.parse().ok().context("not a number")
    }
    match args.first().map(String::as_str) {
        Some("camera") => camera::run(&camera::Load {
            port: number(args, 1)?,
            cameras: number(args, 2)?,
            bits_per_second: number::<f64>(args, 3)? * 1e6,
            frames_per_second: number(args, 4)?,
            seconds: number(args, 5)?,
            burst: number(args, 6)?,
        }),
        Some("client") => client::run(number(args, 1)?, number(args, 2)?),
        _ => bail!("usage: see the top of crates/tutk-bench/src/bin/tutk-loopback/main.rs"),
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
