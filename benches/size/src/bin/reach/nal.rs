//! A client and a camera over the traits of edge-nal.

use core::future::{Future, poll_fn};
use core::hint::black_box;
use core::net::SocketAddr;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use edge_nal::io::{ErrorKind, ErrorType};
use edge_nal::{UdpReceive, UdpSend};
use embedded_hal_async::delay::DelayNs;
use wyze_edge_nal::session::{Camera, Client, Cx, Reconnect};
use wyze_edge_nal::{Connection, Server, Status};

use crate::hardware::{Random, chance, identity, now, peer, read, register, show};
use crate::session::{self, Lent};
use crate::writers::Writers;

struct Socket;

impl ErrorType for Socket {
    type Error = ErrorKind;
}

// No `async fn` here: each would panic when it is polled once more after its end, and that is not what is looked for.
impl UdpReceive for Socket {
    fn receive(
        &mut self,
        buffer: &mut [u8],
    ) -> impl Future<Output = Result<(usize, SocketAddr), ErrorKind>> {
        sometime(move || {
            if chance() {
                return Err(ErrorKind::Other);
            }
            read(buffer);
            // Longer than the buffer when something was cut off.
            Ok((register(0) as usize, peer().into()))
        })
    }
}

impl UdpSend for Socket {
    fn send(
        &mut self,
        to: SocketAddr,
        bytes: &[u8],
    ) -> impl Future<Output = Result<(), ErrorKind>> {
        sometime(move || {
            black_box((to, bytes));
            if chance() {
                Ok(())
            } else {
                Err(ErrorKind::Other)
            }
        })
    }
}

struct Delay;

impl DelayNs for Delay {
    fn delay_ns(&mut self, nanos: u32) -> impl Future<Output = ()> {
        sometime(move || _ = black_box(nanos))
    }
}

/// Does it when the hardware says so.
fn sometime<T>(mut what: impl FnMut() -> T) -> impl Future<Output = T> {
    poll_fn(move |_| {
        if chance() {
            Poll::Ready(what())
        } else {
            Poll::Pending
        }
    })
}

/// Polls until it is over, or gives it up.
fn run<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    while chance() {
        if let Poll::Ready(outcome) = future.as_mut().poll(&mut cx) {
            return Some(outcome);
        }
    }
    None
}

pub(crate) fn view() -> Option<()> {
    run(watch())?
}

async fn watch() -> Option<()> {
    let identity = identity()?;
    let targets = session::targets();
    let config = session::viewer(&identity, &targets);
    let (mut lent, mut buffer, mut rng) = (Lent::new(), [0; 1500], Random);
    let client = Client::new(&config, lent.split(), &mut Cx::new(now(), &mut rng));
    let mut connection = Connection::new(client, Socket, Delay, now, &mut buffer);
    let (mut writers, mut reconnect) = (Writers::new(), Reconnect::limited(register(0)));
    loop {
        let limit = Duration::from_micros(register(1).into());
        let status = connection.step(&mut rng, limit, |event| session::note(&mut writers, &event));
        match status.await {
            Ok(Status::Closed(cause)) if session::is_final(cause) => return Some(()),
            Ok(status) => _ = black_box(status),
            Err(error) => show(&error),
        }
        let (client, mut cx) = connection.client(&mut rng);
        session::ask(client, &config, &mut reconnect, &mut cx);
        let sound = session::Sound::take();
        if let Err(error) = connection.send_audio(&mut rng, &sound.frame()).await {
            show(&error);
        }
        black_box(connection.set_socket(Socket));
    }
}

pub(crate) fn serve() -> Option<()> {
    run(show_pictures())?
}

async fn show_pictures() -> Option<()> {
    let identity = identity()?;
    let config = session::device(&identity);
    let (mut lent, mut buffer, mut rng) = (Lent::new(), [0; 1500], Random);
    let camera = Camera::new(&config, lent.split(), &mut Cx::new(now(), &mut rng));
    let mut server = Server::new(camera, Socket, Delay, now, &mut buffer);
    loop {
        let limit = Duration::from_micros(register(1).into());
        let step = server.step(&mut rng, limit, |event| session::hear(&event));
        if let Err(error) = step.await {
            show(&error);
        }
        let picture = session::Picture::take();
        if let Err(error) = server.send_frame(&mut rng, &picture.frame()).await {
            show(&error);
        }
        let mut state = core::mem::take(server.state());
        session::look_at(server.camera(), &mut state, &mut Cx::new(now(), &mut rng));
        *server.state() = state;
        black_box(server.set_socket(Socket));
    }
}
