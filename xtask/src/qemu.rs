//! The firmware of `crates/wyze-smoltcp/firmware` on QEMU's boards, against the program `wyze` over loopback, and board
//! against board.
//!
//! ```text
//!   viewer:  wyze camera --ledger ── [2 % loss] ── slirp ── firmware      every frame hashed on both sides
//!   camera:  firmware ── slirp ── wyze stream --ledger                    the same
//!   boards:  firmware ── a cable between two QEMUs ── firmware            the same, found by broadcast
//!   RTIC:    wyze camera --ledger ── slirp ── the counter of docs/embedding.md      as many pictures
//! ```

mod chance;
mod ledger;

use std::collections::VecDeque;
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tutk_testkit::net::Faults;
use tutk_testkit::proxy::Proxy;

use crate::process::{Job, capture, cargo, root, run as run_shown, target_dir};
use crate::report::Summary;
use crate::setup;
use crate::size::no_floats;
use ledger::{KEY_INTERVAL, Ledger, compare, compare_lossy};

const UID: &str = "QEMUCAMQEMUCAMQEMU11";
const ENR: &str = "QemuEnrQemuEnr16";
const MAC: &str = "00AA11BB22DD";

/// Longest time of one run; the longest clip lasts ten seconds.
const LIMIT: Duration = Duration::from_secs(60);
/// Runs at the same time: they sleep most of it.
const AT_ONCE: usize = 4;

/// slirp's network when nothing else is said, and the host in it.
const SLIRP: &str = "10.0.2.15/24";
const SLIRP_HOST: &str = "10.0.2.2";
/// A network of which the firmware only knows by DHCP.
const LEASES: &str = ",net=192.168.76.0/24,dhcpstart=192.168.76.9";
const LEASE: &str = "192.168.76.9/24 by DHCP";
/// Two boards on a cable.
const CABLE_CAMERA: &str = "10.9.8.1";
const CABLE_VIEWER: &str = "10.9.8.2";

/// Frames of the tone that a viewer says, 20 ms each; more where the camera may begin to listen late.
const TONE: u32 = 25;
const LONG_TONE: u32 = 150;

struct Board {
    package: &'static str,
    target: &'static str,
    program: &'static str,
    machine: &'static [&'static str],
    /// The network's option, and what its value ends with.
    network: [&'static str; 2],
    /// QEMU throws away what the device has no room for, so that what comes has to be spread as on a slow link.
    paced: bool,
    /// Without a unit for floating point, so that an image shows whether there is any in it: the adapter, smoltcp and
    /// the session together.
    emulates_floats: bool,
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
            // Not the other board's address.
            "virtio-net-device,netdev=lan,mac=52:54:00:12:34:57",
        ],
        network: ["-netdev", ",id=lan"],
        paced: false,
        emulates_floats: true,
    },
    Board {
        package: "qemu-cortex-m",
        target: setup::FIRMWARE[1],
        program: "qemu-system-arm",
        machine: &["-M", "mps2-an386"],
        network: ["-nic", ",model=lan9118"],
        paced: true,
        emulates_floats: false,
    },
];

/// The second board with the tasks of RTIC instead of a loop.
const RTIC: Board = Board {
    package: "rtic-cortex-m",
    ..BOARDS[1]
};

/// A board with its firmware.
struct Firmware {
    board: &'static Board,
    viewer: PathBuf,
    camera: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// With an address of its own, of a camera whose address is known.
    Viewer,
    /// With an address by DHCP, of a camera that is found by broadcast.
    SearchingViewer,
    /// With this many datagrams of a hundred lost.
    LossyViewer(u8),
    Camera,
}

/// Builds the firmware and runs it in every variety.
pub(crate) fn run() -> Result<String> {
    setup::targets()?;
    run_shown(&mut cargo("build --locked --release -p wyze-cli"))?;
    let dir = tempfile::tempdir()?;
    let host = Host {
        wyze: std::path::absolute(target_dir().join("release/wyze"))?,
        long_clip: long_clip(dir.path())?,
    };
    let mut firmware = Vec::new();
    for board in &BOARDS {
        firmware.push(Firmware {
            board,
            viewer: build(board, "viewer", "")?,
            camera: build(board, "camera", "--features camera")?,
        });
    }
    let mut summary = Summary::default();
    let counter = build(&RTIC, "viewer", "")?;
    for (name, took, outcome) in run_all(cases(&host, &firmware, &counter)) {
        summary.add(&name, took, outcome);
    }
    println!("{summary}");
    summary.verdict()
}

