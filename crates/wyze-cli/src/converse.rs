//! Requests and replies without media: the loop behind `get`, `set`, `ptz` and `info`.
//!
//! ```text
//!   search ─ Found ─ Session ─ Secured ─ LoggedIn ─ Authenticated ─► ask, ask, … ─► goodbye
//!      └────────── `timeout`: where it stopped is the cause ───┘      └ no reply within 5 s: the session's limit
//! ```

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use wyze_std::session::kauth::command::CheckCameraParams;
use wyze_std::session::kauth::settings::{PtzRequest, SettingRequest};
use wyze_std::session::kauth::{
    Code, Message, Model, Support, Unsupported, models, support, write_request,
};
use wyze_std::session::{Event, RequestError, RequestId};
use wyze_std::{CameraUrl, Connection, Memory, Status};

use crate::failure::{Exit, Failure};
use crate::info::Facts;
use crate::reach::{Reached, socket_failure};
use crate::step::Step;
use crate::watch::{check_model, model_of};
use crate::weak_key;

/// The longest sleep: how soon ctrl-C and deadlines are noticed.
const TICK: Duration = Duration::from_millis(100);
/// How long the session stays open after a request without a reply, so that the goodbye does not overtake it.
const LINGER: Duration = Duration::from_millis(300);

/// A request as a whole HL message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Query {
    /// A row of one of the tables: a setting, a reading, an action.
    Setting(SettingRequest),
    Ptz(PtzRequest),
    /// Parameters by number.
    Parameters(Vec<u8>),
}

impl Query {
    pub(crate) const fn code(&self) -> Code {
        match self {
            Self::Setting(request) => request.code(),
            Self::Ptz(request) => request.code(),
            Self::Parameters(_) => Code::K10020,
        }
    }

    pub(crate) const fn awaits_reply(&self) -> bool {
        match self {
            Self::Ptz(request) => request.awaits_reply(),
            Self::Setting(_) | Self::Parameters(_) => true,
        }
    }
}

/// A reply, kept.
#[derive(Debug)]
pub(crate) struct Reply {
    code: Code,
    payload: Vec<u8>,
    version: u8,
}

impl Reply {
    pub(crate) fn message(&self) -> Message<'_> {
        Message {
            version: self.version,
            code: self.code,
            payload: &self.payload,
        }
    }
}

/// The failure of a camera that does not take a command.
pub(crate) fn unsupported(what: &str, why: Unsupported) -> Failure {
    Failure::new(Exit::Unsupported, format!("{what}: {why}"))
}

/// The failure of a camera that says nothing to a command.
pub(crate) fn no_reply(what: &str, code: Code) -> Failure {
    Failure::new(
        Exit::NoReply,
        format!(
            "{what}: the camera did not answer {code} within 5 s; its firmware may not know this command, so update it in \
             the Wyze app, or leave it"
        ),
    )
}

/// Refuses a command that is known not to fit the model in the URL, before anything is sent.
pub(crate) fn check_before(url: &CameraUrl, code: Code, what: &str) -> Result<(), Failure> {
    match support::supported(code, 0, url.model().and_then(models::lookup)) {
        Support::No { why } => Err(unsupported(what, why)),
        _ => Ok(()),
    }
}

/// A session that is open for requests.
pub(crate) struct Conversation<'s, 'm> {
    connection: &'s mut Connection<'m>,
    stop: &'s AtomicBool,
    /// What the camera said about itself.
    pub(crate) facts: Facts,
    /// Its model, if known: by its own word, else by the URL.
    pub(crate) model: Option<&'static Model>,
    pub(crate) protocol: u8,
}

