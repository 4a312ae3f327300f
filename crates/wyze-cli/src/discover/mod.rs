//! `wyze discover`: which cameras answer on this network, and where.

mod search;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tutk_iotc::AuthKey;
use wyze_cloud::Camera;
use wyze_std::session::kauth::auth_key;
use wyze_std::session::{LAN_PORT, Uid};
use wyze_std::{CameraUrl, targets};

use crate::failure::{Exit, Failure};
use crate::options::seconds;
use crate::say::{note, say};
use crate::{interrupt, table, target};
use search::{Found, Wanted, search};

const EXAMPLES: &str = "\
Examples:
  wyze discover                    all cameras of the account, after `wyze login`
  wyze discover --uid UID --json

A search says which camera is meant, and a camera answers to its own UID only: there is no way to ask who is there. So the
UIDs must be known, from the account or by --uid. Probes go to the last known address and to the broadcast address of every
interface. Cameras with 0xCC51 firmware answer only to who knows ENR and MAC as well, so with --uid alone they are silent,
unless the account has that camera. No viewer slot is taken.";

/// Find cameras on this network, and where they are
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DiscoverArgs {
    /// Search for this UID only; may be given several times
    #[arg(long, value_name = "UID", num_args = 1..)]
    uid: Vec<String>,
    /// Search this address only, instead of the network; may be given several times
    #[arg(long, value_name = "HOST:PORT")]
    target: Vec<SocketAddr>,
    /// How long to wait for answers
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "5")]
    timeout: Duration,
    /// One JSON object a camera, one a line
    #[arg(long)]
    json: bool,
}

/// Searches and prints. A success when at least one camera answered.
pub(crate) fn run(args: &DiscoverArgs) -> Result<(), Failure> {
    let stop = interrupt::install()?;
    let store = target::open_store();
    let wanted = if args.uid.is_empty() {
        of_account(store?.cameras(), &args.target)?
    } else {
        // Here the account adds names and keys, which is no reason to fail without.
        let store = store
            .inspect_err(|e| note!("wyze: warning: the account is left out: {e}"))
            .ok();
        let cameras = store.as_ref().map_or(&[][..], |store| store.cameras());
        of_uids(&args.uid, cameras, &args.target)?
    };
    let answers = search(&wanted, args.timeout, stop).map_err(|e| {
        Failure::new(
            Exit::Internal,
            format!("cannot search the network: {e}; is there a network interface?"),
        )
    })?;
    if args.json {
        for (wanted, found) in wanted.iter().zip(&answers) {
            say!("{}", json(wanted, found.as_ref()));
        }
    } else {
        let rows: Vec<_> = wanted
            .iter()
            .zip(&answers)
            .map(|(wanted, found)| row(wanted, found.as_ref()))
            .collect();
        table::print(&rows);
    }
    if answers.iter().any(Option::is_some) {
        return Ok(());
    }
    if stop.load(Ordering::Relaxed) {
        return Err(Failure::new(
            Exit::Interrupted,
            "interrupted before a camera had answered",
        ));
    }
    Err(Failure::new(
        Exit::NoAnswer,
        "no camera answered: check that they are powered and on this network, and that this computer's firewall lets \
         answers in",
    ))
}

/// All cameras of the account that speak TUTK.
fn of_account(cameras: &[Camera], to: &[SocketAddr]) -> Result<Vec<Wanted>, Failure> {
    let wanted: Vec<Wanted> = cameras
        .iter()
        .filter_map(|camera| {
            wanted(camera, to)
                .inspect_err(|e| log::debug!("{} is left out: {e}", camera.name()))
                .ok()
        })
        .collect();
    if wanted.is_empty() {
        return Err(Failure::new(
            Exit::NoCamera,
            "no UID to search for: a camera answers to its own UID only; run wyze login to fetch those of your account, or \
             give one with --uid",
        ));
    }
    Ok(wanted)
}

/// The cameras with these UIDs; those of the account with their names and keys.
fn of_uids(uids: &[String], cameras: &[Camera], to: &[SocketAddr]) -> Result<Vec<Wanted>, Failure> {
    let one = |text: &String| {
        let uid: Uid = text
            .parse()
            .map_err(|e| Failure::new(Exit::Url, format!("--uid: {e}; copy it again")))?;
        let known = cameras.iter().find(|c| c.uid().expose() == text);
        if let Some(wanted) = known.and_then(|camera| wanted(camera, to).ok()) {
            return Ok(wanted);
        }
        Ok(Wanted {
            label: abridged(text),
            uid,
            key: None,
            targets: narrowed(to, || {
                targets(SocketAddr::from((Ipv4Addr::BROADCAST, LAN_PORT)))
            }),
        })
    };
    uids.iter().map(one).collect()
}

fn wanted(camera: &Camera, to: &[SocketAddr]) -> Result<Wanted, Failure> {
    let url: CameraUrl = camera.url()?.expose().parse()?;
    let config = url.config();
    let (enr, mac) = config.credentials();
    Ok(Wanted {
        label: camera.name().to_owned(),
        uid: config.uid,
        key: Some(AuthKey::new(auth_key(enr, mac))),
        targets: narrowed(to, || {
            let nowhere = SocketAddr::from((Ipv4Addr::BROADCAST, LAN_PORT));
            targets(url.resolve().unwrap_or(nowhere))
        }),
    })
}

/// The addresses that the user chose, or else all.
fn narrowed(chosen: &[SocketAddr], all: impl FnOnce() -> Vec<SocketAddr>) -> Vec<SocketAddr> {
    if chosen.is_empty() {
        all()
    } else {
        chosen.to_vec()
    }
}

/// Enough of a UID to tell it from others; the whole of it identifies a household's camera.
fn abridged(uid: &str) -> String {
    let head: String = uid.chars().take(4).collect();
    format!("UID {head}…")
}

fn row(wanted: &Wanted, found: Option<&Found>) -> [String; 3] {
    let (address, how) = match found {
        Some(found) => (
            found.from.to_string(),
            format!("{}, {} ms", found.framing, found.after.as_millis()),
        ),
        None if wanted.key.is_none() => (
            "no answer".to_owned(),
            "with 0xCC51 firmware it takes its ENR and MAC: wyze login".to_owned(),
        ),
        None => ("no answer".to_owned(), String::new()),
    };
    [wanted.label.clone(), address, how]
}

fn json(wanted: &Wanted, found: Option<&Found>) -> serde_json::Value {
    json!({
        "camera": wanted.label,
        "found": found.is_some(),
        "address": found.map(|f| f.from.to_string()),
        "framing": found.map(|f| f.framing.to_string()),
        "ms": found.map(|f| u64::try_from(f.after.as_millis()).unwrap_or(u64::MAX)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_uid_there_is_nothing_to_ask() {
        let failure = of_account(&[], &[]).unwrap_err();
        assert_eq!(failure.exit, Exit::NoCamera);
        for remedy in ["wyze login", "--uid"] {
            assert!(failure.message.contains(remedy), "{failure}");
        }
    }

    #[test]
    fn a_uid_is_searched_by_broadcast_and_shown_in_part() {
        let uid = "SIMCAMSIMCAMSIMCAM11".to_owned();
        let wanted = of_uids(&[uid], &[], &[]).unwrap().remove(0);
        assert_eq!(wanted.label, "UID SIMC…");
        assert!(
            wanted
                .targets
                .contains(&"255.255.255.255:32761".parse().unwrap())
        );
        let failure = of_uids(&["short".to_owned()], &[], &[]).unwrap_err();
        assert_eq!(failure.exit, Exit::Url);
    }
}