/// What is run, and what it is called.
type Case<'a> = (String, Box<dyn Fn() -> Result<String> + Send + 'a>);

fn cases<'a>(host: &'a Host, firmware: &'a [Firmware], counter: &'a Path) -> Vec<Case<'a>> {
    let mut cases: Vec<Case<'a>> = Vec::new();
    for firmware in firmware {
        for (framing, viewer) in [("transcode", Role::SearchingViewer), ("cc51", Role::Viewer)] {
            // The longest first.
            for role in [Role::LossyViewer(2), viewer, Role::Camera] {
                let what = match role {
                    Role::Viewer => "viewer",
                    Role::SearchingViewer => "viewer, DHCP and broadcast",
                    Role::LossyViewer(_) => "viewer, 2 % loss",
                    Role::Camera => "camera",
                };
                cases.push((
                    format!("{}, {framing}, {what}", firmware.board.package),
                    Box::new(move || match role {
                        Role::Camera => be_watched(host, firmware, framing),
                        _ => watch(host, firmware, framing, role),
                    }),
                ));
            }
        }
    }
    let [viewer, camera] = firmware else {
        unreachable!("two boards")
    };
    for framing in ["transcode", "cc51"] {
        cases.push((
            format!(
                "{} watches {}, {framing}",
                viewer.board.package, camera.board.package
            ),
            Box::new(move || watch_each_other(viewer, camera, framing)),
        ));
    }
    cases.push((
        format!("{}, transcode, pictures", RTIC.package),
        Box::new(|| count(host, counter)),
    ));
    cases
}

/// Runs some at the same time; what came of each, in their order, and how long it took.
fn run_all(cases: Vec<Case<'_>>) -> Vec<(String, Duration, Result<String>)> {
    let waiting = Mutex::new(cases.into_iter().enumerate().collect::<VecDeque<_>>());
    let next = || waiting.lock().ok()?.pop_front();
    let work = || {
        let mut done = Vec::new();
        while let Some((number, (name, case))) = next() {
            let start = Instant::now();
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(case));
            let outcome = outcome.unwrap_or_else(|_| Err(anyhow::anyhow!("it panicked")));
            done.push((number, (name, start.elapsed(), outcome)));
        }
        done
    };
    let mut done = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        let done = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_default());
        done.collect::<Vec<_>>()
    });
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

/// The host's side of the runs.
struct Host {
    wyze: PathBuf,
    /// A clip for lossy links: twice as long as the demo, with a key frame twice a second.
    long_clip: PathBuf,
}

impl Host {
    /// A camera that shows `clip` to one viewer, writes down what it sent, and hangs up at its end; and its port.
    fn start_camera(&self, clip: &Path, framing: &str, ledger: &Path) -> Result<(Job, u16)> {
        let mut camera = Command::new(&self.wyze);
        camera
            .args(["camera", "--listen", "127.0.0.1:0", "--once", "--no-repeat"])
            .args(["--framing", framing])
            .args(["--uid", UID, "--enr", ENR, "--mac", MAC])
            .arg("--file")
            .arg(clip)
            .arg("--ledger")
            .arg(ledger);
        let mut camera = Job::start(&mut camera)?;
        let mut port = None;
        camera.wait_until(Instant::now() + LIMIT, "it listened", |said| {
            port = listening_port(said);
            port.is_some()
        })?;
        Ok((camera, port.context("the camera's port")?))
    }
}

fn long_clip(dir: &Path) -> Result<PathBuf> {
    let clip = dir.join("long.mp4");
    capture(
        Command::new("ffmpeg")
            .args(["-v", "error", "-stream_loop", "1", "-i"])
            .arg(root().join("assets/demo.mp4"))
            .args(["-t", "10", "-vf", "scale=320:180", "-c:a", "copy"])
            .args(["-c:v", "libx264", "-preset", "ultrafast", "-b:v", "150k"])
            .args(["-g", &KEY_INTERVAL.to_string()])
            .args(["-keyint_min", &KEY_INTERVAL.to_string()])
            .args(["-sc_threshold", "0", "-bf", "0"])
            .arg(&clip),
        LIMIT,
    )?;
    Ok(clip)
}

