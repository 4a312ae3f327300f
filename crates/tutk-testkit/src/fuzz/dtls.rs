//! A DTLS client and server over a network that the fuzzer steers.

use std::collections::VecDeque;
use std::time::Duration;

use tutk_core::{Cx, Datagram, Instant, Layer, TxBuf};
use tutk_dtls::{
    CipherSuite, Client, ClientConfig, Event, Psk, RECOMMENDED_REASSEMBLY, Server, ServerConfig,
    Suites,
};

const SECRET: &[u8] = b"nobody else may say this";

/// What the fuzzer does with the datagram at the head of a queue.
enum Fate {
    Deliver,
    Drop,
    Duplicate,
    Rotate,
    Flip(u8),
}

/// Data that came out of a DTLS record is data that the other side put in, whatever happened on the way.
///
/// The first byte chooses suite, cookie and MTU; each further one does something to the next datagram of one direction or
/// lets 100 ms pass.
pub fn dtls_pair(data: &[u8]) {
    run(data);
}

/// Plays `data`; how many times application data came out.
fn run(data: &[u8]) -> usize {
    let mut opened = 0;
    let Some((choice, ops)) = data.split_first() else {
        return opened;
    };
    let suites = match choice & 3 {
        0 => Suites::only(CipherSuite::EcdhePskChaCha20Poly1305),
        1 => Suites::only(CipherSuite::PskAes128CbcSha256),
        _ => Suites::ALL,
    };
    let mtu = if choice & 8 == 0 { 1200 } else { 100 };
    let (mut for_client, mut for_server) =
        ([0; RECOMMENDED_REASSEMBLY], [0; RECOMMENDED_REASSEMBLY]);
    let mut rng = crate::rng(6);
    let mut cx = Cx::new(Instant::ZERO, &mut rng);
    let mut config = ClientConfig::new(Psk::new([7; 32]), b"AUTHPWD_admin");
    (config.suites, config.mtu) = (suites, mtu);
    let mut client = Client::new(&config, &mut for_client, &mut cx);
    let mut config = ServerConfig::new(Psk::new([7; 32]));
    (config.suites, config.mtu, config.cookie) = (suites, mtu, choice & 4 == 4);
    let mut server = Server::new(&config, &mut for_server, &mut cx);

    let (mut up, mut down) = (VecDeque::new(), VecDeque::new());
    let mut ops = ops.iter().copied();
    while let Some(op) = ops.next() {
        let alive = match op {
            0xf0.. => {
                cx.now += Duration::from_millis(100);
                client.handle_timeout(&mut cx).is_ok() && server.handle_timeout(&mut cx).is_ok()
            }
            _ => {
                let fate = match op % 8 {
                    0..=3 => Fate::Deliver,
                    4 => Fate::Drop,
                    5 => Fate::Duplicate,
                    6 => Fate::Rotate,
                    _ => Fate::Flip(ops.next().unwrap_or(0)),
                };
                let came = if op & 8 == 0 {
                    pass(fate, &mut up, &mut server, &mut cx)
                } else {
                    pass(fate, &mut down, &mut client, &mut cx)
                };
                opened += came.unwrap_or(0);
                came.is_some()
            }
        };
        if !alive
            || !collect(&mut client, &mut up, &mut cx)
            || !collect(&mut server, &mut down, &mut cx)
        {
            return opened;
        }
        if client.is_connected() {
            let mut memory = [0; 200];
            let mut tx = TxBuf::new(&mut memory);
            tx.reserve(Client::HEADROOM, Client::TAILROOM)
                .expect("room");
            tx.append(SECRET).expect("room");
            if client.seal(&mut cx, &mut tx).is_ok() {
                up.push_back(tx.finish().to_vec());
            }
        }
    }
    opened
}

/// Does `fate` to the head of `queue`; how many times data came out of it, `None` when `to` died of it.
fn pass<L>(fate: Fate, queue: &mut VecDeque<Vec<u8>>, to: &mut L, cx: &mut Cx<'_>) -> Option<usize>
where
    L: for<'p> Layer<Event<'p> = Event<'p>>,
{
    let Some(mut bytes) = queue.pop_front() else {
        return Some(0);
    };
    match fate {
        Fate::Deliver => {}
        Fate::Drop => return Some(0),
        Fate::Duplicate => queue.push_front(bytes.clone()),
        Fate::Rotate => {
            queue.push_back(bytes);
            return Some(0);
        }
        Fate::Flip(at) => {
            let bit = usize::from(at) * 7 % (bytes.len().max(1) * 8);
            if let Some(byte) = bytes.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }
    let from = "192.0.2.7:4433".parse().expect("an address");
    let mut input = Datagram::new(from, &mut bytes);
    let mut opened = 0;
    loop {
        match to.handle_datagram(cx, &mut input) {
            Ok(Some(Event::Data(data))) => {
                assert_eq!(data, SECRET);
                opened += 1;
            }
            Ok(Some(_)) => {}
            Ok(None) => return Some(opened),
            Err(_) => return None,
        }
    }
}

/// Puts everything `from` wants to send into `queue`; `false` when it died.
fn collect(from: &mut impl Layer, queue: &mut VecDeque<Vec<u8>>, cx: &mut Cx<'_>) -> bool {
    let mut memory = [0; 2048];
    for _ in 0..64 {
        let mut tx = TxBuf::new(&mut memory);
        match from.poll_transmit(cx, &mut tx) {
            Ok(true) => queue.push_back(tx.finish().to_vec()),
            Ok(false) => return true,
            Err(_) => return false,
        }
    }
    panic!("a flight without an end");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undisturbed_pairs_connect_and_data_comes_out() {
        for choice in [0, 1, 2, 4, 8, 12] {
            let mut script = vec![choice, 0xf0];
            script.extend([0, 8].repeat(40));
            assert!(run(&script) > 0, "choice {choice}");
        }
    }
}
