//! The firmware for the ESP32-C3 is compiled on every test run, and run on no machine: there is no such board here.

use anyhow::Result;

use crate::process::{cargo, root, run as run_shown, target_dir};
use crate::setup;

/// What is built into the firmware, here for nobody's camera.
const BUILT_IN: [(&str, &str); 5] = [
    ("WIFI_SSID", "example"),
    ("WIFI_PASSWORD", "example"),
    ("CAMERA_UID", "EXAMPLEEXAMPLE111111"),
    ("CAMERA_ENR", "example-example-"),
    ("CAMERA_MAC", "00AA11BB22CC"),
];

/// Checks it, with the versions of its own lock file.
pub(crate) fn run() -> Result<String> {
    setup::targets()?;
    run_shown(
        cargo(&format!(
            "check --quiet --release --manifest-path {}/crates/wyze-smoltcp/firmware/esp32c3/Cargo.toml \
             --target {} --target-dir {}",
            root().display(),
            setup::BARE_METAL[0],
            target_dir().join("firmware-esp32c3").display(),
        ))
        .envs(BUILT_IN),
    )?;
    Ok("compiled, not run".to_owned())
}
