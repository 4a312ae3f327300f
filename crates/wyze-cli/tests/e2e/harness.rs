//! Running the program, and cameras for it to watch.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use wyze_media::{Clip, Track};

/// The credentials of all virtual cameras here.
pub(crate) const UID: &str = "TESTTESTTESTTESTTES1";
pub(crate) const ENR: &str = "0123456789abcdefFEDCBA9876543210";
pub(crate) const MAC: &str = "0A1B2C3D4E5F";

/// No run takes longer than this unless it hangs.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn clip_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo.mp4")
}

/// Runs `wyze` to its end.
pub(crate) fn wyze<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Output {
    assert_cmd::Command::new(env!("CARGO_BIN_EXE_wyze"))
        .args(args)
        .env_remove("RUST_LOG")
        .timeout(LIMIT)
        .output()
        .expect("wyze runs")
}

/// Starts `wyze`, with both outputs piped.
pub(crate) fn spawn(args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_wyze"))
        .args(args)
        .env_remove("RUST_LOG")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("wyze starts")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The run failed with `code`, and said why in one line.
#[track_caller]
pub(crate) fn assert_fails(output: &Output, code: i32) -> String {
    let message = stderr(output);
    assert_eq!(
        output.status.code(),
        Some(code),
        "{message}{}",
        stdout(output)
    );
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(message.starts_with("wyze: "), "{message}");
    message
}

#[track_caller]
pub(crate) fn assert_succeeds(output: &Output) {
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        stderr(output),
        stdout(output)
    );
}

/// A running `wyze camera`; it is switched off when dropped.
pub(crate) struct Camera {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
    pub(crate) address: String,
}

impl Camera {
    pub(crate) fn start(more: &[&str]) -> Self {
        let clip = clip_path();
        let clip = clip.to_str().unwrap();
        let mut args = vec!["camera", "--file", clip, "--listen", "127.0.0.1:0"];
        args.extend(["--uid", UID, "--enr", ENR, "--mac", MAC]);
        args.extend(more);
        let mut child = spawn(&args);
        let (send, lines) = channel();
        for pipe in [
            Box::new(child.stdout.take().unwrap()) as Box<dyn std::io::Read + Send>,
            Box::new(child.stderr.take().unwrap()),
        ] {
            let send = send.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    if send.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        let mut camera = Self {
            child,
            lines,
            said: Vec::new(),
            address: String::new(),
        };
        let line = camera.wait_for("listening on ");
        camera.address = line
            .trim_start_matches("listening on ")
            .split(',')
            .next()
            .unwrap()
            .to_owned();
        camera
    }

    /// The URL under which it is watched.
    pub(crate) fn url(&self) -> String {
        url(&self.address, UID, ENR)
    }

    /// Waits until it says something with `text` in it.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let deadline = Instant::now() + LIMIT;
        while let Ok(line) = self.lines.recv_timeout(deadline - Instant::now()) {
            self.said.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
        panic!("the camera never said {text:?} but {:#?}", self.said);
    }

    /// Ends it politely, and returns everything that it said.
    pub(crate) fn stop(mut self) -> String {
        signal(&self.child, "INT");
        self.child.wait().unwrap();
        self.said.extend(self.lines.iter());
        std::mem::take(&mut self.said).join("\n")
    }

    /// Pulls the plug.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn url(address: &str, uid: &str, enr: &str) -> String {
    format!("wyze://{address}?uid={uid}&enr={enr}&mac={MAC}&model=HL_CAM3P&subtype=hd&dtls=true")
}

/// Sends a signal to a process that this test started.
pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .args([format!("-{name}"), child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

/// Waits until the file holds a second of the clip.
pub(crate) fn wait_for_bytes(path: &Path) {
    let deadline = Instant::now() + LIMIT;
    while std::fs::metadata(path).map_or(0, |m| m.len()) < 30_000 {
        assert!(
            Instant::now() < deadline,
            "nothing was written to {}",
            path.display()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The frames of one stream of a clip.
pub(crate) fn frames(clip: &Clip, track: Track) -> Vec<&[u8]> {
    clip.samples()
        .iter()
        .filter(|s| s.track == track)
        .map(|s| &s.data[..])
        .collect()
}

/// The file begins with the clip's video, byte for byte; returns how many video frames it has.
#[track_caller]
pub(crate) fn assert_begins_like_the_clip(recorded: &Clip) -> usize {
    let original = Clip::open(clip_path()).unwrap();
    let (wanted, got) = (
        frames(&original, Track::Video),
        frames(recorded, Track::Video),
    );
    assert!(!got.is_empty());
    for (i, frame) in got.iter().enumerate() {
        assert_eq!(*frame, wanted[i % wanted.len()], "video frame {i}");
    }
    got.len()
}
