//! The firmware of `crates/wyze-smoltcp/firmware` on QEMU's boards, against the program `wyze` over loopback.
//!
//! ```text
//!   viewer:  wyze camera --ledger ── [2 % loss] ── slirp ── firmware     every frame hashed on both sides
//!   camera:  firmware ── slirp ── wyze stream                            every frame hashed in flash and in the file
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use tutk_testkit::net::Faults;
use tutk_testkit::proxy::Proxy;

use crate::process::{Job, capture, cargo, root, run as run_shown, target_dir};
use crate::report::Summary;
use crate::setup;

const UID: &str = "QEMUCAMQEMUCAMQEMU11";
const ENR: &str = "QemuEnrQemuEnr16";
const MAC: &str = "00AA11BB22DD";

/// Longest time of one run; the clip lasts five seconds.
const LIMIT: Duration = Duration::from_secs(60);
/// Runs at the same time: they sleep most of it.
const AT_ONCE: usize = 4;

struct Board {
    package: &'static str,
    target: &'static str,
    program: &'static str,
    machine: &'static [&'static str],
    /// The network's option, and what its value begins with.
    network: [&'static str; 2],
    /// QEMU throws away what the device has no room for, so that what comes has to be spread as on a slow link.
    paced: bool,
}

const BOARDS: [Board; 2] = [
    Board {
        package: "qemu-riscv32",
        target: setup::FIRMWARE[0],
        program: "qemu-system-riscv32",
        machine: &[
            "-M",
            "virt",
            "-bios",
            "none",
            "-global",
            "virtio-mmio.force-legacy=false",
            "-device",
            "virtio-net-device,netdev=slirp",
        ],
        network: ["-netdev", "user,id=slirp"],
        paced: false,
    },
    Board {
        package: "qemu-cortex-m",
        target: setup::FIRMWARE[1],
        program: "qemu-system-arm",
        machine: &["-M", "mps2-an386"],
        network: ["-nic", "user,model=lan9118"],
        paced: true,
    },
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Viewer,
    /// With this many datagrams of a hundred lost.
    LossyViewer(u8),
    Camera,
}

struct Case {
    name: String,
    board: &'static Board,
    image: PathBuf,
    framing: &'static str,
    role: Role,
}

/// Builds the firmware and runs it in every variety.
pub(crate) fn run() -> Result<String> {
    setup::targets()?;
    run_shown(&mut cargo("build --release -p wyze-cli"))?;
    let wyze = std::path::absolute(target_dir().join("release/wyze"))?;
    let mut cases = Vec::new();
    for board in &BOARDS {
        let viewer = build(board, "viewer", "")?;
        let camera = build(board, "camera", "--features camera")?;
        for framing in ["transcode", "cc51"] {
            for role in [Role::Viewer, Role::LossyViewer(2), Role::Camera] {
                let (what, image) = match role {
                    Role::Viewer => ("viewer", &viewer),
                    Role::LossyViewer(_) => ("viewer, 2 % loss", &viewer),
                    Role::Camera => ("camera", &camera),
                };
                cases.push(Case {
                    name: format!("{}, {framing}, {what}", board.package),
                    board,
                    image: image.clone(),
                    framing,
                    role,
                });
            }
        }
    }
    let mut summary = Summary::default();
    for some in cases.chunks(AT_ONCE) {
        std::thread::scope(|scope| {
            let wyze = &wyze;
            let start = |case| {
                scope.spawn(move || {
                    let start = Instant::now();
                    let outcome = run_case(wyze, case);
                    (start.elapsed(), outcome)
                })
            };
            let threads: Vec<_> = some.iter().map(start).collect();
            for (case, thread) in some.iter().zip(threads) {
                let (took, outcome) = thread
                    .join()
                    .unwrap_or_else(|_| (Duration::ZERO, Err(anyhow::anyhow!("it panicked"))));
                summary.add(&case.name, took, outcome);
            }
        });
    }
    println!("{summary}");
    summary.verdict()
}

