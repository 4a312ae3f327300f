use wyze_cloud::{Camera, Error, NoUrl, Tokens};

use crate::service::*;

fn logged_in(generation: u32) -> (Service, Tokens) {
    let service = Service::start(State {
        generation,
        ..State::default()
    });
    let tokens = Tokens::new(
        &format!("access-{generation}"),
        &format!("refresh-{generation}"),
    );
    (service, tokens)
}

const LIST: &str = "/app/v2/home_page/get_object_list";
const REFRESH: &str = "/app/user/refresh_token";

#[test]
fn cameras_and_doorbells_are_listed_with_all_that_is_needed_offline() {
    let (service, mut tokens) = logged_in(3);
    let cameras = service.client.list_cameras(&mut tokens).unwrap();
    let names: Vec<&str> = cameras.iter().map(Camera::name).collect();
    assert_eq!(names, ["Front Door", "Bell", "Garage", "Garden"]);
    let door = &cameras[0];
    assert_eq!((door.model(), door.firmware()), ("HL_CAM4", "4.52.9.5332"));
    assert_eq!((door.online(), door.dtls()), (Some(true), Some(true)));
    assert_eq!(door.ip(), Some([192, 0, 2, 7].into()));
    assert_eq!(
        (door.uid().expose().as_str(), door.enr().expose().as_str()),
        (UID, ENR)
    );
    assert_eq!(door.mac().expose(), MAC);
    assert_eq!(door.model_info().unwrap().name, "Cam v4");
    assert_eq!(
        (cameras[1].online(), cameras[1].ip(), cameras[1].dtls()),
        (Some(false), None, Some(true))
    );
    assert!(matches!(cameras[2].url(), Err(NoUrl::Unsupported(_))));
    assert_eq!(cameras[3].parent_enr().expose(), "enr-of-the-base-");
    assert_eq!(cameras[3].parent_mac().expose(), "7C78B2000004");
    assert_eq!(cameras[3].parent_dtls(), Some(true));

    let [request] = &service.server.requests()[..] else {
        panic!("one request");
    };
    assert_eq!(request.text("phone_id"), service.phone_id.as_str());
}

#[test]
fn expired_tokens_are_renewed_once_and_handed_back() {
    let (service, mut tokens) = logged_in(3);
    tokens = Tokens::new("access-2", tokens.refresh().expose());
    assert_eq!(service.client.list_cameras(&mut tokens).unwrap().len(), 4);
    assert_eq!(tokens.access().expose(), "access-4");
    assert_eq!(tokens.refresh().expose(), "refresh-4");
    assert_eq!(service.server.paths(), [LIST, REFRESH, LIST]);
}

#[test]
fn when_renewal_fails_too_a_login_is_asked_for() {
    let (service, mut tokens) = logged_in(3);
    service.state.lock().unwrap().refresh_is_void = true;
    service.state.lock().unwrap().generation = 4;
    let error = service.client.list_cameras(&mut tokens).unwrap_err();
    assert_eq!(error, Error::Expired);
    assert!(error.to_string().contains("log in again"));
    assert_eq!(tokens.access().expose(), "access-3");
    assert_eq!(service.server.paths(), [LIST, REFRESH]);
}

#[test]
fn a_renewal_may_keep_the_refresh_token() {
    let body = serde_json::json!({"code": 1, "data": {"access_token": "new"}});
    let service = Service::always(crate::server::Reply::json(200, &body));
    let tokens = service.client.refresh(&Tokens::new("old", "kept")).unwrap();
    assert_eq!(tokens.access().expose(), "new");
    assert_eq!(tokens.refresh().expose(), "kept");
}

#[test]
fn an_account_without_devices_has_no_cameras() {
    let body = serde_json::json!({"code": "1", "data": {"device_list": []}});
    let service = Service::always(crate::server::Reply::json(200, &body));
    assert!(
        service
            .client
            .list_cameras(&mut Tokens::new("a", "r"))
            .unwrap()
            .is_empty()
    );
}
