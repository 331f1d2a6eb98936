//! Flow control: 100 calls in any 60 seconds per application, and bad ones by peer address.

use super::*;

const THROTTLED: (u16, &str, &str) = (403, "1010009", "app throttle exceed.");

#[track_caller]
fn assert_throttled(answer: &Answer) {
    answer.assert_error(THROTTLED.0, THROTTLED.1, THROTTLED.2);
}

#[tokio::test]
async fn the_hundredth_call_is_answered_and_the_next_is_not() {
    let door = Door::open().await;
    let token = door.token().await;
    for call in 1..=100 {
        assert_eq!(door.get(CATEGORY, &token).await.status, 200, "call {call}");
    }
    let answer = door.get(CATEGORY, &token).await;
    assert_throttled(&answer);
    assert_eq!(answer.header("retry-after"), Some("60"));
}

#[tokio::test]
async fn the_window_slides() {
    let door = Door::open().await;
    let token = door.token().await;
    // 40 calls now, 60 calls 30 seconds later: then there is room again for 40 after 60 seconds, for 60 after 90.
    for _ in 0..40 {
        assert_eq!(door.get(CATEGORY, &token).await.status, 200);
    }
    door.clock.advance(30_000);
    for _ in 0..60 {
        assert_eq!(door.get(CATEGORY, &token).await.status, 200);
    }
    door.clock.advance(29_999);
    let answer = door.get(CATEGORY, &token).await;
    assert_throttled(&answer);
    assert_eq!(answer.header("retry-after"), Some("1"));

    for (wait_ms, room) in [(1, 40), (30_000, 60)] {
        door.clock.advance(wait_ms);
        for call in 1..=room {
            assert_eq!(door.get(CATEGORY, &token).await.status, 200, "call {call} of {room}");
        }
        assert_throttled(&door.get(CATEGORY, &token).await);
    }
}

#[tokio::test]
async fn all_operations_are_counted_together_and_by_application() {
    let door = Door::with(Settings { calls_per_minute: 4, ..Settings::default() }).await;
    let product = door.meter().await;
    let package = door.publish(described_package(&product)).await;
    let (app_id, secret) = door.application(Role::Viewer).await;
    let token = door.token().await;
    let one = format!("{CATEGORY}/{}", package.id);

    assert_eq!(door.get(CATEGORY, &token).await.status, 200);
    assert_eq!(door.get(&one, &token).await.status, 200);
    assert_eq!(door.get(&format!("{CATEGORY}/a.b"), &token).await.status, 400, "a wrong call is a call");
    assert_eq!(door.get(&format!("{CATEGORY}/unknown"), &token).await.status, 404);
    assert_throttled(&door.get(&one, &token).await);
    assert_throttled(&door.get(&format!("{CATEGORY}/a.b"), &token).await);
    assert_throttled(&door.delete(&package.id.to_string(), &token).await);
    assert_throttled(&door.post(LOGOUT, json!({"accessToken": token}).to_string()).await);

    let other = door.sign_in(&app_id, &secret).await.json()["accessToken"].as_str().unwrap().to_owned();
    assert_eq!(door.call("GET", &one, &app_id, &other).await.status, 200, "nothing of it was done");
    // A new token brings no new calls.
    assert_throttled(&door.get(CATEGORY, &door.token().await).await);
}

#[tokio::test]
async fn bad_tokens_take_nothing_from_an_application() {
    let door = Door::with(Settings { calls_per_minute: 1, bad_calls_per_minute: 3, ..Settings::default() }).await;
    let token = door.token().await;
    let bad = |address| from_peer(request("GET", CATEGORY, &door.app_id, "guess"), address);

    for _ in 0..3 {
        door.send(bad("192.0.2.1")).await.assert_error(403, "1010005", "App_key or access_token is invalid.");
    }
    assert_throttled(&door.send(bad("192.0.2.1")).await);
    assert_throttled(&door.send(bad("::ffff:192.0.2.1")).await);
    door.send(bad("192.0.2.2")).await.assert_error(403, "1010005", "App_key or access_token is invalid.");

    let good = || from_peer(request("GET", CATEGORY, &door.app_id, &token), "192.0.2.1");
    assert_eq!(door.send(good()).await.status, 200, "the application's own call is still there");
    assert_throttled(&door.send(good()).await);
}

#[tokio::test]
async fn a_token_under_a_foreign_app_key_takes_nothing_from_either() {
    let door = Door::with(Settings { calls_per_minute: 1, bad_calls_per_minute: 1, ..Settings::default() }).await;
    let (other, _) = door.application(Role::Viewer).await;
    let token = door.token().await;
    door.call("GET", CATEGORY, &other, &token).await.assert_error(
        403,
        "1010005",
        "App_key or access_token is invalid.",
    );
    assert_throttled(&door.call("GET", CATEGORY, &other, &token).await);
    assert_eq!(door.get(CATEGORY, &token).await.status, 200);
}

#[tokio::test]
async fn guessing_at_a_secret_ends_for_who_guesses_only() {
    let door = Door::with(Settings { bad_calls_per_minute: 2, ..Settings::default() }).await;
    let login = |address: &str, secret: &str| {
        let form = format!("appId={}&secret={secret}", door.app_id);
        door.send(from_peer(Request::post(LOGIN).body(form.into()).unwrap(), address))
    };
    for _ in 0..2 {
        login("192.0.2.1", "guess").await.assert_error(401, "100208", "AppId or secret is not right.");
    }
    assert_throttled(&login("192.0.2.1", "guess").await);
    assert_throttled(&login("192.0.2.1", &door.secret).await);
    assert_eq!(login("192.0.2.2", &door.secret).await.status, 200);
    door.clock.advance(60_000);
    assert_eq!(login("192.0.2.1", &door.secret).await.status, 200);
}

#[tokio::test]
async fn signing_in_to_what_does_not_exist_is_counted_by_address() {
    let door = Door::with(Settings { bad_calls_per_minute: 2, ..Settings::default() }).await;
    for app_id in ["a", "b"] {
        door.sign_in(app_id, "x").await.assert_error(401, "100208", "AppId or secret is not right.");
    }
    assert_throttled(&door.sign_in("c", "x").await);
    assert_eq!(door.sign_in(&door.app_id, &door.secret).await.status, 200);
}