/// Connects without media, lets `talk` ask, says goodbye.
///
/// # Errors
/// The camera could not be reached within `timeout`, or `talk` failed.
pub(crate) fn converse<T>(
    url: &CameraUrl,
    timeout: Duration,
    stop: &AtomicBool,
    talk: impl FnOnce(&mut Conversation<'_, '_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    check_model(url)?;
    let mut config = url.config();
    config.video = false;
    config.audio = false;
    weak_key::warn(&config);
    let mut memory = Memory::default();
    let mut connection =
        Connection::open(url, &config, &mut memory).map_err(|e| socket_failure(&e))?;
    let result = connect(url, &mut connection, timeout, stop).and_then(|facts| {
        let protocol = connection.client().0.protocol();
        talk(&mut Conversation {
            model: model_of(facts.model.as_deref(), url),
            connection: &mut connection,
            stop,
            facts,
            protocol,
        })
    });
    // The result is known already; what happens to the goodbye changes nothing.
    let _ = connection.close(|_| {});
    result
}

/// Waits until the camera lets us in.
fn connect(
    url: &CameraUrl,
    connection: &mut Connection<'_>,
    timeout: Duration,
    stop: &AtomicBool,
) -> Result<Facts, Failure> {
    let start = Instant::now();
    let (mut reached, mut facts) = (Reached::Nothing, None);
    loop {
        let status = connection
            .step(TICK, |event| match event {
                Event::Phase(phase) => {
                    let step = Step::from(phase);
                    step.warn();
                    log::debug!("{}: {step}", step.name());
                    reached = (&step).into();
                }
                Event::Authenticated(info) => {
                    facts = Some(Facts::of(&info, model_of(info.model, url)));
                }
                _ => {}
            })
            .map_err(|e| socket_failure(&e))?;
        if let Some(end) = let_in(status, facts.take()) {
            return end;
        }
        check_interrupt(stop)?;
        if start.elapsed() >= timeout
            && let Some(failure) = reached.out_of_time(timeout)
        {
            return Err(failure);
        }
    }
}

/// What a step has decided: one in which the camera lets us in and then ends the session leaves nothing to ask.
fn let_in(status: Status, facts: Option<Facts>) -> Option<Result<Facts, Failure>> {
    match status {
        Status::Closed(cause) => Some(Err(cause.into())),
        Status::Open | Status::Waiting { .. } => facts.map(Ok),
    }
}

fn check_interrupt(stop: &AtomicBool) -> Result<(), Failure> {
    if stop.load(Ordering::Relaxed) {
        return Err(Failure::new(
            Exit::Interrupted,
            "interrupted before the camera had answered",
        ));
    }
    Ok(())
}

impl Conversation<'_, '_> {
    /// Whether the camera takes a command, by its protocol version and model.
    pub(crate) fn support(&self, code: Code) -> Support {
        support::supported(code, self.protocol, self.model)
    }

    /// Refuses a command that the camera does not take. `what` is the user's word for it.
    pub(crate) fn check(&self, code: Code, what: &str) -> Result<(), Failure> {
        match self.support(code) {
            Support::No { why } => Err(unsupported(what, why)),
            _ => Ok(()),
        }
    }

    /// Asks one thing; `None` when no reply came or none is due.
    pub(crate) fn ask(&mut self, query: &Query) -> Result<Option<Reply>, Failure> {
        let replies = self.ask_all(std::slice::from_ref(query), None)?;
        Ok(replies.into_iter().next().flatten())
    }

    /// Asks several things, as many at a time as the session allows. The replies stand where their queries stand. What is
    /// not answered after `limit` is not waited for.
    pub(crate) fn ask_all(
        &mut self,
        queries: &[Query],
        limit: Option<Duration>,
    ) -> Result<Vec<Option<Reply>>, Failure> {
        let start = Instant::now();
        let in_time = || limit.is_none_or(|limit| start.elapsed() < limit);
        let mut replies: Vec<Option<Reply>> = queries.iter().map(|_| None).collect();
        let mut pending: Vec<(RequestId, usize)> = Vec::new();
        let mut next = 0;
        while (next < queries.len() || !pending.is_empty()) && in_time() {
            while let Some(query) = queries.get(next) {
                match self.send(query) {
                    Ok(id) if query.awaits_reply() => pending.push((id, next)),
                    Ok(_) => self.linger()?,
                    Err(RequestError::Busy) => break,
                    Err(e) => return Err(Failure::new(Exit::Internal, e.to_string())),
                }
                next += 1;
            }
            let version = self.protocol;
            self.step(TICK, |event| match event {
                Event::Reply { id, code, payload } => {
                    if let Some(slot) = settle(&mut pending, id).and_then(|i| replies.get_mut(i)) {
                        let payload = payload.to_vec();
                        *slot = Some(Reply {
                            code,
                            payload,
                            version,
                        });
                    }
                }
                Event::NoReply { id, code } => {
                    settle(&mut pending, id);
                    log::debug!("no reply to {code}");
                }
                _ => {}
            })?;
        }
        Ok(replies)
    }

    fn send(&mut self, query: &Query) -> Result<RequestId, RequestError> {
        let (client, clock) = self.connection.client();
        client.request_with(&mut clock.cx(), query.awaits_reply(), |w| match query {
            Query::Setting(request) => request.write(w),
            Query::Ptz(request) => request.write(w),
            Query::Parameters(ids) => write_request(&CheckCameraParams { ids }, w),
        })
    }

    fn linger(&mut self) -> Result<(), Failure> {
        let start = Instant::now();
        while let Some(left) = LINGER.checked_sub(start.elapsed()) {
            self.step(left, |_| {})?;
        }
        Ok(())
    }

    fn step(&mut self, limit: Duration, on_event: impl FnMut(Event<'_>)) -> Result<(), Failure> {
        let status = self
            .connection
            .step(limit, on_event)
            .map_err(|e| socket_failure(&e))?;
        if let Status::Closed(cause) = status {
            return Err(cause.into());
        }
        check_interrupt(self.stop)
    }
}

/// Takes a request off the list; its place among the queries.
fn settle(pending: &mut Vec<(RequestId, usize)>, id: RequestId) -> Option<usize> {
    let at = pending.iter().position(|&(other, _)| other == id)?;
    Some(pending.swap_remove(at).1)
}

#[cfg(test)]
mod tests {
    use wyze_std::session::Cause;

    use super::*;

    #[test]
    fn a_session_that_ends_as_it_begins_was_lost() {
        assert!(let_in(Status::Open, None).is_none());
        assert!(matches!(
            let_in(Status::Open, Some(Facts::default())),
            Some(Ok(_))
        ));
        let end = let_in(Status::Closed(Cause::Peer), Some(Facts::default()));
        assert_eq!(end.unwrap().err().unwrap().exit, Exit::Lost);
    }
}
