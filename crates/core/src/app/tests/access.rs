use otaru_model::Role;

use super::*;

#[tokio::test]
async fn a_second_start_finds_the_first_ones_key() {
    let town = Town::new().await;
    assert!(town.app.bootstrap(None).await.unwrap().is_none());
    let again = open(town.folder.path(), town.clock.clone()).await;
    assert!(again.bootstrap(None).await.unwrap().is_none());
    assert!(again.credential(&town.admin.key_id).await.is_ok());
}

#[tokio::test]
async fn a_chosen_pair_becomes_the_first_key() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path(), Clock::manual(START_MS)).await;
    app.bootstrap(Some(("AKID".to_owned(), Secret::new("chosen")))).await.unwrap();
    assert!(app.check_secret("AKID", "chosen").await.is_ok());
    assert!(matches!(app.check_secret("AKID", "guessed").await, Err(AuthError::WrongSecret)));
}

#[tokio::test]
async fn another_master_key_is_noticed() {
    let town = Town::new().await;
    std::fs::remove_file(town.folder.path().join("master.key")).unwrap();
    let store = Store::open(&format!("sqlite:{}", town.folder.path().join("otaru.db").display())).await.unwrap();
    let blobs = Blobs::open(&format!("fs:{}", town.folder.path().join("blobs").display())).await.unwrap();
    let other = MasterKey::load_or_create(&town.folder.path().join("master.key")).unwrap();
    let opened = App::open(store, blobs, other, Clock::system(), Settings::default(), BTreeMap::new()).await;
    assert!(opened.err().unwrap().to_string().contains("master key"));
}

#[tokio::test]
async fn keys_are_rotated_expired_and_revoked() {
    let town = Town::new().await;
    let app = &town.app;
    let key = app.create_key(&town.admin, Role::Publisher, "build server", None).await.unwrap().key;
    let next = app.rotate_key(&town.admin, &key.id, 60_000).await.unwrap().key;
    assert_eq!((next.role, next.label.as_str()), (Role::Publisher, "build server"));
    assert!(app.credential(&key.id).await.is_ok(), "the old key has a minute left");
    town.clock.advance(60_000);
    assert!(matches!(app.credential(&key.id).await, Err(AuthError::Expired(_))));
    assert!(app.credential(&next.id).await.is_ok());
    app.revoke_key(&town.admin, &next.id).await.unwrap();
    assert!(matches!(app.credential(&next.id).await, Err(AuthError::Revoked(_))));
}

#[tokio::test]
async fn a_pair_from_elsewhere_is_taken_in_once() {
    let town = Town::new().await;
    let (app, admin) = (&town.app, &town.admin);
    let secret = || Secret::new("a secret from a cloud".replace(' ', "-"));
    let import = |id: &str, secret| app.import_key(admin, Role::Operator, "back office", None, (id.to_owned(), secret));
    let made = import("LTAI5tExample", secret()).await.unwrap();
    assert_eq!((made.key.id.as_str(), made.key.role), ("LTAI5tExample", Role::Operator));
    let caller = app.check_secret("LTAI5tExample", secret().expose()).await.unwrap();
    assert_eq!(caller.tenant, admin.tenant);

    assert!(matches!(import("LTAI5tExample", secret()).await, Err(Error::Exists { noun: Noun::Key, .. })));
    let (_, other) = app.create_tenant(admin, "acme").await.unwrap();
    let acme = app.credential(&other.key.id).await.unwrap().caller;
    let taken = app.import_key(&acme, Role::Viewer, "", None, ("LTAI5tExample".to_owned(), secret())).await;
    assert!(matches!(taken, Err(Error::Exists { noun: Noun::Key, .. })), "an id is one tenant's on the whole server");
    for (id, secret) in [
        ("STS.abcdef", secret()),
        ("abc", secret()),
        ("with:colon", secret()),
        ("with/slash", secret()),
        (&"x".repeat(65), secret()),
        ("fine", Secret::new("too short")),
        ("fine", Secret::new("has a space and is long enough")),
    ] {
        assert!(matches!(import(id, secret).await, Err(Error::Invalid { .. })), "{id}");
    }
}

