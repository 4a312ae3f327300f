//! The sound, read on a thread of its own: a pipe may make us wait, the session must not.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TryRecvError};
use std::sync::mpsc::{channel, sync_channel};
use std::thread;
use std::time::Duration;

use wyze_media::{AudioFormat, AudioInput, AudioInputError, RawPcm, SoundFrame, SoundTarget};

use crate::failure::{Exit, Failure};

/// Frames that are made in advance.
const AHEAD: usize = 8;
/// How soon ctrl-C is noticed.
const TICK: Duration = Duration::from_millis(50);

/// What the thread says, in this order: opened, rate, frames; or where it failed.
enum Said {
    Opened(AudioFormat),
    Rate(u32),
    Frame(SoundFrame),
    Failed(AudioInputError),
}

/// The next frame, or why there is none.
pub(super) enum Next {
    Frame(SoundFrame),
    NotYet,
    End,
}

pub(super) struct Feed {
    said: Receiver<Said>,
    target: Sender<SoundTarget>,
    /// Frames are kept; until then they are thrown away.
    kept: Arc<AtomicBool>,
}

impl Feed {
    /// Begins to open `input`; `-` is standard input. With `live`, what comes before [`begin`](Self::begin) is thrown away:
    /// said later, it would put off all that follows.
    pub(super) fn open(input: &Path, raw: Option<RawPcm>, live: bool) -> Self {
        let (say, said) = sync_channel(AHEAD);
        let (target, wanted) = channel();
        let input = input.to_owned();
        let kept = Arc::new(AtomicBool::new(!live));
        let keep = kept.clone();
        thread::spawn(move || {
            if let Err(error) = read(&input, raw, &wanted, &say, &keep) {
                // Nobody listens any more: the talk is over.
                let _ = say.send(Said::Failed(error));
            }
        });
        Self { said, target, kept }
    }

    /// Waits until the sound is open; what it is.
    pub(super) fn opened(&self, stop: &AtomicBool) -> Result<AudioFormat, Failure> {
        match self.wait(stop)? {
            Said::Opened(format) => Ok(format),
            other => Err(unexpected(&other)),
        }
    }

    /// From now on frames of `target` are made. The rate in which their lengths count.
    pub(super) fn convert(&self, target: SoundTarget, stop: &AtomicBool) -> Result<u32, Failure> {
        // If the thread is gone, waiting says so.
        let _ = self.target.send(target);
        match self.wait(stop)? {
            Said::Rate(rate) => Ok(rate),
            other => Err(unexpected(&other)),
        }
    }

    /// Somebody listens from now on.
    pub(super) fn begin(&self) {
        self.kept.store(true, Ordering::Relaxed);
    }

    /// The next frame, without waiting.
    pub(super) fn next(&self) -> Result<Next, Failure> {
        match self.said.try_recv() {
            Ok(Said::Frame(frame)) => Ok(Next::Frame(frame)),
            Ok(Said::Failed(error)) => Err(error.into()),
            Ok(other) => Err(unexpected(&other)),
            Err(TryRecvError::Empty) => Ok(Next::NotYet),
            Err(TryRecvError::Disconnected) => Ok(Next::End),
        }
    }

    fn wait(&self, stop: &AtomicBool) -> Result<Said, Failure> {
        loop {
            match self.said.recv_timeout(TICK) {
                Ok(Said::Failed(error)) => return Err(error.into()),
                Ok(said) => return Ok(said),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure::new(Exit::Internal, "the sound's reader is gone"));
                }
                Err(RecvTimeoutError::Timeout) if stop.load(Ordering::Relaxed) => {
                    return Err(Failure::new(
                        Exit::Interrupted,
                        "interrupted before any sound had come",
                    ));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

fn unexpected(said: &Said) -> Failure {
    let what = match said {
        Said::Opened(_) => "opened",
        Said::Rate(_) => "rate",
        Said::Frame(_) => "frame",
        Said::Failed(_) => "failed",
    };
    Failure::new(
        Exit::Internal,
        format!("the sound's reader said \"{what}\" at the wrong time"),
    )
}

/// The thread: ends with the sound, or when nobody listens any more.
fn read(
    input: &PathBuf,
    raw: Option<RawPcm>,
    wanted: &Receiver<SoundTarget>,
    say: &SyncSender<Said>,
    keep: &AtomicBool,
) -> Result<(), AudioInputError> {
    let input = if input == Path::new("-") {
        AudioInput::from_stdin(std::io::stdin(), raw)?
    } else {
        AudioInput::open(input, raw)?
    };
    if say.send(Said::Opened(input.format())).is_err() {
        return Ok(());
    }
    let Ok(target) = wanted.recv() else {
        return Ok(());
    };
    let frames = input.into_frames(target)?;
    if say.send(Said::Rate(frames.clock_rate())).is_err() {
        return Ok(());
    }
    for frame in frames {
        let frame = frame?;
        if keep.load(Ordering::Relaxed) && say.send(Said::Frame(frame)).is_err() {
            break;
        }
    }
    Ok(())
}
