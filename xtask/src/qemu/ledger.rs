//! What each side of a session says that went through, frame by frame, and whether both say the same.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use tutk_testkit::proxy::Lost;

use super::chance::least;

/// Frames from one key frame to the next, in the clip for lossy links.
pub(super) const KEY_INTERVAL: usize = 10;
/// Bytes of a frame that fit a datagram.
const PACKET: usize = 1024;
/// Frames of the tone that may pass before the camera listens. When its login, or the answer, is lost, it begins anew
/// every second, and the tone begins half a second after the first: this is three times in a row, and a frame or two
/// more.
const DEAF: usize = 135;

/// Frames by stream: what `wyze camera --ledger`, `wyze stream --ledger` and the firmware write, a line each.
#[derive(Debug, Default)]
pub(super) struct Ledger(BTreeMap<String, Vec<Entry>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    len: usize,
    hash: String,
}

impl Entry {
    /// Datagrams that hold it, at most.
    fn packets(&self) -> u32 {
        (self.len / PACKET + 1) as u32
    }
}

impl Ledger {
    /// Takes the lines that are entries.
    pub(super) fn parse(text: &str) -> Self {
        let mut ledger = Self::default();
        for line in text.lines() {
            let words: Vec<_> = line.split_ascii_whitespace().collect();
            if let [stream @ ("video" | "audio" | "talk"), len, hash] = words[..]
                && let (Ok(len), 64) = (len.parse(), hash.len())
            {
                let entry = Entry {
                    len,
                    hash: hash.to_owned(),
                };
                ledger.0.entry(stream.to_owned()).or_default().push(entry);
            }
        }
        ledger
    }

    /// How many frames of that stream.
    pub(super) fn len(&self, name: &str) -> usize {
        self.stream(name).len()
    }

    fn stream(&self, name: &str) -> &[Entry] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }
}

/// The same frames on both sides, in each of these streams.
pub(super) fn compare(streams: &[&str], camera: &Ledger, viewer: &Ledger) -> Result<String> {
    let mut counts = Vec::new();
    for name in streams {
        let (theirs, ours) = (camera.stream(name), viewer.stream(name));
        ensure!(!theirs.is_empty(), "the camera's ledger has no {name}");
        if theirs != ours {
            let first = theirs.iter().zip(ours).position(|(a, b)| a != b);
            bail!(
                "{name}: {} frames at the camera, {} at the viewer, the first that differs is {}",
                theirs.len(),
                ours.len(),
                first.unwrap_or(theirs.len().min(ours.len()))
            );
        }
        counts.push(format!("{} {name}", ours.len()));
    }
    Ok(format!("{} frames equal", counts.join(", ")))
}

/// What arrived over a link that lost `percent` of the datagrams, `lost` of them: nothing but what was sent, in its order,
/// each once; and as much as has to arrive. The seed of the loss does not decide which frames are hit, because the number
/// of datagrams before them depends on time, so that the least is a matter of chance ([`least`]).
pub(super) fn compare_lossy(
    camera: &Ledger,
    viewer: &Ledger,
    percent: u8,
    lost: Lost,
) -> Result<String> {
    ensure!(
        lost.to_client > 0 && lost.to_server > 0,
        "nothing was lost: {lost:?}"
    );
    let (video, video_gaps) = video(camera.stream("video"), viewer.stream("video"), percent)?;
    let (audio, audio_gaps) = audio(camera.stream("audio"), viewer.stream("audio"), percent)?;
    // What is missing was lost, a datagram at least for each.
    ensure!(
        video_gaps + audio_gaps <= lost.to_client as usize,
        "{video_gaps} gaps in the video and {audio_gaps} frames of audio missing after {lost:?}"
    );
    let talk = talk(viewer.stream("talk"), camera.stream("talk"), percent, lost)?;
    Ok(format!(
        "{video}, {audio}, {talk}; {} datagrams lost",
        lost.to_client + lost.to_server
    ))
}

/// Without memory for frames, a lost packet costs everything up to the next key frame, and nothing more. Also how many key
/// frames were waited for.
fn video(sent: &[Entry], received: &[Entry], percent: u8) -> Result<(String, usize)> {
    let arrived = positions("video", sent, received)?;
    let mut gaps = 0;
    for (number, group) in arrived.chunks(KEY_INTERVAL).enumerate() {
        let whole = group.iter().take_while(|arrived| **arrived).count();
        ensure!(
            group[whole..].iter().all(|arrived| !arrived),
            "video: a frame arrived behind a gap before key frame {}",
            number + 1
        );
        gaps += usize::from(whole < group.len());
    }
    let groups = sent.chunks(KEY_INTERVAL);
    let groups = groups.map(|group| group.iter().map(Entry::packets).collect());
    let note = enough("video", received.len(), sent.len(), least(groups, percent))?;
    Ok((note, gaps))
}

/// Each frame for itself. Also how many are missing.
fn audio(sent: &[Entry], received: &[Entry], percent: u8) -> Result<(String, usize)> {
    positions("audio", sent, received)?;
    let least = least(sent.iter().map(|entry| vec![entry.packets()]), percent);
    let note = enough("audio", received.len(), sent.len(), least)?;
    Ok((note, sent.len() - received.len()))
}

