//! The image that is weighed. Bytes, time and randomness come from memory that the optimiser must take for hardware, and
//! everything the session tells goes there, so nothing of it can be left out. Without a feature it is the empty program.
#![no_std]
#![no_main]

use tutk_size::rt::entry;

/// Stands for the registers of a radio, a timer and a random number generator.
static REGISTERS: [u32; 4] = [0; 4];

fn register(n: usize) -> u32 {
    // SAFETY: it lies within the array; volatile, so the optimiser does not know what is there.
    unsafe {
        (&raw const REGISTERS)
            .cast::<u32>()
            .wrapping_add(n & 3)
            .read_volatile()
    }
}

#[entry]
fn main() -> ! {
    #[cfg(any(feature = "client", feature = "camera"))]
    {
        #[cfg(feature = "client")]
        let mut client = client::make();
        #[cfg(feature = "camera")]
        let mut camera = camera::make();
        loop {
            #[cfg(feature = "client")]
            client::turn(&mut client);
            #[cfg(feature = "camera")]
            camera::turn(&mut camera);
        }
    }
    #[cfg(not(any(feature = "client", feature = "camera")))]
    loop {
        core::hint::black_box(register(0));
    }
}

#[cfg(any(feature = "client", feature = "camera"))]
mod device {
    use core::convert::Infallible;
    use core::hint::black_box;
    use core::net::{Ipv4Addr, SocketAddr};

    use rand_core::{TryCryptoRng, TryRng};
    use tutk_size::Slot;
    use wyze_session::{Cx, Enr, Instant, Mac, Memory, Storage, Uid};

    use crate::register;

    /// A hardware generator.
    pub(crate) struct Random;

    impl TryRng for Random {
        type Error = Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            Ok(register(0))
        }
        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            Ok(u64::from(register(0)) << 32 | u64::from(register(0)))
        }
        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
            for byte in out {
                *byte = register(0) as u8;
            }
            Ok(())
        }
    }
    impl TryCryptoRng for Random {}

    pub(crate) fn cx(rng: &mut Random) -> Cx<'_> {
        Cx::new(Instant::from_micros(u64::from(register(1))), rng)
    }

    /// One datagram buffer for both directions.
    pub(crate) fn datagram() -> &'static mut [u8] {
        static BUFFER: Slot<[u8; 1500]> = Slot::new();
        // SAFETY: one borrow at a time: each turn lets go of it before the next takes it.
        let buffer = unsafe { BUFFER.get() };
        black_box(&mut buffer[..])
    }

    pub(crate) fn peer() -> SocketAddr {
        SocketAddr::new(Ipv4Addr::from_bits(register(2)).into(), register(3) as u16)
    }

    pub(crate) fn identity() -> Option<(Uid, Enr, Mac)> {
        Some((
            black_box("SIMCAMSIMCAMSIMCAM11").parse().ok()?,
            Enr::new(black_box("sim-enr-16byte!!")).ok()?,
            Mac::new(black_box("00AA11BB22CC")).ok()?,
        ))
    }

    pub(crate) fn storage(memory: &'static mut Memory<0, 0, 256, 0>) -> Storage<'static> {
        memory.split()
    }
}

#[cfg(feature = "client")]
mod client {
    use core::hint::black_box;

    use tutk_size::Slot;
    use wyze_session::kauth::command::{Media, NightVision, SetNightVision};
    use wyze_session::{Client, ClientConfig, Datagram, Framings, Memory, Suites};

    use crate::device::{Random, cx, datagram, identity, peer, storage};
    use crate::register;

    pub(crate) fn make() -> Option<&'static mut Client<'static>> {
        static CLIENT: Slot<Client<'static>> = Slot::new();
        static MEMORY: Slot<Memory<0, 0, 256, 0>> = Slot::new();
        let (uid, enr, mac) = identity()?;
        let targets = [peer()];
        // SAFETY: main calls it once.
        let storage = storage(unsafe { MEMORY.put(Memory::new) });
        let config = ClientConfig {
            suites: Suites::CHACHA,
            framings: if cfg!(feature = "cc51") {
                Framings::BOTH
            } else {
                Framings::TRANSCODE
            },
            ..ClientConfig::new(uid, &enr, &mac, &targets)
        };
        #[cfg(feature = "frames")]
        let storage = {
            static VIDEO: Slot<[u8; 32768]> = Slot::new();
            static AUDIO: Slot<[u8; 8192]> = Slot::new();
            static REPAIR: Slot<wyze_session::RepairMemory> = Slot::new();
            // SAFETY: main calls it once.
            let (video, audio, repair) = unsafe {
                (
                    VIDEO.get(),
                    AUDIO.get(),
                    REPAIR.put(wyze_session::RepairMemory::new),
                )
            };
            wyze_session::Storage {
                video,
                audio,
                repair: Some(repair),
                ..storage
            }
        };
        #[cfg(feature = "talk")]
        let storage = {
            static TALK: Slot<[u8; 256]> = Slot::new();
            // SAFETY: main calls it once.
            let talk = unsafe { TALK.get() };
            wyze_session::Storage {
                talk_handshake: talk,
                ..storage
            }
        };
        // SAFETY: main calls it once.
        Some(unsafe { CLIENT.put(|| Client::new(&config, storage, &mut cx(&mut Random))) })
    }