/// Builds one firmware, with the versions of its lock file, and answers where it lies.
fn build(board: &Board, name: &str, features: &str) -> Result<PathBuf> {
    let dir = std::path::absolute(target_dir())?.join("firmware");
    run_shown(&mut cargo(&format!(
        "build --quiet --locked --release --manifest-path {}/crates/wyze-smoltcp/firmware/Cargo.toml -p {} \
         --target {} --target-dir {} {features}",
        root().display(),
        board.package,
        board.target,
        dir.display(),
    )))?;
    let built = dir.join(board.target).join("release").join(board.package);
    // The next set of features takes its place.
    let image = dir.join(format!("{}-{name}", board.package));
    fs::copy(&built, &image).with_context(|| built.display().to_string())?;
    if board.emulates_floats {
        no_floats(&image)?;
    }
    Ok(image)
}

/// What a firmware is told beside who the camera is.
struct Told<'a> {
    /// Its own, or `dhcp`.
    address: &'a str,
    framing: &'a str,
    /// A viewer: where the camera is, or `broadcast`, and how long to talk. A camera does not look at them.
    camera: &'a str,
    tone: u32,
}

/// QEMU with this firmware on this network, its console on stdout.
fn qemu(board: &Board, image: &Path, network: &str, told: &Told<'_>) -> Command {
    let arguments = [
        board.package,
        told.address,
        told.framing,
        UID,
        ENR,
        MAC,
        &random(),
        told.camera,
        &told.tone.to_string(),
    ]
    .map(|word| format!(",arg={word}"));
    let mut command = Command::new(board.program);
    command
        .args(board.machine)
        .args(["-display", "none", "-monitor", "none", "-serial", "stdio"])
        .arg("-semihosting-config")
        .arg(format!("enable=on,target=native{}", arguments.concat()))
        .arg(board.network[0])
        .arg(format!("{network}{}", board.network[1]))
        .arg("-kernel")
        .arg(image);
    command
}

/// 64 hexadecimal digits, others in every run.
fn random() -> String {
    let words = std::iter::repeat_with(|| RandomState::new().build_hasher().finish());
    words.take(4).map(|word| format!("{word:016x}")).collect()
}

/// The firmware watches a virtual camera, which hangs up at the end of its clip.
fn watch(host: &Host, firmware: &Firmware, framing: &str, role: Role) -> Result<String> {
    let loss = match role {
        Role::LossyViewer(percent) => Some(percent),
        _ => None,
    };
    let dir = tempfile::tempdir()?;
    let ledger = dir.path().join("ledger");
    let demo = root().join("assets/demo.mp4");
    let clip = loss.map_or(&demo, |_| &host.long_clip);
    let (mut camera, port) = host.start_camera(clip, framing, &ledger)?;
    let proxy = loss.or(firmware.board.paced.then_some(0));
    let proxy = proxy.map(|loss| paced(port, loss)).transpose()?;
    let port = proxy.as_ref().map_or(port, |proxy| proxy.addr().port());
    let searching = role == Role::SearchingViewer;
    let told = Told {
        address: if searching { "dhcp" } else { SLIRP },
        framing,
        // slirp takes a broadcast to all networks, and no other one, to the host's loopback.
        camera: &if searching {
            format!("255.255.255.255:{port}")
        } else {
            format!("{SLIRP_HOST}:{port}")
        },
        tone: loss.map_or(TONE, |_| LONG_TONE),
    };
    let network = format!("user{}", if searching { LEASES } else { "" });
    let mut qemu = qemu(firmware.board, &firmware.viewer, &network, &told);
    let said = capture(&mut qemu, LIMIT)?;
    let status = camera.wait(Instant::now() + LIMIT)?;
    ensure!(status.success(), "the camera failed:\n{}", camera.said());

    let theirs = Ledger::parse(&fs::read_to_string(&ledger)?);
    let ours = Ledger::parse(&said);
    let outcome = match (loss, &proxy) {
        (Some(loss), Some(proxy)) => compare_lossy(&theirs, &ours, loss, proxy.lost()),
        _ => said_all(&said, searching, &format!("127.0.0.1:{port}"))
            .and_then(|()| compare(&["video", "audio", "talk"], &theirs, &ours)),
    };
    outcome.with_context(|| said.trim().to_owned())
}

