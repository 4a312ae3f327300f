//! `wyze camera`: a virtual camera for any client.

mod hearing;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use clap::Args;
use wyze_media::{Clip, ClipOptions};
use wyze_std::session::{CameraConfig, CameraEvent, Cause};
use wyze_std::{Report as Served, ServeOptions, bind, serve};

use crate::failure::{Exit, Failure};
use crate::interrupt;
use crate::ledger::Ledger;
use crate::options::frame_rate;
use crate::say::{note, say};
use crate::virtual_camera::{CameraOptions, ClipSource, VirtualCamera};
use hearing::Hearing;

const EXAMPLES: &str = "\
Examples:
  wyze camera --file clip.mp4
  wyze camera --file clip.h264 --fps 20 --listen 0.0.0.0:32761 --framing cc51
  wyze camera --file clip.mp4 --status 5        a camera that is switched off
  wyze camera --file clip.mp4 --talk heard      what viewers say (`wyze talk`) goes into heard/talk-1.wav, …

It prints the wyze:// URL to paste into another client (`wyze stream`, go2rtc). When you give --uid, --enr or --mac of
your own, or those of a base station, the URL is printed only if you add --show-url. Clips: MP4 with H.264 or H.265 and AAC, Opus or
PCM; raw .h264 and .h265. Listen on port 32761 of 0.0.0.0 to be found by broadcast.";

/// Be a camera: play a clip to whoever knows the credentials
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CameraArgs {
    /// What to show: .mp4, .h264 or .h265
    #[arg(short, long)]
    file: PathBuf,
    /// Where to listen; port 0 takes a free one
    #[arg(short, long, default_value = "127.0.0.1:32761")]
    listen: SocketAddr,
    /// How many can watch at the same time
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
    slots: u8,
    /// End after the first viewer
    #[arg(long)]
    once: bool,
    /// Hang up at the end of the clip, instead of beginning again
    #[arg(long)]
    no_repeat: bool,
    /// Frames a second of a raw .h264 or .h265 file
    #[arg(long, value_name = "N", value_parser = frame_rate, default_value = "20")]
    fps: f64,
    /// Write what viewers say into this folder, one file each: PCM as WAV, Opus as Ogg, A-law, µ-law and AAC as they come. What is
    /// there stays; the numbers go on
    #[arg(long, value_name = "FOLDER")]
    talk: Option<PathBuf>,
    /// Send a parity packet behind every 20 packets to viewers in lossless mode (`wyze stream --parity on`); that cameras
    /// fill them like this is inferred
    #[arg(long)]
    parity: bool,
    /// Print the URL also when it holds credentials of your own
    #[arg(long)]
    show_url: bool,
    /// Write a line for each frame sent, and for each that a viewer says: video, audio or talk, bytes, SHA-256
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    #[command(flatten)]
    camera: CameraOptions,
}

