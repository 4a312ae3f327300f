//! `wyze probe`: how far one gets with a camera, and what to do where it stops.

use std::time::Duration;

use clap::Args;
use wyze_std::session::{Dropped, Frame, Stream};

use crate::failure::{Exit, Failure};
use crate::interrupt;
use crate::meter::Meter;
use crate::options::seconds;
use crate::report::{Report, Style};
use crate::step::Step;
use crate::target;
use crate::watch::{End, Flow, Plan, Repairs, Viewer, watch};

/// How long a camera that let us in may take to the first picture.
const PATIENCE: Duration = Duration::from_secs(5);

const EXAMPLES: &str = "\
Examples:
  wyze probe 'wyze://192.168.1.20?uid=UID&enr=ENR&mac=MAC&model=HL_CAM4'
  wyze probe URL --json
  wyze probe 'Front Door'

Phases, in this order: found (a device with this UID answered, and in which framing), session (it has a free viewer
slot), secured (DTLS; the camera knows the same ENR), logged-in (AV login), authenticated (it let us in and described
itself), first-frame. Times are milliseconds since the search began. The camera is told goodbye at the end, so its slot
is free again. Exit codes name the cause: docs/exit-codes.md.";

/// Connect phase by phase, and say where it stops, why, and what to do
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ProbeArgs {
    #[arg(value_name = "CAMERA", help = target::HELP)]
    camera: String,
    /// Give up after this long
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "30")]
    timeout: Duration,
    /// One JSON event a line
    #[arg(long)]
    json: bool,
}

struct Probe {
    report: Report,
    meter: Meter,
}

impl Viewer for Probe {
    fn step(&mut self, at: Duration, step: &Step) {
        self.report.step(at, step);
    }

    fn frame(&mut self, at: Duration, frame: &Frame<'_>) -> Result<Flow, Failure> {
        self.meter.frame(at, frame);
        Ok(match frame.stream {
            Stream::Video => Flow::Enough,
            Stream::Audio => Flow::More,
        })
    }

    fn dropped(&mut self, _: Duration, stream: Stream, frame: &Dropped) {
        self.meter.dropped += 1;
        self.report.dropped(stream, frame);
    }

    fn tick(&mut self, _: Duration, repairs: Repairs) -> Flow {
        self.meter.repairs = repairs;
        Flow::More
    }
}

/// Connects, waits for one picture, says goodbye.
pub(crate) fn run(args: &ProbeArgs) -> Result<(), Failure> {
    let stop = interrupt::install()?;
    let url = target::camera(&args.camera)?;
    let mut plan = Plan::new(&url, args.timeout)?;
    plan.patience = PATIENCE;
    // Sound keeps a camera without a picture from counting as silent.
    plan.config.audio = false;
    let mut probe = Probe {
        report: Report::new(Style::for_report(args.json), false),
        meter: Meter::default(),
    };
    let result = match watch(&plan, stop, &mut probe) {
        Ok(End::Enough) => Ok(()),
        Ok(End::Closed(cause)) => Err(cause.into()),
        Ok(End::Interrupted) => Err(Failure::new(
            Exit::Interrupted,
            "interrupted before the first picture; the phases above were reached",
        )),
        Err(failure) => Err(failure),
    };
    let summary = result
        .is_ok()
        .then_some("the camera can be watched: wyze stream with the same URL");
    probe.report.end(
        "enough",
        result.as_ref().err(),
        probe.meter.totals(),
        summary,
    );
    result
}
