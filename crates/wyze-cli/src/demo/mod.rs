//! `wyze demo`: a virtual camera and a viewer in one process, over loopback, from the search to a playable file.

mod ledger;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use wyze_media::{Clip, Format};
use wyze_std::session::{Cause, Dropped, Frame, Stream};
use wyze_std::{Report as Served, ServeOptions, bind, serve};

use crate::failure::{Exit, Failure};
use crate::interrupt;
use crate::recorder::{Limits, Recorded, Recorder};
use crate::report::{Report, Style};
use crate::step::Step;
use crate::target;
use crate::virtual_camera::{CameraOptions, ClipSource, VirtualCamera};
use crate::watch::{End, Flow, Plan, Repairs, Viewer, watch};
use ledger::Ledger;

/// Five seconds of ffmpeg's test picture with a tone: H.264, AAC.
const CLIP: &[u8] = include_bytes!("../../../../assets/demo.mp4");
/// Loopback answers at once or not at all.
const TIMEOUT: Duration = Duration::from_secs(20);

const EXAMPLES: &str = "\
Examples:
  wyze demo
  wyze demo -o /tmp/x.mp4 --framing cc51 --suite chacha
  wyze demo -o - | ffplay -

No camera and no network is needed: a virtual camera on a loopback port plays a clip of five seconds, a viewer connects
to it as to any camera, and the file gets every frame byte for byte. The demo checks that and fails if it is not so.";

/// Watch a virtual camera on this computer and write demo.mp4
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DemoArgs {
    /// Where to write; `-` is standard output
    #[arg(short, long, value_name = "FILE", default_value = "demo.mp4")]
    output: PathBuf,
    /// One JSON event a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    camera: CameraOptions,
}

/// Records, and keeps book of what came.
struct DemoViewer {
    recorder: Recorder,
    received: Ledger,
}

impl Viewer for DemoViewer {
    fn step(&mut self, at: Duration, step: &Step) {
        self.recorder.step(at, step);
    }

    fn frame(&mut self, at: Duration, frame: &Frame<'_>) -> Result<Flow, Failure> {
        self.received.enter(frame.stream, frame.data);
        self.recorder.frame(at, frame)
    }

    fn dropped(&mut self, at: Duration, stream: Stream, frame: &Dropped) {
        self.recorder.dropped(at, stream, frame);
    }

    fn tick(&mut self, at: Duration, repairs: Repairs) -> Flow {
        self.recorder.tick(at, repairs)
    }
}

/// Runs camera and viewer until the clip is over.
pub(crate) fn run(args: &DemoArgs) -> Result<(), Failure> {
    let stop = interrupt::install()?;
    let camera = args.camera.build()?;
    let source = ClipSource::new(Clip::from_bytes(CLIP)?)?;
    let to_stdout = args.output == Path::new("-");
    let format = Format::from_path(&args.output)?;
    let report = Report::new(Style::for_report(args.json), to_stdout);
    let mut viewer = DemoViewer {
        recorder: Recorder::open(&args.output, format, true, Limits::default(), report)?,
        received: Ledger::default(),
    };
    let (end, sent) = play(&camera, &source, stop, &mut viewer)?;
    let interrupted = matches!(end, Ok(End::Interrupted));
    // A camera whose clip is over hangs up.
    let end = match end {
        Ok(End::Closed(Cause::Peer)) => Ok(End::Enough),
        other => other,
    };
    let recorded = viewer.recorder.conclude(end)?;
    conclude(args, format, &sent, &viewer.received, recorded, interrupted)
}

/// Lets the viewer watch the camera. What the viewer's side ended with, and what the camera sent.
fn play(
    camera: &VirtualCamera,
    source: &ClipSource,
    stop: &AtomicBool,
    viewer: &mut DemoViewer,
) -> Result<(Result<End, Failure>, Ledger), Failure> {
    let no_socket = |e| {
        Failure::new(
            Exit::Internal,
            format!("no loopback socket: {e}; is loopback up?"),
        )
    };
    let socket = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).map_err(no_socket)?;
    let address = socket.local_addr().map_err(no_socket)?;
    let url = target::camera(&camera.url(address))?;
    let plan = Plan::new(&url, TIMEOUT)?;
    let options = ServeOptions {
        camera: camera.config(),
        slots: 1,
        repeat: false,
        once: true,
        parity: false,
    };
    let sent = Mutex::new(Ledger::default());
    let camera_off = AtomicBool::new(false);
    let end = std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            serve(&socket, &options, source, &camera_off, |report| {
                if let (Served::Sent { stream, data, .. }, Ok(mut sent)) = (report, sent.lock()) {
                    sent.enter(stream, data);
                }
            })
        });
        let end = watch(&plan, stop, viewer);
        camera_off.store(true, Ordering::Relaxed);
        match server.join() {
            Ok(Ok(_)) => Ok(end),
            Ok(Err(e)) => Err(no_socket(e)),
            Err(_) => Err(Failure::new(
                Exit::Internal,
                "the virtual camera crashed; please report it",
            )),
        }
    })?;
    let sent = sent.into_inner().unwrap_or_default();
    Ok((end, sent))
}

/// Compares the three books: sent, received, written.
fn conclude(
    args: &DemoArgs,
    format: Format,
    sent: &Ledger,
    received: &Ledger,
    recorded: Recorded,
    interrupted: bool,
) -> Result<(), Failure> {
    let Recorded {
        meter,
        mut report,
        cause,
        written,
    } = recorded;
    let mut totals = meter.totals();
    totals.insert("output".into(), args.output.display().to_string().into());
    let all_written = match format {
        Format::Mp4 => {
            written.video_frames == sent.video_frames()
                && written.audio_frames == sent.audio_frames()
        }
        Format::AnnexB(_) => written.video_frames == sent.video_frames(),
        Format::Audio(_) => written.audio_frames == sent.audio_frames(),
    };
    if !interrupted && (sent != received || !all_written) {
        let failure = Failure::new(
            Exit::Internal,
            format!(
                "the file does not hold what the camera sent (video and audio frames: sent {sent}, received {received}, \
                 written {}+{}); run it again when the computer is less busy, and report it if it stays so",
                written.video_frames, written.audio_frames
            ),
        );
        report.end(cause, Some(&failure), totals, None);
        return Err(failure);
    }
    let summary = format!(
        "{}: {} video and {} audio frames, {} bytes, loss {:.1} %{}",
        if args.output == Path::new("-") {
            "standard output".into()
        } else {
            args.output.display().to_string()
        },
        written.video_frames,
        written.audio_frames,
        meter.bytes,
        meter.loss(),
        if interrupted {
            ", interrupted"
        } else {
            ", byte for byte what the camera sent"
        },
    );
    report.end(cause, None, totals, Some(&summary));
    Ok(())
}