/// Builds one firmware and answers where it lies.
fn build(board: &Board, name: &str, features: &str) -> Result<PathBuf> {
    let dir = std::path::absolute(target_dir())?.join("firmware");
    run_shown(&mut cargo(&format!(
        "build --quiet --release --manifest-path {}/crates/wyze-smoltcp/firmware/Cargo.toml -p {} --target {} \
         --target-dir {} {features}",
        root().display(),
        board.package,
        board.target,
        dir.display(),
    )))?;
    let built = dir.join(board.target).join("release").join(board.package);
    // The next set of features takes its place.
    let image = dir.join(format!("{}-{name}", board.package));
    fs::copy(&built, &image).with_context(|| built.display().to_string())?;
    Ok(image)
}

fn run_case(wyze: &Path, case: &Case) -> Result<String> {
    match case.role {
        Role::Viewer => watch(wyze, case, None),
        Role::LossyViewer(loss) => watch(wyze, case, Some(loss)),
        Role::Camera => be_watched(wyze, case),
    }
}

/// QEMU with this firmware, its console on stdout.
fn qemu(case: &Case, port: u16, network: &str) -> Command {
    let arguments = [
        case.board.package,
        &port.to_string(),
        case.framing,
        UID,
        ENR,
        MAC,
        &random(),
    ]
    .map(|word| format!(",arg={word}"));
    let mut command = Command::new(case.board.program);
    command
        .args(case.board.machine)
        .args(["-display", "none", "-monitor", "none", "-serial", "stdio"])
        .arg("-semihosting-config")
        .arg(format!("enable=on,target=native{}", arguments.concat()))
        .arg(case.board.network[0])
        .arg(format!("{}{network}", case.board.network[1]))
        .arg("-kernel")
        .arg(&case.image);
    command
}

/// 64 hexadecimal digits, others in every run.
fn random() -> String {
    let words = std::iter::repeat_with(|| RandomState::new().build_hasher().finish());
    words.take(4).map(|word| format!("{word:016x}")).collect()
}

/// The firmware watches a virtual camera, which hangs up at the end of its clip.
fn watch(wyze: &Path, case: &Case, loss: Option<u8>) -> Result<String> {
    let dir = tempfile::tempdir()?;
    let ledger = dir.path().join("ledger");
    let mut camera = Command::new(wyze);
    camera
        .args(["camera", "--listen", "127.0.0.1:0", "--once", "--no-repeat"])
        .args(["--framing", case.framing])
        .args(["--uid", UID, "--enr", ENR, "--mac", MAC])
        .arg("--file")
        .arg(root().join("assets/demo.mp4"))
        .arg("--ledger")
        .arg(&ledger);
    let mut camera = Job::start(&mut camera)?;
    let end = Instant::now() + LIMIT;
    let mut port = None;
    camera.wait_until(end, "it listened", |said| {
        port = listening_port(said);
        port.is_some()
    })?;
    let port = port.context("the camera's port")?;
    // The proxy passes on a datagram a millisecond.
    let proxy = loss.or(case.board.paced.then_some(0)).map(|loss| {
        let faults = Faults {
            loss,
            ..Faults::NONE
        };
        let camera = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Proxy::start(camera, 5, faults, LIMIT)
    });
    let proxy = proxy.transpose()?;
    let port = proxy.as_ref().map_or(port, |proxy| proxy.addr().port());
    let said = capture(&mut qemu(case, port, ""), LIMIT)?;
    let status = camera.wait(end)?;
    ensure!(status.success(), "the camera failed:\n{}", camera.said());

    let theirs = Ledger::parse(&fs::read_to_string(&ledger)?);
    let ours = Ledger::parse(&said);
    if loss.is_some() {
        compare_lossy(&theirs, &ours)
    } else {
        ensure!(
            said.contains("# closed by the camera"),
            "the firmware heard no goodbye:\n{said}"
        );
        compare(&theirs, &ours)
    }
    .with_context(|| said.trim().to_owned())
}

