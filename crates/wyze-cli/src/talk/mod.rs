//! `wyze talk`: a file or a microphone through a camera's speaker.

mod feed;
#[cfg(test)]
mod minute;
mod pacer;
mod speaker;
mod voice;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value, json};
use wyze_media::{AudioCodec, AudioFormat, RawPcm};
use wyze_std::session::Hello;
use wyze_std::{CameraUrl, Connection, Memory};

use crate::failure::{Exit, Failure};
use crate::interrupt;
use crate::options::seconds;
use crate::reach::socket_failure;
use crate::report::{Report, Style};
use crate::target;
use crate::watch::check_model;
use crate::weak_key;
use feed::Feed;
use speaker::{Said, Speaker};
use voice::Voice;

const EXAMPLES: &str = "\
Examples:
  A WAV file, of any rate, mono or stereo:
    wyze talk 'wyze://192.168.1.20?uid=UID&enr=ENR&mac=MAC&model=HL_CAM4' hello.wav
  By the name it has in the Wyze app, after `wyze login`:
    wyze talk 'Front Door' hello.wav
  Anything else that has sound:
    ffmpeg -i song.mp3 -f wav - | wyze talk URL -
  A microphone, until ctrl-C:
    arecord -q -f S16_LE -r 16000 | wyze talk URL - --live
  Samples without a header: 16 bit, signed, little-endian:
    wyze talk URL hello.pcm --rate 16000

WAV and raw PCM are converted to what the camera's own audio is: G.711 or PCM at its rate. AAC (.aac, ADTS) and Opus (.opus)
are passed through to cameras that play them. Frames go out in real time; when the last one has been played the camera is
told. Exit codes name the cause: docs/exit-codes.md.";

/// Say something through a camera's speaker
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TalkArgs {
    #[arg(value_name = "CAMERA", help = target::HELP)]
    camera: String,
    /// What to say: WAV, AAC, Opus or raw PCM; `-` is standard input
    #[arg(value_name = "FILE")]
    input: PathBuf,
    /// Samples a second of raw PCM
    #[arg(long, value_name = "HZ", value_parser = clap::value_parser!(u32).range(4_000..=192_000))]
    rate: Option<u32>,
    /// Channels of raw PCM
    #[arg(long, value_name = "N", requires = "rate", default_value = "1", value_parser = clap::value_parser!(u8).range(1..=8))]
    channels: u8,
    /// Do not wait for the camera's own audio to learn what it plays: ulaw, alaw, pcm, aac or opus, such as alaw:8000
    #[arg(long, value_name = "CODEC[:HZ]")]
    codec: Option<Voice>,
    /// Throw away what standard input holds before the camera is ready; for a microphone
    #[arg(long)]
    live: bool,
    /// Give up when the camera has not let us in after this long
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "30")]
    timeout: Duration,
    /// Say what happens as JSON, one event a line
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
    /// No progress on the terminal
    #[arg(short, long)]
    quiet: bool,
}

/// Talks until the sound ends, or ctrl-C.
pub(crate) fn run(args: &TalkArgs) -> Result<(), Failure> {
    let stop = interrupt::install()?;
    let url = target::camera(&args.camera)?;
    check_model(&url)?;
    let raw = args.rate.map(|sample_rate| RawPcm {
        sample_rate,
        channels: args.channels,
    });
    if args.live && args.input != Path::new("-") {
        return Err(Failure::new(
            Exit::Usage,
            "--live throws away what comes too early, and of a file that may be all; use it with standard input: -",
        ));
    }
    let feed = Feed::open(&args.input, raw, args.live);
    // Before anything is sent: a wrong file needs no camera.
    let sound = feed.opened(stop)?;
    let mut report = Report::new(Style::for_stream(args.json, args.quiet), false);
    let result = talk(args, &url, &feed, sound, stop, &mut report);
    match &result {
        Ok((voice, said)) => {
            let cause = if said.interrupted {
                "interrupted"
            } else {
                "enough"
            };
            let summary = summary(&args.input, voice, said);
            report.end(cause, None, totals(said), Some(&summary));
        }
        Err(failure) => report.end("", Some(failure), Map::new(), None),
    }
    result.map(|_| ())
}

fn talk(
    args: &TalkArgs,
    url: &CameraUrl,
    feed: &Feed,
    sound: AudioFormat,
    stop: &AtomicBool,
    report: &mut Report,
) -> Result<(Voice, Said), Failure> {
    let mut config = url.config();
    weak_key::warn(&config);
    config.video = false;
    config.audio = args.codec.is_none();
    // A camera without a microphone can still be talked to.
    config.stall = None;
    let coded = matches!(sound.codec, AudioCodec::Aac | AudioCodec::Opus);
    if coded && config.hello == Hello::AudioCodecs {
        // Not asked for PCM, a camera keeps to AAC or Opus.
        config.hello = Hello::Empty;
    }
    let mut memory = Memory::default();
    let mut connection =
        Connection::open(url, &config, &mut memory).map_err(|e| socket_failure(&e))?;
    let mut speaker = Speaker::new(stop, args.timeout, args.codec, report);
    let mut run = || {
        let voice = speaker.reach(&mut connection)?;
        let rate = feed.convert(voice.target, stop)?;
        speaker.report.note(
            &format!("talking: {}", voice.target.format),
            || json!({ "event": "voice", "voice": voice.target.format.to_string() }),
        );
        let said = speaker.open(&mut connection).and_then(|()| {
            feed.begin();
            speaker.speak(&mut connection, feed, &voice, rate)
        });
        // Whatever has happened, the camera is told; a session that is over says why by itself.
        let closed = speaker.close(&mut connection);
        let said = said?;
        closed?;
        Ok((voice, said))
    };
    let result = run();
    // The result is known already; what happens to the goodbye changes nothing.
    let _ = connection.close(|_| {});
    result
}

fn summary(input: &Path, voice: &Voice, said: &Said) -> String {
    let name = if input == Path::new("-") {
        "standard input".to_owned()
    } else {
        input.display().to_string()
    };
    let mut text = format!(
        "{name}: {:.1} s said in {} frames ({}), at most {:.1} ms late",
        said.played.as_secs_f64(),
        said.frames,
        voice.target.format,
        said.worst.as_secs_f64() * 1000.0,
    );
    if said.put_off > 0 {
        text += &format!(", {} gaps in the sound", said.put_off);
    }
    text
}

fn totals(said: &Said) -> Map<String, Value> {
    let millis = (said.worst.as_secs_f64() * 1e6).round() / 1e3;
    let totals = [
        ("frames", json!(said.frames)),
        ("bytes", json!(said.bytes)),
        ("seconds", json!(said.played.as_secs_f64())),
        ("worst_ms", json!(millis)),
        ("late", json!(said.late)),
        ("gaps", json!(said.put_off)),
    ];
    totals
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
}
