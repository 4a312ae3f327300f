//! Which camera is meant: by its URL, or by the name it has in the account.

use std::sync::atomic::{AtomicBool, Ordering};

use wyze_cloud::Store;
use wyze_std::CameraUrl;

use crate::failure::Failure;

/// What a subcommand says about its argument.
pub(crate) const HELP: &str = "wyze://HOST[:PORT]?uid=UID&enr=ENR&mac=MAC[&model=MODEL][&subtype=QUALITY]\
    [&parent_enr=ENR&parent_mac=MAC[&parent_dtls=false]] (the base station's, for outdoor cameras), or the camera's name after \
    `wyze login`";

/// `--dtls-only`, which holds for all that the program does.
static DTLS_ONLY: AtomicBool = AtomicBool::new(false);

/// Says whether cameras without encryption are refused.
pub(crate) fn set_dtls_only(on: bool) {
    DTLS_ONLY.store(on, Ordering::Relaxed);
}

/// The camera that `text` names: a URL, or a camera of the account as last fetched. Nothing is asked of the network.
///
/// # Errors
/// It is no good URL, or no camera is called like this.
pub(crate) fn camera(text: &str) -> Result<CameraUrl, Failure> {
    // Every URL has it; one of another kind gets the error of its kind.
    let mut url: CameraUrl = if text.contains("://") {
        text.parse()?
    } else {
        open_store()?.find(text)?.url()?.expose().parse()?
    };
    if DTLS_ONLY.load(Ordering::Relaxed) {
        url.require_dtls();
    }
    Ok(url)
}

/// The user's store.
pub(crate) fn open_store() -> Result<Store, Failure> {
    Ok(Store::open(&Store::default_dir()?)?)
}
