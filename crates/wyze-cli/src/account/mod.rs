//! `wyze login`, `wyze logout`, `wyze cameras`: the account, and what is kept of it.

mod ask;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use wyze_cloud::{
    Account, Camera, Client, Endpoints, Error, Login, NoUrl, Options, Roots, SecondFactor, Store,
    Tokens,
};

use crate::failure::{Exit, Failure};
use crate::say::{note, say};
use crate::{table, target};

/// How often a verification code may be mistyped.
const CODE_ATTEMPTS: u32 = 3;

const LOGIN_EXAMPLES: &str = "\
Examples:
  wyze login
  WYZE_EMAIL=… WYZE_PASSWORD=… WYZE_KEY_ID=… WYZE_API_KEY=… wyze login

API key and key id are made in the Wyze developer console (https://developer-api-console.wyze.com). What is not given by
option or variable is asked for; the password only so, or by WYZE_PASSWORD. A password of the form md5:HASH is its hash.

Tokens and the cameras' credentials are kept in the configuration directory ($WYZE_CONFIG_DIR, else ~/.config/wyze), in a
file that only you can read. Passwords and API keys are not kept. Afterwards the name of a camera stands wherever a
wyze:// URL does, and the service is not needed any more.";

const CAMERAS_EXAMPLES: &str = "\
Examples:
  wyze cameras
  wyze cameras --refresh --json
  wyze cameras --show-urls         for go2rtc and others; keep them to yourself

The list is the one of the last login or --refresh, and so are addresses and what is said to be online.";

/// Log in to the Wyze account and fetch its cameras, once
#[derive(Debug, Args)]
#[command(after_help = LOGIN_EXAMPLES)]
pub(crate) struct LoginArgs {
    /// E-mail address of the account [default: $WYZE_EMAIL, else asked for]
    #[arg(long)]
    email: Option<String>,
    /// Key id from the developer console [default: $WYZE_KEY_ID, else asked for]
    #[arg(long)]
    key_id: Option<String>,
    /// API key; a variable does not show in the list of processes [default: $WYZE_API_KEY, else asked for]
    #[arg(long)]
    api_key: Option<String>,
    /// Have the code of the second factor sent by SMS, also when an authenticator app would do
    #[arg(long)]
    sms: bool,
}

/// Show the cameras of the account
#[derive(Debug, Args)]
#[command(after_help = CAMERAS_EXAMPLES)]
pub(crate) struct CamerasArgs {
    /// Fetch the list again
    #[arg(long)]
    refresh: bool,
    /// One JSON array
    #[arg(long)]
    json: bool,
    /// Show the wyze:// URLs too, which hold the cameras' secrets
    #[arg(long)]
    show_urls: bool,
}

/// Logs in, stores tokens and cameras.
pub(crate) fn login(args: &LoginArgs) -> Result<(), Failure> {
    let mut store = target::open_store()?;
    let client = client(&mut store)?;
    let text = |given: &Option<String>, variable, prompt| match given {
        Some(text) => Ok(text.clone()),
        None => ask::variable(variable).map_or_else(|| ask::line(prompt), Ok),
    };
    let email = text(&args.email, "WYZE_EMAIL", "E-mail: ")?;
    let key_id = text(&args.key_id, "WYZE_KEY_ID", "Key id: ")?;
    let api_key = match args
        .api_key
        .clone()
        .or_else(|| ask::variable("WYZE_API_KEY"))
    {
        Some(key) => key,
        None => ask::secret("API key: ")?,
    };
    let password = match ask::variable("WYZE_PASSWORD") {
        Some(password) => password,
        None => ask::secret("Password: ")?,
    };
    let account = Account::new(&email, &password, &key_id, &api_key)?;
    let tokens = match client.login(&account)? {
        Login::Done(tokens) => tokens,
        Login::SecondFactor(factor) => second_factor(&client, &factor, args.sms)?,
    };
    store.set_tokens(tokens)?;
    fetch(&client, &mut store)?;
    say!(
        "logged in; {} cameras are known by name, kept in {}",
        store.cameras().len(),
        store.path().display()
    );
    print_table(store.cameras(), false);
    Ok(())
}

/// Forgets everything but the phone id.
pub(crate) fn logout() -> Result<(), Failure> {
    let mut store = target::open_store()?;
    if !store.path().exists() {
        say!("not logged in; nothing to forget");
        return Ok(());
    }
    store.forget()?;
    say!("tokens and cameras are forgotten");
    Ok(())
}

/// Prints the list, as stored or as it is now.
pub(crate) fn cameras(args: &CamerasArgs) -> Result<(), Failure> {
    let mut store = target::open_store()?;
    if args.refresh {
        let client = client(&mut store)?;
        fetch(&client, &mut store)?;
    } else if store.cameras().is_empty() && store.tokens().is_none() {
        return Err(logged_out());
    }
    if args.json {
        let list: Vec<Value> = store
            .cameras()
            .iter()
            .map(|c| as_json(c, args.show_urls))
            .collect();
        say!("{}", Value::Array(list));
    } else {
        print_table(store.cameras(), args.show_urls);
    }
    Ok(())
}

fn logged_out() -> Failure {
    Failure::new(Exit::LoggedOut, "not logged in; run wyze login first")
}

/// A client of the service; of another one for tests, see `docs/testing.md`.
fn client(store: &mut Store) -> Result<Client, Failure> {
    let endpoints = match (
        ask::variable("WYZE_AUTH_URL"),
        ask::variable("WYZE_API_URL"),
    ) {
        (Some(auth), Some(api)) => Endpoints::new(&auth, &api)?,
        _ => Endpoints::default(),
    };
    let mut options = Options::default();
    if let Some(path) = ask::variable("WYZE_ROOT_CERTIFICATE").map(PathBuf::from) {
        let der = std::fs::read(&path).map_err(|e| {
            Failure::new(Exit::Input, format!("cannot read {}: {e}", path.display()))
        })?;
        options.roots = Roots::Der(vec![der]);
    }
    Ok(Client::new(&endpoints, &store.phone_id()?, &options))
}

/// Fetches the list and stores it, with the tokens, which may have been renewed.
fn fetch(client: &Client, store: &mut Store) -> Result<(), Failure> {
    let mut tokens = store.tokens().ok_or_else(logged_out)?;
    let cameras = client.list_cameras(&mut tokens);
    store.set_tokens(tokens)?;
    store.set_cameras(cameras.map_err(with_remedy)?)?;
    Ok(())
}

fn with_remedy(error: Error) -> Failure {
    let mut failure = Failure::from(error);
    if failure.exit == Exit::LoggedOut {
        failure.message += " with wyze login";
    }
    failure
}

fn second_factor(client: &Client, factor: &SecondFactor, sms: bool) -> Result<Tokens, Failure> {
    let by_app = factor.offers_totp() && !(sms && factor.offers_sms());
    let sent = if by_app {
        None
    } else {
        let session = client.send_sms_code(factor)?;
        note!("A code is on its way by SMS.");
        Some(session)
    };
    for attempt in 1..=CODE_ATTEMPTS {
        let (prompt, result) = match &sent {
            None => {
                let code = ask::line("Code of the authenticator app: ")?;
                ("app", client.login_totp(factor, &code))
            }
            Some(session) => {
                let code = ask::line("Code from the SMS: ")?;
                ("SMS", client.login_sms(factor, session, &code))
            }
        };
        match result {
            Err(Error::WrongCode | Error::Input(_))
                if attempt < CODE_ATTEMPTS && ask::is_interactive() =>
            {
                note!("That code was not accepted; enter a fresh one from the {prompt}.");
            }
            other => return Ok(other?),
        }
    }
    Err(Error::WrongCode.into())
}

/// Whether it can be watched, in words.
fn verdict(camera: &Camera) -> String {
    match camera.url() {
        Ok(_) => "yes".to_owned(),
        Err(NoUrl::Unsupported(reason)) => format!("no: {reason}"),
        Err(e) => format!("no: {e}"),
    }
}

fn online(camera: &Camera) -> &'static str {
    match camera.online() {
        Some(true) => "online",
        Some(false) => "offline",
        None => "?",
    }
}