fn listening_port(said: &str) -> Option<u16> {
    let (_, rest) = said.split_once("listening on 127.0.0.1:")?;
    rest.split_once(',')?.0.parse().ok()
}

/// The firmware shows its clip to `wyze stream`.
fn be_watched(wyze: &Path, case: &Case) -> Result<String> {
    let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port();
    let network = format!(",hostfwd=udp:127.0.0.1:{port}-:32761");
    let mut firmware = Job::start(&mut qemu(case, port, &network))?;
    let end = Instant::now() + LIMIT;
    let mut frames = None;
    firmware.wait_until(end, "it waited for a viewer", |said| {
        frames = clip_frames(said);
        frames.is_some()
    })?;
    let dir = tempfile::tempdir()?;
    let film = dir.path().join("film.h264");
    capture(
        Command::new(wyze)
            .arg("stream")
            .arg(format!(
                "wyze://127.0.0.1:{port}?uid={UID}&enr={ENR}&mac={MAC}&dtls=true"
            ))
            .arg("-o")
            .arg(&film)
            .args([
                "--frames",
                &frames.context("frames of the clip")?.to_string(),
            ]),
        LIMIT,
    )
    .with_context(|| firmware.said())?;
    let status = firmware.wait(end)?;
    let said = firmware.said();
    ensure!(status.success(), "the firmware failed:\n{said}");
    check_film(&fs::read(&film)?, &Ledger::parse(&said)).with_context(|| said.trim().to_owned())
}

/// What a firmware that is a camera says before it waits.
fn clip_frames(said: &str) -> Option<u32> {
    let (_, rest) = said.split_once("# a clip of ")?;
    rest.split_once(' ')?.0.parse().ok()
}

/// Every frame that the firmware sent lies in the film, and nothing else does.
fn check_film(film: &[u8], sent: &Ledger) -> Result<String> {
    let frames = sent.stream("video");
    ensure!(!frames.is_empty(), "the firmware sent no frame");
    let mut rest = film;
    for (number, frame) in frames.iter().enumerate() {
        let (bytes, behind) = rest
            .split_at_checked(frame.len)
            .with_context(|| format!("the film ends in frame {number}"))?;
        ensure!(
            frame.hash == hash(bytes),
            "frame {number} differs in the film"
        );
        rest = behind;
    }
    ensure!(rest.is_empty(), "{} bytes too many in the film", rest.len());
    Ok(format!("{} video frames equal", frames.len()))
}

fn hash(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Frames by stream: what `wyze camera --ledger` and the firmware write, a line each.
#[derive(Debug, Default)]
struct Ledger(BTreeMap<String, Vec<Entry>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    len: usize,
    hash: String,
}

impl Ledger {
    /// Takes the lines that are entries.
    fn parse(text: &str) -> Self {
        let mut ledger = Self::default();
        for line in text.lines() {
            let words: Vec<_> = line.split_ascii_whitespace().collect();
            if let [stream @ ("video" | "audio" | "talk"), len, hash] = words[..]
                && let (Ok(len), 64) = (len.parse(), hash.len())
            {
                let entry = Entry {
                    len,
                    hash: hash.to_owned(),
                };
                ledger.0.entry(stream.to_owned()).or_default().push(entry);
            }
        }
        ledger
    }

    fn stream(&self, name: &str) -> &[Entry] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }
}

/// The same frames on both sides, in every stream.
fn compare(camera: &Ledger, firmware: &Ledger) -> Result<String> {
    let mut counts = Vec::new();
    for name in ["video", "audio", "talk"] {
        let (theirs, ours) = (camera.stream(name), firmware.stream(name));
        ensure!(!theirs.is_empty(), "the camera's ledger has no {name}");
        if theirs != ours {
            let first = theirs.iter().zip(ours).position(|(a, b)| a != b);
            bail!(
                "{name}: {} frames at the camera, {} in the firmware, the first that differs is {}",
                theirs.len(),
                ours.len(),
                first.unwrap_or(theirs.len().min(ours.len()))
            );
        }
        counts.push(format!("{} {name}", ours.len()));
    }
    Ok(format!("{} frames equal", counts.join(", ")))
}

