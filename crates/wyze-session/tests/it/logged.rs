//! What the layers log while they drop what is forged, malformed, spoilt and replayed.

use std::cell::RefCell;
use std::sync::Once;

use log::{LevelFilter, Log, Metadata, Record};
use tutk_testkit::net::Faults;
use tutk_testkit::pump::Node;
use tutk_testkit::spellings;
use wyze_session::{Cx, kauth};

use crate::common::{DEVICE, addr, enr, mac, uid};
use crate::layered::{run_for, with_challenges};
use crate::network::is_let_in;

thread_local! {
    /// What was logged by this thread, which runs one test.
    static LOGGED: RefCell<String> = const { RefCell::new(String::new()) };
}

struct Keep;

impl Log for Keep {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = format!("{}: {}\n", record.target(), record.args());
        LOGGED.with_borrow_mut(|all| all.push_str(&line));
    }

    fn flush(&self) {}
}

/// Keeps everything that this thread logs while `run` runs, and searches it for what identifies or opens a camera, and for
/// the secrets of the session, which `run` tells.
fn assert_logs_no_secret(layers: &[&str], run: impl FnOnce() -> Vec<Vec<u8>>) {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        log::set_logger(&Keep).unwrap();
        log::set_max_level(LevelFilter::Trace);
    });
    LOGGED.take();
    let mut secrets = run();
    let logged = LOGGED.take();
    for layer in layers {
        let drops = |line: &str| line.starts_with(layer) && line.contains("dropped");
        assert!(logged.lines().any(drops), "{layer} logs drops: {logged}");
    }
    let (enr, mac) = (enr("sim-enr-16byte!!"), mac());
    secrets.extend([
        uid().as_bytes().to_vec(),
        b"sim-enr-16byte!!".to_vec(),
        b"00AA11BB22CC".to_vec(),
        kauth::auth_key(&enr, &mac).to_vec(),
        kauth::psk(&enr).expose().to_vec(),
    ]);
    for spelling in secrets.iter().flat_map(|secret| spellings(secret)) {
        assert!(!logged.contains(&spelling), "{spelling:?}: {logged}");
    }
}

#[test]
fn what_is_dropped_at_the_highest_log_level_shows_no_secret() {
    let layers = ["tutk_iotc", "tutk_dtls", "tutk_av", "wyze_kauth"];
    assert_logs_no_secret(&layers, || {
        let mut secrets = Vec::new();
        with_challenges(3, |world, client, camera| {
            let entry = client.client.take_key_log_entry().unwrap();
            secrets.push(entry.master_secret.expose().to_vec());
            secrets.push(camera.challenges[0][1..17].to_vec());
            secrets.push(camera.answers().next().unwrap()[..16].to_vec());
            let cx = &mut Cx::new(world.now, &mut world.rng);
            // AV messages of no type, and cut short.
            for bytes in [&[0xee; 40][..], &[0x0c, 0, 0]] {
                camera.send(cx, |_, tx| tx.append(bytes).is_ok());
            }
            camera.tell(cx, kauth::Code::K10001, &[0; 3]);
            // The last one also spoilt, cut in two, and twice.
            let last = camera.out.back().unwrap().clone();
            let mut spoilt = last.clone();
            spoilt[50] ^= 1; // of the ciphertext: the HMAC of CC51 is behind
            for mut bytes in [spoilt, last[..last.len() / 2].to_vec(), last] {
                client.receive(cx, addr(DEVICE), &mut bytes);
            }
            run_for(world, 500, client, camera);
            assert_eq!(client.closed, None);
        });
        secrets
    });
}

#[test]
fn a_network_that_spoils_everything_shows_no_secret_at_the_highest_log_level() {
    let layers = ["tutk_iotc", "tutk_dtls"];
    assert_logs_no_secret(&layers, || {
        let faults = Faults {
            corrupt: 20,
            ..Faults::BAD_WIFI
        };
        assert!((0..20).filter(|seed| is_let_in(*seed, faults)).count() > 5);
        Vec::new()
    });
}
