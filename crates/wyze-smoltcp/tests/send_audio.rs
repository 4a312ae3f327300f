//! Why a frame of audio is not sent.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use smoltcp::socket::udp;
use tutk_testkit::differ;
use wyze_smoltcp::session::{
    AudioFormat, Client, ClientConfig, Codec, Cx, Enr, Instant, Mac, Memory, TalkError, TalkFrame,
};
use wyze_smoltcp::{Connection, SendAudioError};

#[test]
fn audio_before_there_is_a_talk_is_refused_and_leaves_the_socket_alone() {
    let (enr, mac) = (Enr::new("sim-enr-16byte!!"), Mac::new("00AA11BB22CC"));
    let (enr, mac) = (enr.unwrap(), mac.unwrap());
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut memory, mut buffer) = (Memory::<0, 0>::new(), [0; 1500]);
    let mut cx = Cx::new(Instant::ZERO, &mut rng);
    let uid = "SIMCAMSIMCAMSIMCAM11".parse().unwrap();
    let config = ClientConfig::new(uid, &enr, &mac, &[]);
    let client = Client::new(&config, memory.split(), &mut cx);
    let mut connection = Connection::new(client, &mut buffer);
    let ring = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 2], vec![0; 3000]);
    let mut socket = udp::Socket::new(ring(), ring());
    socket.bind(50_000).unwrap();
    let frame = TalkFrame {
        codec: Codec::Pcm16,
        format: AudioFormat {
            sample_rate: 8000,
            bits: 16,
            channels: 1,
        },
        micros: 0,
        data: &[0; 320],
    };
    let sent = connection.send_audio(&mut socket, &mut cx, &frame);
    assert_eq!(sent, Err(SendAudioError::Talk(TalkError::NotReady)));
    assert_eq!(socket.send_queue(), 0);
}

#[test]
fn each_reason_reads_differently() {
    let texts = [
        SendAudioError::Talk(TalkError::NotReady),
        SendAudioError::Talk(TalkError::TooLarge { max: 640 }),
        SendAudioError::SocketFull,
    ]
    .map(|error| error.to_string());
    differ(&texts, &["ready", "640", "poll the interface first"]);
}