/// What arrived is what was sent, in order, and not much is missing. Without memory for frames, a lost packet costs video
/// everything up to the next key frame.
fn compare_lossy(camera: &Ledger, firmware: &Ledger) -> Result<String> {
    let mut counts = Vec::new();
    for (name, sent, received, least_percent) in [
        ("video", camera, firmware, 5),
        ("audio", camera, firmware, 80),
        // Where the camera's login was lost it hears nothing of half a second.
        ("talk", firmware, camera, 0),
    ] {
        let (sent, received) = (sent.stream(name), received.stream(name));
        ensure!(
            is_part_of(received, sent),
            "{name}: a frame that was never sent arrived"
        );
        ensure!(
            received.len() * 100 >= sent.len() * least_percent && !sent.is_empty(),
            "{name}: only {} of {} frames arrived",
            received.len(),
            sent.len()
        );
        counts.push(format!("{}/{} {name}", received.len(), sent.len()));
    }
    Ok(format!("{} frames", counts.join(", ")))
}

/// Whether `some` are entries of `all` in their order.
fn is_part_of(some: &[Entry], all: &[Entry]) -> bool {
    let mut all = all.iter();
    some.iter().all(|entry| all.any(|other| other == entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(lines: &[(&str, &str)]) -> Ledger {
        let line = |(stream, data): &(&str, &str)| {
            format!("{stream} {} {}\n", data.len(), hash(data.as_bytes()))
        };
        Ledger::parse(&lines.iter().map(line).collect::<String>())
    }

    const ALL: [(&str, &str); 5] = [
        ("video", "one"),
        ("audio", "x"),
        ("video", "two"),
        ("video", "three"),
        ("talk", "t"),
    ];

    #[test]
    fn entries_are_told_from_other_lines() {
        let hash = hash(b"abc");
        let text = format!("# video 3 frames\nvideo 3 {hash}\nvideo x {hash}\nvideo 3 ab\n");
        let ledger = Ledger::parse(&text);
        assert_eq!(ledger.stream("video").len(), 1);
        assert!(ledger.stream("audio").is_empty());
    }

    #[test]
    fn a_frame_that_is_missing_or_differs_is_noticed() {
        assert!(compare(&ledger(&ALL), &ledger(&ALL)).is_ok());
        assert!(compare(&ledger(&ALL), &ledger(&ALL[1..])).is_err());
        let mut other = ALL;
        other[2].1 = "tow";
        assert!(compare(&ledger(&ALL), &ledger(&other)).is_err());
        assert!(compare(&ledger(&[]), &ledger(&[])).is_err());
    }

    #[test]
    fn loss_takes_frames_away_and_adds_none() {
        assert!(compare_lossy(&ledger(&ALL), &ledger(&ALL[1..])).is_ok());
        let mut other = ALL;
        other.swap(0, 2);
        assert!(compare_lossy(&ledger(&ALL), &ledger(&other)).is_err());
        assert!(compare_lossy(&ledger(&ALL), &ledger(&ALL[2..])).is_err());
    }

    #[test]
    fn a_film_is_cut_at_the_frames() {
        let sent = ledger(&ALL);
        assert!(check_film(b"onetwothree", &sent).is_ok());
        assert!(check_film(b"onetwothre", &sent).is_err());
        assert!(check_film(b"onetwothree.", &sent).is_err());
        assert!(check_film(b"onetowthree", &sent).is_err());
    }

    #[test]
    fn ports_and_counts_are_read() {
        assert_eq!(
            listening_port("listening on 127.0.0.1:4711, 3 v"),
            Some(4711)
        );
        assert_eq!(clip_frames("# a clip of 75 frames\n"), Some(75));
    }
}