/// The counter under RTIC watches a virtual camera, and counts as many pictures as that sent.
fn count(host: &Host, counter: &Path) -> Result<String> {
    let dir = tempfile::tempdir()?;
    let ledger = dir.path().join("ledger");
    let demo = root().join("assets/demo.mp4");
    let (mut camera, port) = host.start_camera(&demo, "transcode", &ledger)?;
    let proxy = paced(port, 0)?;
    let told = Told {
        address: SLIRP,
        framing: "transcode",
        camera: &format!("{SLIRP_HOST}:{}", proxy.addr().port()),
        tone: 0,
    };
    let said = capture(&mut qemu(&RTIC, counter, "user", &told), LIMIT)?;
    let status = camera.wait(Instant::now() + LIMIT)?;
    ensure!(status.success(), "the camera failed:\n{}", camera.said());
    let sent = Ledger::parse(&fs::read_to_string(&ledger)?).len("video");
    ensure!(
        sent > 0 && said.contains(&format!("# {sent} pictures, ")),
        "the camera sent {sent} pictures, and the firmware said:\n{said}"
    );
    Ok(format!("{sent} pictures"))
}

/// A way to the camera at `port` that passes on a datagram a millisecond, and loses `loss` of a hundred.
fn paced(port: u16, loss: u8) -> Result<Proxy> {
    let faults = Faults {
        loss,
        ..Faults::NONE
    };
    let camera = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    Ok(Proxy::start(camera, 5, faults, LIMIT)?)
}

/// What a viewer has to say where nothing is lost. A search finds the camera here; slirp gives its answer away.
fn said_all(said: &str, searching: bool, found: &str) -> Result<()> {
    ensure!(
        said.contains("# closed by the camera"),
        "the firmware heard no goodbye"
    );
    ensure!(
        !searching || said.contains(LEASE),
        "the firmware's address is not the lease {LEASE}"
    );
    ensure!(
        !searching || said.contains(&format!("# Found {{ from: {found},")),
        "no camera found at {found}"
    );
    Ok(())
}

fn listening_port(said: &str) -> Option<u16> {
    let (_, rest) = said.split_once("listening on 127.0.0.1:")?;
    rest.split_once(',')?.0.parse().ok()
}

/// Starts a firmware that is a camera, and waits until it is one. How many pictures its clip has.
fn start_camera(
    firmware: &Firmware,
    network: &str,
    address: &str,
    framing: &str,
) -> Result<(Job, u32)> {
    let told = Told {
        address,
        framing,
        camera: "-",
        tone: 0,
    };
    let mut camera = Job::start(&mut qemu(firmware.board, &firmware.camera, network, &told))?;
    let mut frames = None;
    camera.wait_until(Instant::now() + LIMIT, "it waited for a viewer", |said| {
        frames = clip_frames(said);
        frames.is_some()
    })?;
    Ok((camera, frames.context("frames of the clip")?))
}

/// The firmware shows its clip to `wyze stream`.
fn be_watched(host: &Host, firmware: &Firmware, framing: &str) -> Result<String> {
    let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port();
    let network = format!("user,hostfwd=udp:127.0.0.1:{port}-:32761");
    let (mut camera, frames) = start_camera(firmware, &network, SLIRP, framing)?;
    let dir = tempfile::tempdir()?;
    let ledger = dir.path().join("ledger");
    capture(
        Command::new(&host.wyze)
            .arg("stream")
            .arg(format!(
                "wyze://127.0.0.1:{port}?uid={UID}&enr={ENR}&mac={MAC}&dtls=true"
            ))
            .args(["--frames", &frames.to_string(), "--reconnect", "off"])
            .arg("-o")
            .arg(dir.path().join("film.mp4"))
            .arg("--ledger")
            .arg(&ledger),
        LIMIT,
    )
    .with_context(|| camera.said())?;
    let status = camera.wait(Instant::now() + LIMIT)?;
    let said = camera.said();
    ensure!(status.success(), "the firmware failed:\n{said}");
    let theirs = Ledger::parse(&said);
    let ours = Ledger::parse(&fs::read_to_string(&ledger)?);
    compare(&["video", "audio"], &theirs, &ours).with_context(|| said.trim().to_owned())
}

