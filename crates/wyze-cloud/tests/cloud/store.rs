use std::fs;
use std::path::Path;

use wyze_cloud::{Camera, FindError, Store, StoreError, Tokens};

use crate::server::Reply;
use crate::service::*;

fn cameras(names: &[&str]) -> Vec<Camera> {
    let devices: Vec<_> = names
        .iter()
        .map(|name| {
            serde_json::json!({
                "product_type": "Camera", "product_model": "HL_CAM4", "nickname": name, "mac": MAC, "enr": ENR,
                "device_params": {"p2p_id": UID, "ip": "192.0.2.7"},
            })
        })
        .collect();
    let body = serde_json::json!({"code": "1", "data": {"device_list": devices}});
    let service = Service::always(Reply::json(200, &body));
    service
        .client
        .list_cameras(&mut Tokens::new("a", "r"))
        .unwrap()
}

fn open(dir: &Path) -> Store {
    Store::open(dir).unwrap()
}

#[test]
fn what_is_stored_is_there_the_next_time_without_the_service() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("config/wyze");
    let mut store = open(&dir);
    assert!(store.tokens().is_none() && store.cameras().is_empty());
    assert!(!dir.exists(), "reading makes nothing");
    let phone_id = store.phone_id().unwrap();
    store.set_tokens(Tokens::new("access", "refresh")).unwrap();
    let listed = cameras(&["Front Door"]);
    let url = listed[0].url().unwrap();
    store.set_cameras(listed).unwrap();

    let mut store = open(&dir);
    assert_eq!(store.phone_id().unwrap(), phone_id);
    let tokens = store.tokens().unwrap();
    assert_eq!(tokens.access().expose(), "access");
    assert_eq!(tokens.refresh().expose(), "refresh");
    let camera = store.find(" front door").unwrap();
    assert_eq!(camera.url().unwrap().expose(), url.expose());

    store.forget().unwrap();
    let mut store = open(&dir);
    assert!(store.tokens().is_none() && store.cameras().is_empty());
    assert_eq!(store.phone_id().unwrap(), phone_id);
    assert!(!fs::read_to_string(store.path()).unwrap().contains(ENR));
}

#[test]
fn a_phone_id_is_a_random_uuid() {
    let home = tempfile::tempdir().unwrap();
    let ids: Vec<String> = (0..2)
        .map(|i| {
            open(&home.path().join(i.to_string()))
                .phone_id()
                .unwrap()
                .as_str()
                .to_owned()
        })
        .collect();
    assert_ne!(ids[0], ids[1]);
    for id in ids {
        let groups: Vec<&str> = id.split('-').collect();
        assert_eq!(
            groups.iter().map(|g| g.len()).collect::<Vec<_>>(),
            [8, 4, 4, 4, 12]
        );
        assert!(
            groups[2].starts_with('4') && groups[3].starts_with(['8', '9', 'a', 'b']),
            "{id}"
        );
    }
}

#[cfg(unix)]
#[test]
fn only_its_owner_can_read_the_store() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("config/wyze");
    let mut store = open(&dir);
    store.set_tokens(Tokens::new("access", "refresh")).unwrap();
    assert_eq!((mode(&dir), mode(&store.path())), (0o700, 0o600));

    // Someone opened it: it is closed when read, and stays closed when written.
    fs::set_permissions(store.path(), fs::Permissions::from_mode(0o644)).unwrap();
    let mut store = open(&dir);
    assert_eq!(mode(&store.path()), 0o600);
    fs::set_permissions(store.path(), fs::Permissions::from_mode(0o666)).unwrap();
    store.forget().unwrap();
    assert_eq!(mode(&store.path()), 0o600);
}

#[test]
fn writing_leaves_nothing_but_the_file() {
    let home = tempfile::tempdir().unwrap();
    let mut store = open(home.path());
    for n in 0..3 {
        store.set_tokens(Tokens::new(&n.to_string(), "r")).unwrap();
    }
    let files: Vec<_> = fs::read_dir(home.path())
        .unwrap()
        .map(|f| f.unwrap().file_name())
        .collect();
    assert_eq!(files, ["account.json"]);
}

#[test]
fn a_damaged_file_is_named_and_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let mut store = open(home.path());
    store.set_tokens(Tokens::new("access", "refresh")).unwrap();
    store.set_cameras(cameras(&["Front Door"])).unwrap();
    let path = store.path();
    let good = fs::read(&path).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] = 0xff;
    for bad in [
        &good[..0],
        &good[..good.len() / 2],
        &good[..good.len() - 2],
        b"{}",
        b"null",
        &flipped,
    ] {
        fs::write(&path, bad).unwrap();
        let error = Store::open(home.path()).unwrap_err();
        assert!(
            matches!(&error, StoreError::Damaged(p, _) if *p == path),
            "{error:?}"
        );
        assert!(error.to_string().contains("account.json"));
        assert_eq!(fs::read(&path).unwrap(), bad);
    }
}

#[test]
fn a_file_of_a_newer_version_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("account.json");
    fs::write(&path, r#"{"version": 2, "everything": "different"}"#).unwrap();
    assert_eq!(
        Store::open(home.path()).unwrap_err(),
        StoreError::Newer(path)
    );
}

#[test]
fn a_store_that_cannot_be_written_keeps_what_it_has() {
    let home = tempfile::tempdir().unwrap();
    let mut store = open(home.path());
    store.set_tokens(Tokens::new("access", "refresh")).unwrap();
    // The directory goes, and a file stands in its way: works for root too.
    let aside = home.path().with_extension("aside");
    fs::rename(home.path(), &aside).unwrap();
    fs::write(home.path(), "in the way").unwrap();
    let error = store.forget().unwrap_err();
    assert!(
        matches!(&error, StoreError::Write(path, _) if *path == store.path()),
        "{error:?}"
    );
    fs::remove_file(home.path()).unwrap();
    fs::rename(&aside, home.path()).unwrap();
    assert_eq!(
        open(home.path()).tokens().unwrap().access().expose(),
        "access"
    );
}

#[test]
fn names_are_found_in_any_case_and_never_guessed() {
    let home = tempfile::tempdir().unwrap();
    let mut store = open(home.path());
    assert_eq!(store.find("x").unwrap_err(), FindError::NoCameras);
    store
        .set_cameras(cameras(&["Küche", "Yard", "yard", "Twin", "Twin"]))
        .unwrap();
    assert_eq!(store.find("KÜCHE").unwrap().name(), "Küche");
    assert_eq!(store.find("yard").unwrap().name(), "yard");
    assert_eq!(store.find("Yard").unwrap().name(), "Yard");

    let error = store.find("YARD").unwrap_err();
    assert_eq!(
        error.to_string(),
        "\"YARD\" may be any of Yard (HL_CAM4), yard (HL_CAM4): rename one in the Wyze app and fetch the list again"
    );
    assert!(
        matches!(store.find("Twin"), Err(FindError::Ambiguous { matches, .. }) if matches.len() == 2)
    );
    let error = store.find("Kü").unwrap_err();
    assert_eq!(
        error.to_string(),
        "no camera is called \"Kü\"; there are: Küche, Yard, yard, Twin, Twin"
    );
}
