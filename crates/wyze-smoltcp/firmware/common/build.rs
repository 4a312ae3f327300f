//! The clip that the camera shows, cut out of the workspace's demo: the frames one after the other, and where each lies.

#[cfg(not(feature = "camera"))]
fn main() {}

#[cfg(feature = "camera")]
fn main() {
    use std::fmt::Write;
    use std::time::Duration;

    use wyze_media::{Clip, Track};

    /// As much as a small flash has room for.
    const LENGTH: Duration = Duration::from_millis(2500);

    let root = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let path = format!("{root}/../../../../assets/demo.mp4");
    println!("cargo::rerun-if-changed={path}");
    let clip = Clip::open(&path).expect("the demo is a clip");
    let video = clip.video().expect("the demo has a picture");
    let audio = clip.audio().expect("the demo has sound");
    let samples = clip.samples().iter().take_while(|s| s.time < LENGTH);
    let samples: Vec<_> = samples.collect();
    // It ends with a picture: a viewer that has seen the last one has heard everything, too.
    let last = samples.iter().rposition(|s| s.track == Track::Video);
    let samples = &samples[..=last.expect("the demo begins with a picture")];
    let (mut bytes, mut index) = (Vec::new(), String::new());
    for sample in samples {
        let start = bytes.len();
        bytes.extend_from_slice(&sample.data);
        writeln!(
            index,
            "    Sample {{ video: {}, key: {}, at: {}, start: {start}, end: {} }},",
            sample.track == Track::Video,
            sample.key,
            sample.time.as_micros(),
            bytes.len()
        )
        .expect("a string takes it");
    }
    let out = std::env::var("OUT_DIR").expect("cargo sets it");
    let code = format!(
        "const FPS: u8 = {};\nconst SAMPLE_RATE: u32 = {};\nconst CHANNELS: u8 = {};\n\
         static SAMPLES: &[Sample] = &[\n{index}];\n",
        video.fps.round() as u8,
        audio.sample_rate,
        audio.channels
    );
    std::fs::write(format!("{out}/clip.bin"), bytes).expect("the clip is written");
    std::fs::write(format!("{out}/clip.rs"), code).expect("the index is written");
}