    pub(crate) fn turn(client: &mut Option<&'static mut Client<'static>>) {
        let Some(client) = client else { return };
        let mut rng = Random;
        while let Some(t) = client.poll_transmit(&mut cx(&mut rng), datagram()) {
            black_box(t);
        }
        while let Some(event) = client.poll_event(&mut cx(&mut rng)) {
            black_box(event);
        }
        let len = register(0) as usize;
        if let Some(bytes) = datagram().get_mut(..len) {
            let mut input = Datagram::new(peer(), bytes);
            while let Some(event) = client.handle_datagram(&mut cx(&mut rng), &mut input) {
                black_box(event);
            }
        }
        if client
            .poll_timeout()
            .is_some_and(|at| at <= cx(&mut rng).now)
        {
            client.handle_timeout(&mut cx(&mut rng));
        }
        if register(0) == 1 {
            let _ = black_box(client.request(
                &mut cx(&mut rng),
                &SetNightVision {
                    mode: NightVision::Auto,
                },
            ));
            let _ = black_box(client.enable(&mut cx(&mut rng), Media::Audio, register(1) == 0));
        }
        #[cfg(feature = "talk")]
        talk(client);
        if register(0) == 2 {
            client.close();
        }
    }

    #[cfg(feature = "talk")]
    fn talk(client: &mut Client<'static>) {
        let mut rng = Random;
        if register(0) == 3 {
            let _ = black_box(client.start_talk(&mut cx(&mut rng)));
        }
        if register(0) == 4 {
            let _ = black_box(client.stop_talk(&mut cx(&mut rng)));
        }
        static SOUND: [u8; 320] = [0; 320];
        let frame = wyze_session::TalkFrame {
            format: wyze_session::AudioFormat {
                sample_rate: register(0),
                bits: 16,
                channels: 1,
            },
            codec: wyze_session::Codec::AacWyze,
            data: black_box(&SOUND),
            micros: register(1),
        };
        let _ = black_box(client.send_audio(&mut cx(&mut rng), &frame, datagram()));
    }
}

#[cfg(feature = "camera")]
mod camera {
    use core::hint::black_box;

    use tutk_size::Slot;
    use wyze_session::{
        Camera, CameraConfig, CameraEvent, CameraState, Codec, Datagram, FrameInfo, Memory,
        OutFrame, Stream, Suites,
    };

    use crate::device::{Random, cx, datagram, identity, peer, storage};
    use crate::register;

    pub(crate) fn make() -> Option<&'static mut (Camera<'static>, CameraState)> {
        static CAMERA: Slot<(Camera<'static>, CameraState)> = Slot::new();
        static MEMORY: Slot<Memory<0, 0, 256, 0>> = Slot::new();
        let (uid, enr, mac) = identity()?;
        // SAFETY: main calls it once.
        let storage = storage(unsafe { MEMORY.put(Memory::new) });
        let config = CameraConfig {
            suites: Suites::CHACHA,
            ..CameraConfig::new(uid, &enr, &mac)
        };
        // SAFETY: main calls it once.
        Some(unsafe {
            CAMERA.put(|| {
                (
                    Camera::new(&config, storage, &mut cx(&mut Random)),
                    CameraState::default(),
                )
            })
        })
    }

    pub(crate) fn turn(camera: &mut Option<&'static mut (Camera<'static>, CameraState)>) {
        let Some((camera, state)) = camera else {
            return;
        };
        let mut rng = Random;
        while let Some(t) = camera.poll_transmit(&mut cx(&mut rng), datagram()) {
            black_box(t);
        }
        while let Some(event) = camera.poll_event(&mut cx(&mut rng)) {
            black_box(event);
        }
        let len = register(0) as usize;
        if let Some(bytes) = datagram().get_mut(..len) {
            let mut input = Datagram::new(peer(), bytes);
            while let Some(event) = camera.handle_datagram(&mut cx(&mut rng), &mut input) {
                if let CameraEvent::Command { code, payload } = black_box(event) {
                    let mut body = [0; 64];
                    let len = payload.len().min(body.len());
                    if let (Some(to), Some(from)) = (body.get_mut(..len), payload.get(..len)) {
                        to.copy_from_slice(from);
                        camera.answer(state, code, to);
                    }
                }
            }
        }
        if camera
            .poll_timeout()
            .is_some_and(|at| at <= cx(&mut rng).now)
        {
            camera.handle_timeout(&mut cx(&mut rng));
        }
        static PICTURE: [u8; 4096] = [0; 4096];
        let frame = OutFrame {
            stream: Stream::Video,
            key: register(0) == 0,
            info: FrameInfo::video(Codec::H264, 20, u64::from(register(1))),
            data: black_box(&PICTURE),
        };
        if let Ok(mut out) = camera.start_frame(&frame) {
            while let Some(t) = camera.poll_frame(&mut cx(&mut rng), &mut out, datagram()) {
                black_box(t);
            }
        }
        if register(0) == 2 {
            camera.close();
            camera.reset(&mut cx(&mut rng));
        }
    }
}
