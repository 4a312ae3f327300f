//! `wyze` on a machine with nine interfaces, a camera behind each: network namespaces joined by virtual cables. Takes Linux with
//! `ip` (iproute2), `unshare` and `nsenter` (util-linux), and root or user namespaces.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::harness::*;

/// More than the addresses that one search of the core goes to, which are 8.
const INTERFACES: u8 = 9;

/// The machine and its cameras, n = 1 to [`INTERFACES`]. Machine and camera are 10.77.n.1 and 10.77.n.2; those with odd n speak
/// TransCode, the others CC51. There is no other route.
struct Lab {
    /// Holds the machine's namespace for as long as this process lives.
    machine: Child,
    /// What else there is to enter.
    user: &'static [&'static str],
    cameras: Vec<Camera>,
}

impl Lab {
    fn start() -> Self {
        let id = Command::new("id").arg("-u").output().unwrap();
        let (unshare, user): (&[&str], &[&str]) = if id.stdout == b"0\n" {
            (&[], &[])
        } else {
            (&["--map-root-user"], &["--user", "--preserve-credentials"])
        };
        let mut machine = Command::new("unshare")
            .args(unshare)
            .args(["--net", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare, of util-linux");
        // What is there once `cat` answers.
        let mut line = String::new();
        let asked = machine.stdin.as_mut().unwrap().write_all(b"there?\n");
        let mut answer = BufReader::new(machine.stdout.as_mut().unwrap());
        assert!(
            asked.is_ok() && answer.read_line(&mut line).is_ok() && line == "there?\n",
            "no network namespace: this test takes root, or user namespaces"
        );
        let mut lab = Self {
            machine,
            user,
            cameras: Vec::new(),
        };
        (1..=INTERFACES).for_each(|n| lab.plug(n, n));
        lab
    }

    /// Starts a camera and plugs it in, behind interface `n`.
    fn plug(&mut self, camera: u8, n: u8) {
        let machine = self.machine.id();
        let enter = [self.enter(machine), words("unshare --net")].concat();
        let framing = ["--framing", framing(camera).0];
        let camera = Camera::start_under(&borrowed(&enter), &uid(camera), &framing);
        let there = camera.id();
        self.cameras.push(camera);
        self.ip(
            machine,
            &format!("link add cam{n} type veth peer name eth0 netns {there}"),
        );
        self.ip(there, &format!("address add 10.77.{n}.2/24 dev eth0"));
        self.ip(there, "link set eth0 up");
        // With and without a broadcast address of its own: people leave it out.
        let brd = if n.is_multiple_of(3) { "" } else { "brd + " };
        self.ip(
            machine,
            &format!("address add 10.77.{n}.1/24 {brd}dev cam{n}"),
        );
        self.ip(machine, &format!("link set cam{n} up"));
    }

    /// What a command begins with that is to run where process `id` is.
    fn enter(&self, id: u32) -> Vec<String> {
        let mut enter = words(&format!("nsenter --target {id} --net"));
        enter.extend(self.user.iter().map(|word| (*word).to_owned()));
        enter
    }

    fn ip(&self, id: u32, what: &str) {
        let command = [self.enter(id), words("ip"), words(what)].concat();
        let output = Command::new(&command[0])
            .args(&command[1..])
            .output()
            .expect("nsenter, of util-linux");
        assert!(
            output.status.success(),
            "ip {what} (iproute2): {}",
            stderr(&output)
        );
    }

    /// Runs `wyze` on the machine to its end, with the account in `config`.
    fn wyze(&self, config: &Path, args: &[&str]) -> Output {
        let enter = self.enter(self.machine.id());
        assert_cmd::Command::new(&enter[0])
            .args(&enter[1..])
            .arg(env!("CARGO_BIN_EXE_wyze"))
            .args(args)
            .env_remove("RUST_LOG")
            .env("WYZE_CONFIG_DIR", config)
            .timeout(LIMIT)
            .output()
            .unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.machine.kill();
        let _ = self.machine.wait();
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn borrowed(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

fn uid(n: u8) -> String {
    format!("TESTTESTTESTTESTTES{n}")
}

/// As the option and as the table have it.
fn framing(n: u8) -> (&'static str, &'static str) {
    if n.is_multiple_of(2) {
        ("cc51", "CC51")
    } else {
        ("transcode", "TransCode")
    }
}

/// All cameras, each said to be where it is not.
fn stale_account() -> tempfile::TempDir {
    let cameras: Vec<[String; 2]> = (1..=INTERFACES)
        .map(|n| [format!("Camera {n}"), uid(n)])
        .collect();
    let cameras: Vec<[&str; 4]> = cameras
        .iter()
        .map(|[name, uid]| [name, "HL_CAM4", "192.0.2.7", uid])
        .collect();
    account(&cameras)
}

#[test]
fn cameras_behind_nine_interfaces_are_found_in_both_framings() {
    let lab = Lab::start();
    let account = stale_account();
    let output = lab.wyze(account.path(), &["discover"]);
    assert_succeeds(&output);
    let table = stdout(&output);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), usize::from(INTERFACES), "{table}");
    for (n, line) in (1..).zip(lines) {
        let (address, framing) = (format!(" 10.77.{n}.2:32761 "), framing(n).1);
        assert!(line.starts_with(&format!("Camera {n} ")), "{table}");
        assert!(line.contains(&address) && line.contains(framing), "{table}");
    }
}

#[test]
fn a_session_finds_its_camera_behind_any_of_nine_interfaces() {
    let lab = Lab::start();
    let account = stale_account();
    for n in 1..=INTERFACES {
        let output = lab.wyze(account.path(), &["probe", &format!("Camera {n}")]);
        assert_succeeds(&output);
        let (said, address) = (stdout(&output), format!("10.77.{n}.2:32761"));
        assert!(said.contains(&address), "{said}");
    }
}

#[test]
fn a_camera_that_moves_to_an_interface_which_was_not_there_before_is_found_again() {
    let mut lab = Lab::start();
    let folder = tempfile::tempdir().unwrap();
    let film = folder.path().join("x.mp4");
    let url = url("192.0.2.7:32761", &uid(1), ENR);
    let enter = lab.enter(lab.machine.id());
    // Where the camera is not found again, it is not searched for without end.
    let mut args = vec!["stream", &url, "-o", film.to_str().unwrap()];
    args.extend(["--reconnect", "5"]);
    let stream = spawn_under(&borrowed(&enter), &args);
    wait_for_bytes(&film);
    lab.cameras.remove(0).stop();
    lab.plug(1, INTERFACES + 1);
    lab.cameras.last_mut().unwrap().wait_for("connects");
    signal(&stream, "INT");
    assert_succeeds(&stream.wait_with_output().unwrap());
}
