//! `wyze stream`: a camera's picture and sound into a file or a pipe.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use wyze_media::{AudioCodec, Format, SinkError};
use wyze_std::CameraUrl;
use wyze_std::session::kauth::models::Quality;
use wyze_std::session::{ClientConfig, Hello, Reconnect};

use crate::distinct::distinct;
use crate::failure::{Exit, Failure};
use crate::interrupt;
use crate::ledger::Ledger;
use crate::options::seconds;
use crate::recorder::{Limits, Recorded, Recorder};
use crate::report::{Report, Style};
use crate::tape::{Tape, TapeArgs};
use crate::target;
use crate::watch::{Plan, Repairs, watch};

const EXAMPLES: &str = "\
Examples:
  Record until ctrl-C:
    wyze stream 'wyze://192.168.1.20?uid=UID&enr=ENR&mac=MAC&model=HL_CAM4'
  Ten seconds of the small picture, without sound:
    wyze stream URL -o clip.mp4 --duration 10 --quality sd --no-audio
  Watch live:
    wyze stream URL -o - | ffplay -
  By the name it has in the Wyze app, after `wyze login`:
    wyze stream 'Front Door'
  The video alone, as the camera coded it:
    wyze stream URL -o video.h264
  The sound alone; no picture is asked for:
    wyze stream URL -o sound.aac

The URL is the one that go2rtc uses; quote it, & is special to shells. The address in it is only where the search
begins: the camera is recognised by its UID, also at another address of this network.

A camera that is lost after the first picture is searched for again, after about a second and then less and less often, up
to once a minute; the recording goes on in the same file. Only a first attempt that fails ends the program.

A recording is playable whatever ends it. The file is replaced by the first frame that is written; without a frame no
file remains. Ctrl-C finishes it; where a pipe that nobody reads holds that up, a second one ends the program at once, and
so do 8 s. Exit codes name the cause: docs/exit-codes.md.";

/// The output that is no file.
const STDOUT: &str = "-";

/// Record or show what a camera sends
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StreamArgs {
    #[arg(value_name = "CAMERA", help = target::HELP)]
    camera: String,
    /// Where to write; `-` is standard output [default: camera.mp4, or camera.FORMAT]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// mp4, h264, h265, annexb (either codec), aac, ulaw, alaw or s16le [default: by the file's extension]
    #[arg(short, long, value_parser = NamedFormat::parse)]
    format: Option<NamedFormat>,
    /// Stop this long after the first picture; after the first sound, where nothing else is written
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds)]
    duration: Option<Duration>,
    /// Stop after this many video frames; audio frames, where nothing else is written
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    frames: Option<u64>,
    /// The picture to ask for [default: the URL's subtype, else hd]
    #[arg(long, value_enum)]
    quality: Option<QualityOption>,
    /// Leave out the sound
    #[arg(long)]
    no_audio: bool,
    /// Whether to ask the camera to send again what is lost
    #[arg(long, value_enum, default_value_t = ResendOption::On)]
    resend: ResendOption,
    /// Whether to compute a lost packet from others in lossless mode, where the camera sends parity packets; what they hold
    /// is inferred
    #[arg(long, value_enum, default_value_t = ParityOption::Off)]
    parity: ParityOption,
    /// What to do when the camera is lost after the first picture: off, forever, or how many attempts in a row
    #[arg(long, value_name = "off|forever|N", value_parser = ReconnectOption::parse, default_value = "forever")]
    reconnect: ReconnectOption,
    /// Give up when no picture (or sound, where nothing else is written) has come after this long
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "30")]
    timeout: Duration,
    /// Say what happens as JSON, one event a line, on standard output (standard error with -o -)
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
    /// No progress on the terminal
    #[arg(short, long)]
    quiet: bool,
    /// Write a line for each frame that came: video or audio, bytes, SHA-256
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    #[command(flatten)]
    tape: TapeArgs,
}

/// A format and what the user called it.
#[derive(Debug, Clone)]
struct NamedFormat {
    format: Format,
    name: String,
}