/// From the first frame that the camera hears on, each for itself.
fn talk(said: &[Entry], heard: &[Entry], percent: u8, lost: Lost) -> Result<String> {
    let arrived = positions("talk", said, heard)?;
    let deaf = arrived.iter().position(|arrived| *arrived);
    let deaf = deaf.context("talk: the camera heard nothing")?;
    ensure!(
        deaf <= DEAF,
        "talk: the camera heard nothing of {deaf} frames"
    );
    let rest = &said[deaf..];
    let missing = rest.len() - heard.len();
    ensure!(
        missing <= lost.to_server as usize,
        "talk: {missing} frames are missing after {lost:?}"
    );
    let least = least(rest.iter().map(|entry| vec![entry.packets()]), percent);
    enough("talk", heard.len(), said.len(), least)
}

fn enough(name: &str, received: usize, sent: usize, least: usize) -> Result<String> {
    ensure!(
        received >= least,
        "{name}: only {received} of {sent} frames arrived, and {least} have to"
    );
    Ok(format!("{received}/{sent} {name} (≥ {least})"))
}

/// Which of the frames that were `sent` were received: an error when another one was, or one twice, or in another order.
fn positions(name: &str, sent: &[Entry], received: &[Entry]) -> Result<Vec<bool>> {
    let mut rest = received.iter().peekable();
    let arrived = sent.iter().map(|entry| rest.next_if_eq(&entry).is_some());
    let arrived = arrived.collect();
    ensure!(
        rest.next().is_none(),
        "{name}: a frame arrived that was not sent, or not then"
    );
    Ok(arrived)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const LOST: Lost = Lost {
        to_server: 3,
        to_client: 3,
    };

    /// Frames of these streams, told apart by their lengths.
    fn ledger(streams: &[(&str, &[usize])]) -> Ledger {
        let lines = streams.iter().flat_map(|(stream, lens)| {
            lens.iter()
                .map(move |len| format!("{stream} {len} {HASH}\n"))
        });
        Ledger::parse(&lines.collect::<String>())
    }

    fn without(all: &[usize], missing: &[usize]) -> Vec<usize> {
        let stays = |len: &&usize| !missing.contains(len);
        all.iter().filter(stays).copied().collect()
    }

    #[test]
    fn entries_are_told_from_other_lines() {
        let text = format!("# video 3 frames\nvideo 3 {HASH}\nvideo x {HASH}\nvideo 3 ab\n");
        let ledger = Ledger::parse(&text);
        assert_eq!(ledger.stream("video").len(), 1);
        assert!(ledger.stream("audio").is_empty());
    }

    #[test]
    fn a_frame_that_is_missing_or_differs_is_noticed() {
        let streams = ["video", "audio"];
        let all = ledger(&[("video", &[1, 2]), ("audio", &[3])]);
        assert!(compare(&streams, &all, &all).is_ok());
        for other in [
            ledger(&[("video", &[1]), ("audio", &[3])]),
            ledger(&[("video", &[1, 3]), ("audio", &[3])]),
            ledger(&[("video", &[2, 1]), ("audio", &[3])]),
            ledger(&[("video", &[1, 2])]),
        ] {
            assert!(compare(&streams, &all, &other).is_err());
        }
        let nothing = Ledger::default();
        assert!(compare(&streams, &nothing, &nothing).is_err());
    }

    /// What a camera sent, and a viewer that lacks these, of each stream.
    fn lossy(video: &[usize], audio: &[usize], talk: &[usize]) -> Result<String> {
        let all: Vec<usize> = (0..200).collect();
        let sent = ledger(&[
            ("video", &all),
            ("audio", &all),
            ("talk", &without(&all, talk)),
        ]);
        let received = ledger(&[
            ("video", &without(&all, video)),
            ("audio", &without(&all, audio)),
            ("talk", &all),
        ]);
        compare_lossy(&sent, &received, 2, LOST)
    }

    #[test]
    fn loss_takes_away_the_rest_up_to_a_key_frame() {
        assert!(lossy(&[18, 19], &[4], &[5]).is_ok());
        assert!(lossy(&[17, 18], &[], &[]).is_err(), "behind a gap");
    }

    #[test]
    fn not_more_is_missing_than_was_lost() {
        assert!(lossy(&[9, 19], &[4], &[]).is_ok());
        assert!(lossy(&[9, 19], &[4, 7], &[]).is_err());
        assert!(lossy(&[], &[], &[4, 7, 9, 11]).is_err());
    }

    #[test]
    fn a_talk_may_begin_late_and_must_begin() {
        let late: Vec<usize> = (0..DEAF).collect();
        assert!(lossy(&[], &[], &late).is_ok());
        let later: Vec<usize> = (0..=DEAF).collect();
        assert!(lossy(&[], &[], &later).is_err());
        let never: Vec<usize> = (0..200).collect();
        assert!(lossy(&[], &[], &never).is_err());
    }

    #[test]
    fn far_too_little_is_noticed() {
        let most: Vec<usize> = (0..150).collect();
        assert!(lossy(&most, &[], &[]).is_err());
        assert!(lossy(&[], &most, &[]).is_err());
    }

    #[test]
    fn loss_adds_nothing_and_changes_no_order() {
        let sent = ledger(&[("video", &[1, 2, 3])]);
        for received in [&[1, 1, 2, 3][..], &[2, 1, 3], &[1, 4]] {
            let received = ledger(&[("video", received)]);
            let (sent, received) = (sent.stream("video"), received.stream("video"));
            assert!(positions("video", sent, received).is_err());
        }
    }
}
