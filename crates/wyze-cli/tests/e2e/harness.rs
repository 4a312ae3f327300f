//! Running the program, and cameras for it to watch.

use std::io::{BufRead, BufReader, Write as _};
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use wyze_media::{Clip, Track};

/// The credentials of all virtual cameras here.
pub(crate) const UID: &str = "TESTTESTTESTTESTTES1";
pub(crate) const ENR: &str = "0123456789abcdefFEDCBA9876543210";
pub(crate) const MAC: &str = "0A1B2C3D4E5F";
/// Those of the base station that outdoor ones are behind.
pub(crate) const BASE_ENR: &str = "base-enr-16byte!";
pub(crate) const BASE_MAC: &str = "0A1B2C3D4E60";

/// No run takes longer than this unless it hangs.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn clip_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo.mp4")
}

/// Longer than anything but media.
const LARGE: usize = 800;

/// Where no test has an account.
const NO_ACCOUNT: &str = "/nonexistent/wyze";

/// Runs `wyze` to its end.
pub(crate) fn wyze<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Output {
    wyze_at(Path::new(NO_ACCOUNT), args)
}

/// Runs `wyze` to its end, with the account in `config`.
pub(crate) fn wyze_at<S: AsRef<std::ffi::OsStr>>(config: &Path, args: &[S]) -> Output {
    assert_cmd::Command::new(env!("CARGO_BIN_EXE_wyze"))
        .args(args)
        .env_remove("RUST_LOG")
        .env("WYZE_CONFIG_DIR", config)
        .timeout(LIMIT)
        .output()
        .expect("wyze runs")
}

/// Runs `wyze` to its end, with `input` on standard input.
pub(crate) fn wyze_fed<S: AsRef<std::ffi::OsStr>>(args: &[S], input: Vec<u8>) -> Output {
    assert_cmd::Command::new(env!("CARGO_BIN_EXE_wyze"))
        .args(args)
        .env_remove("RUST_LOG")
        .env("WYZE_CONFIG_DIR", NO_ACCOUNT)
        .write_stdin(input)
        .timeout(LIMIT)
        .output()
        .expect("wyze runs")
}

/// Starts `wyze`, with both outputs piped.
pub(crate) fn spawn(args: &[&str]) -> Child {
    spawn_under(&[], args)
}

/// The same under another program, such as `nsenter`, which becomes `wyze`.
pub(crate) fn spawn_under(program: &[&str], args: &[&str]) -> Child {
    let words = [program, &[env!("CARGO_BIN_EXE_wyze")], args].concat();
    Command::new(words[0])
        .args(&words[1..])
        .env_remove("RUST_LOG")
        .env("WYZE_CONFIG_DIR", NO_ACCOUNT)
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
        Self::start_as(UID, "127.0.0.1:0", more)
    }

    /// One of several.
    pub(crate) fn start_as(uid: &str, listen: &str, more: &[&str]) -> Self {
        Self::start_with(&[], &clip_path(), [uid, ENR], listen, more)
    }

    /// One that another program becomes, on every address.
    pub(crate) fn start_under(program: &[&str], uid: &str, more: &[&str]) -> Self {
        Self::start_with(program, &clip_path(), [uid, ENR], "0.0.0.0:32761", more)
    }

    /// One that shows another clip.
    pub(crate) fn playing(clip: &Path, more: &[&str]) -> Self {
        Self::start_with(&[], clip, [UID, ENR], "127.0.0.1:0", more)
    }

    /// An outdoor one behind a base station, with the first half of the ENR.
    pub(crate) fn outdoor(listen: &str, more: &[&str]) -> Self {
        let base = ["--parent-enr", BASE_ENR, "--parent-mac", BASE_MAC];
        let more = [&base[..], &["--model", "HL_WCO2"], more].concat();
        Self::start_with(&[], &clip_path(), [UID, &ENR[..16]], listen, &more)
    }

    fn start_with(
        program: &[&str],
        clip: &Path,
        [uid, enr]: [&str; 2],
        listen: &str,
        more: &[&str],
    ) -> Self {
        let clip = clip.to_str().unwrap();
        let mut args = vec!["camera", "--file", clip, "--listen", listen];
        args.extend(["--uid", uid, "--enr", enr, "--mac", MAC]);
        args.extend(more);
        let mut child = spawn_under(program, &args);
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

    /// The process that it is.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
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

/// A network between a viewer and a camera that loses some of the camera's datagrams.
pub(crate) struct Lossy {
    pub(crate) address: String,
    stop: Arc<AtomicBool>,
}

impl Lossy {
    /// Loses every n-th large one.
    pub(crate) fn start(camera: &str, n: usize) -> Self {
        let mut count = 0;
        Self::losing(camera, move |datagram| {
            count += usize::from(datagram.len() > LARGE);
            datagram.len() > LARGE && count % n == 0
        })
    }

    /// Loses those of which `lost` says so.
    pub(crate) fn losing(
        camera: &str,
        mut lost: impl FnMut(&[u8]) -> bool + Send + 'static,
    ) -> Self {
        let camera: SocketAddr = camera.parse().unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        socket
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        std::thread::spawn(move || {
            let (mut buf, mut viewer) = ([0; 2048], None);
            while !stopped.load(Ordering::Relaxed) {
                let Ok((len, from)) = socket.recv_from(&mut buf) else {
                    continue;
                };
                let to = if from == camera {
                    if lost(&buf[..len]) {
                        continue;
                    }
                    viewer
                } else {
                    viewer = Some(from);
                    Some(camera)
                };
                if let Some(to) = to {
                    let _ = socket.send_to(&buf[..len], to);
                }
            }
        });
        Self { address, stop }
    }
}

impl Drop for Lossy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// An account with these cameras, as `wyze login` leaves it: name, model, address, UID each.
pub(crate) fn account(cameras: &[[&str; 4]]) -> tempfile::TempDir {
    account_of(cameras.iter().map(stored).collect())
}

/// A camera as the account's file holds it.
pub(crate) fn stored([name, model, ip, uid]: &[&str; 4]) -> serde_json::Value {
    serde_json::json!({
        "name": name, "model": model, "firmware": "4.58.0.0", "online": true, "ip": ip, "uid": uid, "enr": ENR,
        "mac": MAC, "parent_enr": "", "parent_mac": "", "dtls": true, "parent_dtls": null,
    })
}

/// An account with cameras that [`stored`] made.
pub(crate) fn account_of(cameras: Vec<serde_json::Value>) -> tempfile::TempDir {
    let contents = serde_json::json!({
        "version": 1, "phone_id": null, "tokens": null, "cameras": cameras,
    });
    let config = tempfile::tempdir().unwrap();
    // Only its owner can read it, as the program wants it.
    let mut file = tempfile::NamedTempFile::new_in(config.path()).unwrap();
    file.write_all(contents.to_string().as_bytes()).unwrap();
    file.persist(config.path().join("account.json")).unwrap();
    config
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
