//! Prints which part of a 2K stream arrives over a bad network, without and with lossless mode.
//!
//! ```text
//! cargo run --release -p tutk-av --example loss_table [seconds]
//! ```

#[path = "../tests/av/lossy.rs"]
mod lossy;

use lossy::{Mode, Network, run};

fn main() {
    let seconds = std::env::args().nth(1).and_then(|s| s.parse().ok());
    let seconds = seconds.unwrap_or(120);
    println!("2304x1296, 20 fps, 4 Mbit/s, a key frame every 2 s, 20 ms each way, {seconds} s");
    println!(
        "loss  reorder  mode             video    audio  extra/lost  resent  in vain  given up"
    );
    for loss in [0, 10, 20, 50, 100] {
        for reorder in [0, 50, 200] {
            for mode in [Mode::Off, Mode::Resend, Mode::ResendAndParity] {
                let network = Network {
                    loss,
                    reorder,
                    duplicate: 0,
                };
                let seen = run(mode, network, seconds, 1 + loss + reorder);
                let percent = |part: u64, whole: u64| 100.0 * part as f64 / whole as f64;
                println!(
                    "{:3} %   {:4} %  {:15} {:6.2} % {:6.2} % {:>9} {:8} {:8} {:8}",
                    loss / 10,
                    reorder / 10,
                    format!("{mode:?}"),
                    percent(seen.video_delivered, seen.video_sent),
                    percent(seen.audio_delivered, seen.audio_sent),
                    if seen.lost_bytes == 0 {
                        "-".into()
                    } else {
                        format!("{:.2}", seen.extra_per_lost())
                    },
                    seen.camera.tx_resent,
                    seen.app.rx_resent_in_vain,
                    seen.app.rx_abandoned,
                );
            }
        }
    }
}