/// Serves until ctrl-C.
pub(crate) fn run(args: &CameraArgs) -> Result<(), Failure> {
    let stop = interrupt::install()?;
    let camera = args.camera.build()?;
    let options = ClipOptions { raw_fps: args.fps };
    let source = ClipSource::new(Clip::open_with(&args.file, &options)?)?;
    for what in source.left_out() {
        note!("wyze: not shown: {what}");
    }
    let no_socket = |e: std::io::Error| {
        Failure::new(
            Exit::Internal,
            format!(
                "cannot listen on {}: {e}; choose another address with --listen",
                args.listen
            ),
        )
    };
    let socket = bind(args.listen).map_err(no_socket)?;
    let address = socket.local_addr().map_err(no_socket)?;
    say!("showing {}", source.describe());
    say!(
        "listening on {address}, {} viewer slots; ctrl-C ends",
        args.slots
    );
    say!("{}", invitation(args, &camera, address));
    let options = ServeOptions {
        camera: CameraConfig {
            two_way: true,
            ..camera.config()
        },
        slots: args.slots.into(),
        repeat: !args.no_repeat,
        once: args.once,
        parity: args.parity,
    };
    let mut hearing = args.talk.as_deref().map(Hearing::new).transpose()?;
    let mut deaf = None;
    let mut left_out = false;
    let mut ledger = args.ledger.as_deref().map(Ledger::create).transpose()?;
    let totals = serve(&socket, &options, &source, stop, |report| {
        if let Some(ledger) = &mut ledger {
            enter(ledger, &report);
        }
        if let Served::Unsent { slot, error, .. } = &report
            && !std::mem::replace(&mut left_out, true)
        {
            note!("viewer {}: frames are left out: {error}", slot + 1);
        }
        if let Served::Viewer { slot, event } = report {
            tell(slot, &event);
            match hearing.as_mut().map(|hearing| hearing.hear(slot, &event)) {
                Some(Ok(Some(heard))) => say!("viewer {}: {heard}", slot + 1),
                Some(Err(failure)) => {
                    deaf = Some(failure);
                    stop.store(true, Ordering::Relaxed);
                }
                Some(Ok(None)) | None => {}
            }
        }
    })
    .map_err(no_socket)?;
    if let Some(failure) = deaf {
        return Err(failure);
    }
    if let Some(ledger) = ledger {
        ledger.finish()?;
    }
    say!(
        "{} sessions, {} video and {} audio frames, {} bytes",
        totals.sessions,
        totals.video_frames,
        totals.audio_frames,
        totals.bytes
    );
    Ok(())
}

fn enter(ledger: &mut Ledger, report: &Served<'_>) {
    match report {
        Served::Sent { stream, data, .. } => ledger.enter(*stream, data),
        Served::Viewer {
            event: CameraEvent::Audio(frame),
            ..
        } => ledger.enter_talk(frame.data),
        _ => {}
    }
}

/// How others find it.
fn invitation(args: &CameraArgs, camera: &VirtualCamera, address: SocketAddr) -> String {
    if !camera.is_default && !args.show_url {
        return "watch it with your uid, enr and mac (--show-url prints the whole URL)".to_owned();
    }
    let reachable = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => {
            SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()))
        }
        _ => address,
    };
    format!("wyze stream '{}'", camera.url(reachable))
}

fn tell(slot: usize, event: &CameraEvent<'_>) {
    let viewer = slot + 1;
    match event {
        CameraEvent::Opened { from } => say!("viewer {viewer}: connects from {from}"),
        CameraEvent::Secured { suite } => say!("viewer {viewer}: knows the ENR; {suite}"),
        CameraEvent::LoggedIn => say!("viewer {viewer}: logged in"),
        CameraEvent::Authenticated => say!("viewer {viewer}: let in"),
        CameraEvent::Wanted { video, audio } => {
            say!(
                "viewer {viewer}: video {}, audio {}",
                on(*video),
                on(*audio)
            );
        }
        CameraEvent::TalkReady => say!("viewer {viewer}: talks"),
        CameraEvent::TalkClosed(end) => say!("viewer {viewer}: {end}"),
        CameraEvent::Command { code, .. } => say!("viewer {viewer}: command K{}", code.0),
        CameraEvent::Closed(cause) => say!("viewer {viewer}: gone, {}", why(*cause)),
        _ => {}
    }
}

const fn on(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// Why a viewer left, from the camera's side; the texts of [`Cause`] speak to viewers.
fn why(cause: Cause) -> &'static str {
    match cause {
        Cause::Local => "it was told goodbye",
        Cause::Peer => "it said goodbye",
        Cause::Lost => "without a word",
        Cause::WrongKey => "it does not know the ENR",
        Cause::Secure(_) => "the secure channel failed (wrong ENR, or no common suite)",
        Cause::Auth(_) => "it could not answer the challenge",
        Cause::LoginTimeout | Cause::AuthTimeout => "it did not log in",
        _ => "for another reason",
    }
}