impl NamedFormat {
    fn parse(name: &str) -> Result<Self, SinkError> {
        Ok(Self {
            format: name.parse()?,
            name: name.to_ascii_lowercase(),
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum QualityOption {
    /// the model's best
    Hd,
    /// the small picture, as in the app
    Sd,
    /// 640×360 at the lowest bit rate
    #[value(name = "360p")]
    P360,
    /// 1280×720, where the camera has it
    #[value(name = "720p")]
    P720,
    /// 2560×1440 or 2304×1296, where the camera has it
    #[value(name = "2k")]
    TwoK,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ResendOption {
    /// lossless mode, where the camera has it
    On,
    /// the simple format: what is lost stays lost
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ParityOption {
    /// one lost packet in a group of 20 is computed from the others
    On,
    /// it is asked for
    Off,
}

/// Whether to search for a camera that was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReconnectOption {
    Off,
    Forever,
    Attempts(u32),
}

impl ReconnectOption {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            "forever" => Ok(Self::Forever),
            _ => match text.parse() {
                Ok(0) => Ok(Self::Off),
                Ok(attempts) => Ok(Self::Attempts(attempts)),
                Err(_) => Err("neither off nor forever nor a number of attempts".to_owned()),
            },
        }
    }

    fn policy(self) -> Option<Reconnect> {
        match self {
            Self::Off => None,
            Self::Forever => Some(Reconnect::new()),
            Self::Attempts(attempts) => Some(Reconnect::limited(attempts)),
        }
    }
}

impl From<QualityOption> for Quality {
    fn from(option: QualityOption) -> Self {
        match option {
            QualityOption::Hd => Self::Hd,
            QualityOption::Sd => Self::Sd,
            QualityOption::P360 => Self::P360,
            QualityOption::P720 => Self::P720,
            QualityOption::TwoK => Self::TwoK,
        }
    }
}

impl StreamArgs {
    /// Where to write, and what.
    fn target(&self) -> Result<(PathBuf, Format), SinkError> {
        Ok(match (&self.output, &self.format) {
            (Some(path), Some(format)) => (path.clone(), format.format),
            (Some(path), None) => (path.clone(), Format::from_path(path)?),
            (None, Some(format)) => (format!("camera.{}", format.name).into(), format.format),
            (None, None) => ("camera.mp4".into(), Format::Mp4),
        })
    }

    /// Checks that nothing is to be written over something else.
    fn check_files(&self, output: &Path) -> Result<(), Failure> {
        let output = (output != Path::new(STDOUT)).then_some(output);
        let [pcap, keylog] = self.tape.files();
        distinct(&[
            ("-o", output),
            pcap,
            keylog,
            ("--ledger", self.ledger.as_deref()),
        ])
    }

    fn quality(&self, url: &CameraUrl) -> Quality {
        let option = self.quality.or_else(|| {
            let subtype = url.subtype()?;
            QualityOption::from_str(subtype, true)
                .inspect_err(|_| {
                    log::warn!(
                        "subtype= in the URL is none of hd, sd, 360p, 720p, 2k; hd is asked for"
                    )
                })
                .ok()
        });
        option.unwrap_or(QualityOption::Hd).into()
    }
}

/// Records until a limit, ctrl-C, or the session's end.
pub(crate) fn run(args: &StreamArgs) -> Result<(), Failure> {
    let stop = interrupt::install()?;
    let url = target::camera(&args.camera)?;
    let (path, format) = args.target()?;
    args.check_files(&path)?;
    let mut plan = Plan::new(&url, args.timeout)?;
    ask_for(&mut plan.config, format, args.no_audio)?;
    let audio = plan.config.audio;
    plan.quality = plan.config.video.then(|| args.quality(&url));
    plan.reconnect = args.reconnect.policy();
    plan.tape = Tape::open(&args.tape, &url)?;
    // Some models refuse it whatever the user wants.
    plan.config.resend &= args.resend == ResendOption::On;
    plan.parity = args.parity == ParityOption::On;

    let to_stdout = path == Path::new(STDOUT);
    let report = Report::new(Style::for_stream(args.json, args.quiet), to_stdout);
    let limits = Limits {
        duration: args.duration,
        frames: args.frames,
    };
    let mut recorder = Recorder::open(&path, format, audio, limits, report)?;
    recorder.set_ledger(args.ledger.as_deref().map(Ledger::create).transpose()?);
    let end = watch(&plan, stop, &mut recorder);
    let Recorded {
        meter,
        mut report,
        cause,
        written,
    } = recorder.conclude(end)?;
    let summary = format!(
        "{}: {} video and {} audio frames, {:.1} s, {} KB, loss {:.1} %, {}",
        if to_stdout {
            "standard output".into()
        } else {
            path.display().to_string()
        },
        written.video_frames,
        written.audio_frames,
        meter.running().as_secs_f64(),
        written.bytes.div_ceil(1000),
        meter.loss(),
        describe(meter.repairs),
    );
    let mut totals = meter.totals();
    totals.insert("output".into(), path.display().to_string().into());
    totals.insert("written".into(), written.bytes.into());
    report.end(cause, None, totals, Some(&summary));
    if let Some(tape) = &plan.tape {
        tape.end()?;
    }
    Ok(())
}

/// Asks for what `format` holds, and for nothing else.
///
/// # Errors
/// Nothing is left to be written.
fn ask_for(config: &mut ClientConfig<'_>, format: Format, no_audio: bool) -> Result<(), Failure> {
    config.audio = !no_audio && !matches!(format, Format::AnnexB(_));
    if let Format::Audio(codec) = format {
        if no_audio {
            return Err(Failure::new(
                Exit::Usage,
                "with --no-audio nothing is left for an output that holds sound alone; leave it out",
            ));
        }
        config.video = false;
        if codec == AudioCodec::Aac && config.hello == Hello::AudioCodecs {
            // Not asked for G.711 or PCM, a camera keeps to AAC.
            config.hello = Hello::Empty;
        }
    }
    Ok(())
}

fn describe(repairs: Repairs) -> String {
    match repairs {
        Repairs {
            lossless: false, ..
        } => "not lossless".to_owned(),
        Repairs { repaired: 1, .. } => "lossless, 1 packet repaired".to_owned(),
        Repairs { repaired, .. } => format!("lossless, {repaired} packets repaired"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Wrapper {
        #[command(flatten)]
        stream: StreamArgs,
    }

    fn args(more: &[&str]) -> StreamArgs {
        Wrapper::parse_from(["x", "URL"].iter().chain(more)).stream
    }

    #[test]
    fn the_output_has_a_name_without_being_told() {
        let name = |more: &[&str]| args(more).target().unwrap().0;
        assert_eq!(name(&[]), Path::new("camera.mp4"));
        assert_eq!(name(&["-f", "H264"]), Path::new("camera.h264"));
        assert_eq!(name(&["-o", "x.mp4"]), Path::new("x.mp4"));
        assert!(args(&["-o", "x.mkv"]).target().is_err());
    }

    #[test]
    fn what_is_asked_for_is_what_the_format_holds() {
        let url: CameraUrl =
            "wyze://h?uid=SIMCAMSIMCAMSIMCAM11&enr=sim-enr-16byte!!&mac=00AA11BB22CC"
                .parse()
                .unwrap();
        let asked = |format: &str| {
            let mut config = url.config();
            ask_for(&mut config, format.parse().unwrap(), false).unwrap();
            (config.video, config.audio, config.hello)
        };
        assert_eq!(asked("mp4"), (true, true, Hello::AudioCodecs));
        assert_eq!(asked("h264"), (true, false, Hello::AudioCodecs));
        assert_eq!(asked("ulaw"), (false, true, Hello::AudioCodecs));
        // Asked for G.711 and PCM, a camera would not send it.
        assert_eq!(asked("aac"), (false, true, Hello::Empty));
        let nothing = ask_for(&mut url.config(), Format::Audio(AudioCodec::Aac), true);
        assert_eq!(nothing.unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn a_lost_camera_is_searched_for_unless_told_otherwise() {
        let option = |more: &[&str]| args(more).reconnect;
        assert_eq!(option(&[]), ReconnectOption::Forever);
        assert_eq!(option(&["--reconnect", "off"]), ReconnectOption::Off);
        assert_eq!(option(&["--reconnect", "0"]), ReconnectOption::Off);
        assert_eq!(option(&["--reconnect", "3"]), ReconnectOption::Attempts(3));
        assert!(ReconnectOption::parse("often").is_err());
    }

    #[test]
    fn the_quality_is_the_options_then_the_urls_then_hd() {
        let url = |subtype: &str| -> CameraUrl {
            format!(
                "wyze://h?uid=SIMCAMSIMCAMSIMCAM11&enr=sim-enr-16byte!!&mac=00AA11BB22CC{subtype}"
            )
            .parse()
            .unwrap()
        };
        assert_eq!(args(&[]).quality(&url("")), Quality::Hd);
        assert_eq!(args(&[]).quality(&url("&subtype=sd")), Quality::Sd);
        assert_eq!(args(&[]).quality(&url("&subtype=7")), Quality::Hd);
        assert_eq!(
            args(&["--quality", "2k"]).quality(&url("&subtype=sd")),
            Quality::TwoK
        );
    }
}
