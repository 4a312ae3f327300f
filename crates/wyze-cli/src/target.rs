//! Which camera is meant: by its URL, or by the name it has in the account.

use wyze_cloud::Store;
use wyze_std::CameraUrl;

use crate::failure::Failure;

/// What a subcommand says about its argument.
pub(crate) const HELP: &str = "wyze://HOST[:PORT]?uid=UID&enr=ENR&mac=MAC[&model=MODEL], or the camera's name after `wyze login`";

/// The camera that `text` names: a URL, or a camera of the account as last fetched. Nothing is asked of the network.
///
/// # Errors
/// It is no good URL, or no camera is called like this.
pub(crate) fn camera(text: &str) -> Result<CameraUrl, Failure> {
    // Every URL has it; one of another kind gets the error of its kind.
    if text.contains("://") {
        return Ok(text.parse()?);
    }
    let store = open_store()?;
    Ok(store.find(text)?.url()?.expose().parse()?)
}

/// The user's store.
pub(crate) fn open_store() -> Result<Store, Failure> {
    Ok(Store::open(&Store::default_dir()?)?)
}