#[tokio::test]
async fn only_administrators_make_keys_and_only_of_the_first_tenant_tenants() {
    let town = Town::new().await;
    let (_, key) = town.app.create_tenant(&town.admin, "acme").await.unwrap();
    let acme = town.app.credential(&key.key.id).await.unwrap().caller;
    assert!(matches!(town.app.create_tenant(&acme, "other").await, Err(Error::Forbidden { .. })));
    assert!(matches!(town.app.create_tenant(&town.admin, "ACME").await, Err(Error::Exists { .. })));
    let viewer = town.app.create_key(&acme, Role::Viewer, "", None).await.unwrap();
    let viewer = town.app.credential(&viewer.key.id).await.unwrap().caller;
    assert!(matches!(town.app.create_key(&viewer, Role::Viewer, "", None).await, Err(Error::Forbidden { .. })));
    assert!(matches!(town.app.show_key(&acme, &town.admin.key_id).await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn a_temporary_key_is_told_by_its_token_and_ends() {
    let town = Town::new().await;
    let made = town.app.create_temporary_key(&town.admin, Some(Role::Viewer), 3_600_000).unwrap();
    let found = town.app.temporary_credential(&made.access_key_id, &made.security_token).await.unwrap();
    assert_eq!((found.caller.role, &found.secret), (Role::Viewer, &made.secret));
    let other = town.app.temporary_credential("STS.other", &made.security_token).await;
    assert!(matches!(other, Err(AuthError::BadToken)));
    town.clock.advance(3_600_000);
    let late = town.app.temporary_credential(&made.access_key_id, &made.security_token).await;
    assert!(matches!(late, Err(AuthError::TokenExpired)));
}

#[tokio::test]
async fn a_token_dies_with_its_key_and_opens_one_kind_of_door() {
    let town = Town::new().await;
    let key = town.app.create_key(&town.admin, Role::Viewer, "", None).await.unwrap().key;
    let caller = town.app.credential(&key.id).await.unwrap().caller;
    let (token, _) = town.app.issue_token(&caller, "here", 3_600_000).unwrap();
    assert_eq!(town.app.token_caller(&token, "here").await.unwrap(), caller);
    assert!(town.app.token_caller(&token, "there").await.is_err());
    town.app.revoke_key(&town.admin, &key.id).await.unwrap();
    assert!(matches!(town.app.token_caller(&token, "here").await, Err(AuthError::Revoked(_))));
}

#[tokio::test]
async fn a_new_session_ends_the_earlier_one_unless_they_may_overlap() {
    let town = Town::new().await;
    let made = town.app.create_key(&town.admin, Role::Admin, "", None).await.unwrap();
    let (id, secret) = (made.key.id.as_str(), made.secret.expose());
    let first = town.app.sign_in(id, secret, 3600, false).await.unwrap();
    let second = town.app.sign_in(id, secret, 3600, false).await.unwrap();
    assert!(town.app.session_caller(&first.access_token).await.is_err());
    assert!(town.app.session_caller(&second.access_token).await.is_ok());
    let third = town.app.sign_in(id, secret, 3600, true).await.unwrap();
    assert!(town.app.session_caller(&second.access_token).await.is_ok());

    let fourth = town.app.refresh_session(id, secret, &third.refresh_token, 3600, true).await.unwrap();
    assert!(town.app.refresh_session(id, secret, &third.refresh_token, 3600, true).await.is_err(), "good for one use");
    assert!(town.app.sign_out(&fourth.access_token).await.unwrap());
    assert!(town.app.session_caller(&fourth.access_token).await.is_err());
    town.clock.advance(3_600_000);
    assert!(town.app.session_caller(&third.access_token).await.is_err());
}

#[tokio::test]
async fn a_session_that_was_used_a_moment_ago_ends_at_once() {
    let town = Town::new().await;
    let made = town.app.create_key(&town.admin, Role::Admin, "", None).await.unwrap();
    let (id, secret) = (made.key.id.as_str(), made.secret.expose());
    let sign_in = || town.app.sign_in(id, secret, 3600, false);
    let is_live = async |session: &Session| town.app.session_caller(&session.access_token).await.is_ok();

    let replaced = sign_in().await.unwrap();
    assert!(is_live(&replaced).await && is_live(&replaced).await);
    let ended = sign_in().await.unwrap();
    assert!(!is_live(&replaced).await && is_live(&ended).await);
    town.app.sign_out(&ended.access_token).await.unwrap();
    assert!(!is_live(&ended).await);
    let refreshed = sign_in().await.unwrap();
    assert!(is_live(&refreshed).await);
    let last = town.app.refresh_session(id, secret, &refreshed.refresh_token, 3600, false).await.unwrap();
    assert!(!is_live(&refreshed).await && is_live(&last).await);
    town.app.revoke_key(&town.admin, id).await.unwrap();
    assert!(!is_live(&last).await);

    let other = town.app.create_key(&town.admin, Role::Admin, "", None).await.unwrap();
    let short = town.app.sign_in(&other.key.id, other.secret.expose(), 1, false).await.unwrap();
    assert!(is_live(&short).await);
    town.clock.advance(1_000);
    assert!(!is_live(&short).await, "a second is over before what was looked up is old");
}

#[tokio::test]
async fn a_request_for_one_use_changes_something_once() {
    let town = Town::new().await;
    let once = town.admin.clone().once("nonce-1", START_MS + 900_000);
    town.app.create_space(&once, "first", None).await.unwrap();
    assert!(matches!(town.app.create_space(&once, "second", None).await, Err(Error::Replayed)));
    assert_eq!(town.app.list_spaces(&town.admin).await.unwrap().len(), 2);
}
