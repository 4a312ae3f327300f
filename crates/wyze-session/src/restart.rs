//! One more session with the same camera, in the same memory.

use core::net::SocketAddr;

use heapless::Vec;
use tutk_core::Cx;
use tutk_iotc::MAX_TARGETS;

use crate::client::Access;
use crate::stack::Stage;
use crate::{Client, ClientConfig};

impl Client<'_> {
    /// Begins one more session with the same camera, in the memory lent to [`new`](Self::new), after
    /// [`Event::Closed`](crate::Event::Closed). [`Reconnect`](crate::Reconnect) says when.
    ///
    /// `config` is the one given to [`new`](Self::new); only `targets` may differ. The search goes to the address where the
    /// camera was last let in from, then to `config.targets`, eight in all, and knows the camera by its UID: one that has
    /// moved is found where `targets` has a broadcast address. Video and audio are as the application last switched them,
    /// and the quality that it asked for last is asked for again.
    ///
    /// A camera that has made a DTLS handshake with us is never spoken to without it again.
    ///
    /// Counters begin at zero; what was under way is forgotten without a word.
    pub fn restart(&mut self, config: &ClientConfig<'_>, cx: &mut Cx<'_>) {
        if self.access == Access::Granted {
            self.home = self.stack.iotc.peer().or(self.home);
        }
        let targets: Vec<SocketAddr, MAX_TARGETS> = self
            .home
            .into_iter()
            .chain(config.targets.iter().copied())
            .take(MAX_TARGETS)
            .collect();
        let config = ClientConfig {
            targets: &targets,
            video: self.stall.video,
            audio: self.stall.audio,
            ..*config
        };
        self.stack.stage = Stage::Searching;
        self.stack.iotc = tutk_iotc::Client::new(&config.iotc(), cx);
        self.stack.main.dtls.reset(cx);
        let resend = self.resend;
        self.stack.main.av.restart(&config.login(resend), cx);
        self.access = Access::LoggingIn;
        self.protocol = 0;
        self.auth = wyze_kauth::Authenticator::new(&config.auth());
        self.control.clear();
        self.video.reset();
        self.audio.reset();
        #[cfg(feature = "talk")]
        if let Some(talk) = &mut self.talk {
            talk.reset(cx);
        }
        self.stall.restart();
        self.opened = false;
        self.ended = None;
        self.told = false;
    }
}