fn print_table(cameras: &[Camera], show_urls: bool) {
    if cameras.is_empty() {
        say!("the account has no camera");
        return;
    }
    let mut rows = vec![["NAME", "MODEL", "FIRMWARE", "ONLINE", "SUPPORTED"].map(str::to_owned)];
    for camera in cameras {
        let model = match camera.model_info() {
            Some(model) => format!("{} ({})", camera.model(), model.name),
            None => camera.model().to_owned(),
        };
        rows.push([
            camera.name().to_owned(),
            model,
            camera.firmware().to_owned(),
            online(camera).to_owned(),
            verdict(camera),
        ]);
    }
    table::print(&rows);
    if show_urls {
        for camera in cameras {
            if let Ok(url) = camera.url() {
                say!("{}: {}", camera.name(), url.expose());
            }
        }
    }
}

fn as_json(camera: &Camera, show_url: bool) -> Value {
    let url = camera.url();
    let mut object = json!({
        "name": camera.name(),
        "model": camera.model(),
        "firmware": camera.firmware(),
        "online": camera.online(),
        "supported": url.is_ok(),
        "reason": url.as_ref().err().map(ToString::to_string),
    });
    if let (true, Ok(url), Some(object)) = (show_url, &url, object.as_object_mut()) {
        object.insert("url".to_owned(), url.expose().as_str().into());
    }
    object
}
