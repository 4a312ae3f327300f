//! K-commands that the owner of a session asks for.

use tutk_core::wire::Writer;
use tutk_core::{Cx, Instant};
use wyze_kauth::Code;
use wyze_kauth::command::{ControlChannel, Media, Request};
use wyze_kauth::models::{Model, Quality};

use super::{Access, Client};
use crate::control::Owner;
use crate::request::{RequestError, RequestId};

impl Client<'_> {
    /// Sends a K-command; its reply comes as [`Event::Reply`](crate::Event::Reply), its loss as [`Event::NoReply`](crate::Event::NoReply). A command that cameras
    /// do not reply to ([`Request::AWAITS_REPLY`]) goes out once, and neither event comes.
    ///
    /// # Errors
    /// Before [`Event::Authenticated`](crate::Event::Authenticated), with too many requests under way, or with one that is too long.
    pub fn request<R: Request>(
        &mut self,
        cx: &mut Cx<'_>,
        request: &R,
    ) -> Result<RequestId, RequestError> {
        self.request_with(cx, R::AWAITS_REPLY, |w| {
            wyze_kauth::write_request(request, w)
        })
    }

    /// Sends the K-command that `write` writes as a whole HL message, such as a
    /// [`SettingRequest`](wyze_kauth::settings::SettingRequest). Otherwise as [`request`](Self::request).
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub fn request_with(
        &mut self,
        cx: &mut Cx<'_>,
        awaits_reply: bool,
        write: impl FnOnce(&mut Writer<'_>) -> Code,
    ) -> Result<RequestId, RequestError> {
        let mut write = Some(write);
        self.push_request(cx.now, awaits_reply, &mut |w| {
            write.take().map(|write| write(w))
        })
    }

    /// [`request_with`](Self::request_with), once for all requests.
    fn push_request(
        &mut self,
        now: Instant,
        awaits_reply: bool,
        write: &mut dyn FnMut(&mut Writer<'_>) -> Option<Code>,
    ) -> Result<RequestId, RequestError> {
        if self.access != Access::Granted || self.ended.is_some() {
            return Err(RequestError::NotReady);
        }
        let id = self
            .control
            .push(now, None, awaits_reply, write)?
            .ok_or(RequestError::TooLong)?;
        if let Some(message) = self.control.newest() {
            self.stall.requested(now, message);
        }
        Ok(id)
    }

    /// Switches a media stream on or off (K10010).
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub fn enable(
        &mut self,
        cx: &mut Cx<'_>,
        media: Media,
        on: bool,
    ) -> Result<RequestId, RequestError> {
        self.request(cx, &ControlChannel { media, on })
    }

    /// Asks for a picture of another quality, with the command that the camera's model wants. It is asked for again when
    /// no picture comes, and after [`restart`](Self::restart).
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub fn set_quality(
        &mut self,
        cx: &mut Cx<'_>,
        quality: Quality,
        model: Option<&Model>,
    ) -> Result<RequestId, RequestError> {
        let quality = quality.request(model);
        let id = self.request_with(cx, true, |w| quality.write(w))?;
        self.stall.quality = Some(quality);
        Ok(id)
    }

    /// Asks again for the picture that was asked for last, if any.
    pub(super) fn push_quality(&mut self, now: Instant) {
        if let Some(quality) = self.stall.quality {
            // Without it the camera sends the picture that it thinks best.
            let _ = self
                .control
                .push(now, Some(Owner::Own), true, &mut |w| Some(quality.write(w)));
        }
    }
}