/// One board finds another by broadcast and watches it, and nothing else is on their network.
fn watch_each_other(viewer: &Firmware, camera: &Firmware, framing: &str) -> Result<String> {
    // A cable is a TCP connection of one QEMU to the other.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port();
    let cable = |end| format!("socket,{end}=127.0.0.1:{port}");
    let address = format!("{CABLE_CAMERA}/24");
    let (mut camera, _) = start_camera(camera, &cable("listen"), &address, framing)?;
    let told = Told {
        address: &format!("{CABLE_VIEWER}/24"),
        framing,
        camera: "broadcast",
        tone: TONE,
    };
    let mut qemu = qemu(viewer.board, &viewer.viewer, &cable("connect"), &told);
    let seen = capture(&mut qemu, LIMIT).with_context(|| camera.said())?;
    let status = camera.wait(Instant::now() + LIMIT)?;
    let said = camera.said();
    ensure!(status.success(), "the camera failed:\n{said}");
    said_all(&seen, false, "")?;
    ensure!(
        seen.contains(&format!("# Found {{ from: {CABLE_CAMERA}:32761,")),
        "no camera found by broadcast:\n{seen}"
    );
    compare(
        &["video", "audio", "talk"],
        &Ledger::parse(&said),
        &Ledger::parse(&seen),
    )
    .with_context(|| format!("{}\n{}", said.trim(), seen.trim()))
}

/// What a firmware that is a camera says before it waits.
fn clip_frames(said: &str) -> Option<u32> {
    let (_, rest) = said.split_once("# a clip of ")?;
    rest.split_once(' ')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_counts_are_read() {
        assert_eq!(
            listening_port("listening on 127.0.0.1:4711, 3 v"),
            Some(4711)
        );
        assert_eq!(clip_frames("# a clip of 75 frames\n"), Some(75));
    }

    #[test]
    fn a_search_has_to_end_at_the_lease_and_the_camera() {
        let said = "# at 192.168.76.9/24 by DHCP, router\n# Found { from: 127.0.0.1:9, f\n# closed by the camera";
        assert!(said_all(said, true, "127.0.0.1:9").is_ok());
        assert!(said_all(said, true, "127.0.0.1:8").is_err());
        assert!(said_all(&said.replace("76.9", "2.15"), true, "127.0.0.1:9").is_err());
        assert!(said_all("# lost", false, "").is_err());
    }

    #[test]
    fn the_rtic_program_in_the_documentation_is_the_one_that_runs() {
        // However the lines are broken, and whoever sees what.
        let bare = |text: &str| -> String {
            let text = text.replace("pub(crate) ", "");
            text.split(|c: char| c == ',' || c.is_whitespace())
                .collect()
        };
        let folder = root().join("crates/wyze-smoltcp/firmware/rtic-cortex-m/src");
        let read = |name: &str| bare(&fs::read_to_string(folder.join(name)).unwrap());
        let text = fs::read_to_string(root().join("docs/embedding.md")).unwrap();
        let (_, text) = text.split_once("\n## RTIC\n").unwrap();
        let block = |from: &str| {
            let (_, rest) = text.split_once(from).unwrap();
            bare(rest.split_once("\n```").unwrap().0)
        };
        assert!(read("main.rs").contains(&block("```text\n")));
        assert!(read("network.rs").contains(&block("/// The local resources")));
    }

    #[test]
    fn every_case_is_run_and_told_in_order() {
        let case = |n: usize| -> Case<'static> {
            (n.to_string(), Box::new(move || Ok(format!("note {n}"))))
        };
        let mut cases: Vec<_> = (0..9).map(case).collect();
        cases.push(("9".to_owned(), Box::new(|| panic!("as it should"))));
        let done = run_all(cases);
        let names: Vec<_> = done.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
        assert_eq!(done[8].2.as_ref().unwrap(), "note 8");
        assert!(done[9].2.is_err());
    }
}
