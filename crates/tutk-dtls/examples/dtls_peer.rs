//! One side of a DTLS association over UDP on the loopback interface, to be tried against other implementations.
//!
//! ```text
//! dtls_peer client|server PORT ccac|cbc|both PSKHEX [mtu=N] [cookie] [ems] [hint=STR] [timeout_ms=N]
//! ```
//! After the handshake it sends one record, `hello-from-tutk-client\n` or `hello-from-tutk-server\n`, prints what it
//! receives, and closes once it has received something. Exit code 0 when all of that happened.

use std::env;
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::process::ExitCode;
use std::time::{Duration, Instant as Clock};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tutk_core::{Cx, Datagram, Instant, Layer, TxBuf};
use tutk_dtls::{
    CipherSuite, Client, ClientConfig, Error, Event, Psk, RECOMMENDED_REASSEMBLY, SealError,
    Server, ServerConfig, Suites,
};

const USAGE: &str = "usage: dtls_peer client|server PORT ccac|cbc|both PSKHEX [mtu=N] [cookie] [ems] [hint=STR] [timeout_ms=N]";

/// What both roles have beside [`Layer`].
trait Peer: for<'p> Layer<Event<'p> = Event<'p>, Error = Error> {
    fn seal(&mut self, cx: &mut Cx<'_>, tx: &mut TxBuf<'_>) -> Result<(), SealError>;
    fn close(&mut self);
}

macro_rules! peer {
    ($($role:ident),*) => {$(
        impl Peer for $role<'_> {
            fn seal(&mut self, cx: &mut Cx<'_>, tx: &mut TxBuf<'_>) -> Result<(), SealError> {
                $role::seal(self, cx, tx)
            }
            fn close(&mut self) {
                $role::close(self);
            }
        }
    )*};
}
peer!(Client, Server);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("dtls_peer: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [role, port, suites, psk, options @ ..] = &args[..] else {
        return Err(USAGE.into());
    };
    let port: u16 = port.parse().map_err(|_| USAGE)?;
    let suites = match suites.as_str() {
        "ccac" => Suites::only(CipherSuite::EcdhePskChaCha20Poly1305),
        "cbc" => Suites::only(CipherSuite::PskAes128CbcSha256),
        "both" => Suites::ALL,
        _ => return Err(USAGE.into()),
    };
    let psk: [u8; 32] = hex::decode(psk)
        .ok()
        .and_then(|b| b.try_into().ok())
        .ok_or("PSKHEX must be 64 hexadecimal digits")?;
    let value = |key: &str| {
        options
            .iter()
            .find_map(|o| o.strip_prefix(key)?.strip_prefix('='))
    };
    let number =
        |key: &str, default: u64| value(key).map_or(Ok(default), |v| v.parse().map_err(|_| USAGE));
    let flag = |key: &str| options.iter().any(|o| o == key);
    let mtu = number("mtu", 1200)? as u16;
    let limit = Duration::from_millis(number("timeout_ms", 8000)?);

    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| e.to_string())?;
    let mut rng = ChaCha8Rng::from_seed(seed);
    // Twice the recommendation: `openssl s_client -alpn` with a long list makes a hello of more than 512 bytes.
    let mut memory = [0; 2 * RECOMMENDED_REASSEMBLY];
    let mut cx = Cx::new(Instant::ZERO, &mut rng);
    let io = |e: std::io::Error| e.to_string();
    if role == "client" {
        let mut config = ClientConfig::new(Psk::new(psk), b"AUTHPWD_admin");
        (config.suites, config.mtu, config.handshake_limit) = (suites, mtu, limit);
        config.extended_master_secret = flag("ems");
        let client = Client::new(&config, &mut memory, &mut cx);
        let socket = UdpSocket::bind("127.0.0.1:0").map_err(io)?;
        socket.connect(("127.0.0.1", port)).map_err(io)?;
        converse(client, &socket, b"hello-from-tutk-client\n", rng, limit)
    } else {
        let mut config = ServerConfig::new(Psk::new(psk));
        (config.suites, config.mtu, config.handshake_limit) = (suites, mtu, limit);
        config.cookie = flag("cookie");
        config.extended_master_secret = flag("ems");
        config.hint = value("hint").map(str::as_bytes);
        let server = Server::new(&config, &mut memory, &mut cx);
        let socket = UdpSocket::bind(("127.0.0.1", port)).map_err(io)?;
        converse(server, &socket, b"hello-from-tutk-server\n", rng, limit)
    }
}

/// The loop of the contract, around one conversation.
fn converse(
    mut peer: impl Peer,
    socket: &UdpSocket,
    greeting: &[u8],
    mut rng: ChaCha8Rng,
    limit: Duration,
) -> Result<(), String> {
    let started = Clock::now();
    let now = || Instant::from_micros(started.elapsed().as_micros() as u64);
    let (mut rx, mut tx) = ([0; 2048], [0; 2048]);
    let (mut got, mut closed) = (false, false);
    let mut to = socket.peer_addr().ok();
    loop {
        loop {
            let mut out = TxBuf::new(&mut tx);
            if !peer
                .poll_transmit(&mut Cx::new(now(), &mut rng), &mut out)
                .map_err(|e| e.to_string())?
            {
                break;
            }
            send(socket, to, out.finish())?;
        }
        if closed {
            return if got {
                Ok(())
            } else {
                Err("the peer closed without a word".into())
            };
        }
        if started.elapsed() > limit + Duration::from_secs(2) {
            return Err("connected, but nothing came from the peer in time".into());
        }
        let wait = peer
            .poll_timeout()
            .map_or(Duration::from_millis(200), |at| at - now());
        socket
            .set_read_timeout(Some(
                wait.clamp(Duration::from_millis(1), Duration::from_millis(200)),
            ))
            .map_err(|e| e.to_string())?;
        match socket.recv_from(&mut rx) {
            Ok((n, from)) => {
                to = to.or(Some(from));
                let mut input = Datagram::new(from, &mut rx[..n]);
                loop {
                    let mut cx = Cx::new(now(), &mut rng);
                    match peer
                        .handle_datagram(&mut cx, &mut input)
                        .map_err(|e| e.to_string())?
                    {
                        None => break,
                        Some(Event::Connected { suite }) => {
                            println!("connected {suite}");
                            // Our own flight (a server's Finished) first.
                            while {
                                let mut out = TxBuf::new(&mut tx);
                                let more = peer
                                    .poll_transmit(&mut cx, &mut out)
                                    .map_err(|e| e.to_string())?;
                                if more {
                                    send(socket, to, out.finish())?;
                                }
                                more
                            } {}
                            let mut out = TxBuf::new(&mut tx);
                            out.reserve(Client::HEADROOM, Client::TAILROOM)
                                .map_err(|e| e.to_string())?;
                            out.append(greeting).map_err(|e| e.to_string())?;
                            peer.seal(&mut cx, &mut out).map_err(|e| e.to_string())?;
                            send(socket, to, out.finish())?;
                        }
                        Some(Event::Data(data)) => {
                            println!("got: {}", String::from_utf8_lossy(data).trim_end());
                            got = true;
                        }
                        Some(Event::Closed) => {
                            println!("closed by the peer");
                            closed = true;
                        }
                    }
                }
                if got && !closed {
                    peer.close();
                    closed = true;
                }
            }
            // Nobody listens yet: the timer repeats.
            Err(e)
                if matches!(
                    e.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionRefused
                ) => {}
            Err(e) => return Err(e.to_string()),
        }
        peer.handle_timeout(&mut Cx::new(now(), &mut rng))
            .map_err(|e| e.to_string())?;
    }
}

fn send(socket: &UdpSocket, to: Option<std::net::SocketAddr>, bytes: &[u8]) -> Result<(), String> {
    let to = to.ok_or("nobody to send to")?;
    let sent = if socket.peer_addr().is_ok() {
        socket.send(bytes)
    } else {
        socket.send_to(bytes, to)
    };
    match sent {
        Err(e) if e.kind() != ErrorKind::ConnectionRefused => Err(e.to_string()),
        _ => Ok(()),
    }
}
