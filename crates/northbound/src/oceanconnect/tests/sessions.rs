//! Sign in, refresh, sign out.

use super::*;

const WRONG_SECRET: (u16, &str, &str) = (401, "100208", "AppId or secret is not right.");
const WRONG_REFRESH_TOKEN: (u16, &str, &str) = (401, "100006", "Refresh access token failed.");
const INVALID_TOKEN: (u16, &str, &str) = (403, "1010005", "App_key or access_token is invalid.");

#[track_caller]
fn assert_error(answer: &Answer, (status, code, text): (u16, &str, &str)) {
    answer.assert_error(status, code, text);
}

#[tokio::test]
async fn a_sign_in_answers_with_two_tokens() {
    let door = Door::open().await;
    let answer = door.sign_in(&door.app_id, &door.secret).await;

    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let body = answer.json();
    let members: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["accessToken", "tokenType", "refreshToken", "expiresIn", "scope"]);
    assert_eq!((&body["tokenType"], &body["scope"]), (&json!("bearer"), &json!("default")));
    assert_eq!(body["expiresIn"], json!(3600));
    assert_ne!(body["accessToken"], body["refreshToken"]);
    assert_eq!(door.get(CATEGORY, body["accessToken"].as_str().unwrap()).await.status, 200);
}

#[tokio::test]
async fn a_wrong_app_id_and_a_wrong_secret_answer_alike() {
    let door = Door::open().await;
    assert_error(&door.sign_in("nobody", &door.secret).await, WRONG_SECRET);
    assert_error(&door.sign_in(&door.app_id, "guess").await, WRONG_SECRET);
    let token = door.tokens().await.1;
    assert_error(&door.post(REFRESH, tokens_body(&door.app_id, "guess", &token)).await, WRONG_SECRET);
    assert_error(&door.post(REFRESH, tokens_body("nobody", &door.secret, &token)).await, WRONG_SECRET);
}

#[tokio::test]
async fn a_revoked_application_is_signed_out_and_stays_out() {
    let door = Door::open().await;
    let (app_id, secret) = door.application(Role::Publisher).await;
    let token = door.sign_in(&app_id, &secret).await.json()["accessToken"].as_str().unwrap().to_owned();
    assert_eq!(door.call("GET", CATEGORY, &app_id, &token).await.status, 200);

    door.app.revoke_key(&door.owner, &app_id).await.unwrap();
    assert_error(&door.call("GET", CATEGORY, &app_id, &token).await, INVALID_TOKEN);
    assert_error(&door.sign_in(&app_id, &secret).await, WRONG_SECRET);
}

#[tokio::test]
async fn only_the_newest_token_of_an_application_is_valid() {
    let door = Door::open().await;
    let (first, _) = door.tokens().await;
    let (second, refresh_token) = door.tokens().await;
    assert_error(&door.get(CATEGORY, &first).await, INVALID_TOKEN);
    assert_eq!(door.get(CATEGORY, &second).await.status, 200);

    let refreshed = door.post(REFRESH, tokens_body(&door.app_id, &door.secret, &refresh_token)).await;
    assert_eq!(refreshed.status, 200, "{refreshed:?}");
    assert_error(&door.get(CATEGORY, &second).await, INVALID_TOKEN);
    assert_eq!(door.get(CATEGORY, refreshed.json()["accessToken"].as_str().unwrap()).await.status, 200);
}

#[tokio::test]
async fn tokens_of_two_applications_do_not_end_each_other() {
    let door = Door::open().await;
    let (app_id, secret) = door.application(Role::Viewer).await;
    let ours = door.token().await;
    let theirs = door.sign_in(&app_id, &secret).await.json()["accessToken"].as_str().unwrap().to_owned();
    assert_eq!(door.get(CATEGORY, &ours).await.status, 200);
    assert_eq!(door.call("GET", CATEGORY, &app_id, &theirs).await.status, 200);
    assert_error(&door.call("GET", CATEGORY, &door.app_id, &theirs).await, INVALID_TOKEN);
}

#[tokio::test]
async fn tokens_overlap_where_that_is_switched_on() {
    let door = Door::with(Settings { overlapping_tokens: true, ..Settings::default() }).await;
    let (first, first_refresh) = door.tokens().await;
    let (second, second_refresh) = door.tokens().await;
    for token in [&first, &second] {
        assert_eq!(door.get(CATEGORY, token).await.status, 200);
    }
    for token in [&first_refresh, &second_refresh] {
        assert_eq!(door.post(REFRESH, tokens_body(&door.app_id, &door.secret, token)).await.status, 200);
    }
    assert_eq!(door.get(CATEGORY, &first).await.status, 200, "a refresh ends no token either");
}

#[tokio::test]
async fn an_access_token_lives_an_hour_and_its_refresh_token_a_month() {
    const MONTH_MS: i64 = 30 * 24 * 3_600_000;
    let door = Door::open().await;
    let (token, refresh_token) = door.tokens().await;
    door.clock.advance(3_600_000 - 1);
    assert_eq!(door.get(CATEGORY, &token).await.status, 200);
    door.clock.advance(1);
    assert_error(&door.get(CATEGORY, &token).await, INVALID_TOKEN);

    door.clock.advance(MONTH_MS - 3_600_000 - 1);
    let refreshed = door.post(REFRESH, tokens_body(&door.app_id, &door.secret, &refresh_token)).await;
    assert_eq!(refreshed.status, 200, "{refreshed:?}");
    let refresh_token = refreshed.json()["refreshToken"].as_str().unwrap().to_owned();
    door.clock.advance(MONTH_MS);
    let late = door.post(REFRESH, tokens_body(&door.app_id, &door.secret, &refresh_token)).await;
    assert_error(&late, WRONG_REFRESH_TOKEN);
}

#[tokio::test]
async fn a_refresh_token_is_good_for_one_use() {
    let door = Door::open().await;
    let (_, refresh_token) = door.tokens().await;
    let body = tokens_body(&door.app_id, &door.secret, &refresh_token);
    let first = door.post(REFRESH, &*body).await;
    assert_eq!(first.status, 200, "{first:?}");
    assert_error(&door.post(REFRESH, &*body).await, WRONG_REFRESH_TOKEN);
    let new = first.json()["accessToken"].as_str().unwrap().to_owned();
    assert_eq!(door.get(CATEGORY, &new).await.status, 200, "the second try ended nothing");
}

#[tokio::test]
async fn no_token_stands_in_for_another() {
    let door = Door::open().await;
    let (app_id, secret) = door.application(Role::Viewer).await;
    let (access_token, refresh_token) = door.tokens().await;
    assert_error(&door.get(CATEGORY, &refresh_token).await, INVALID_TOKEN);
    let with_access_token = door.post(REFRESH, tokens_body(&door.app_id, &door.secret, &access_token)).await;
    assert_error(&with_access_token, WRONG_REFRESH_TOKEN);
    let of_another = door.post(REFRESH, tokens_body(&app_id, &secret, &refresh_token)).await;
    assert_error(&of_another, WRONG_REFRESH_TOKEN);
}

#[tokio::test]
async fn signing_out_ends_both_tokens() {
    let door = Door::open().await;
    let (token, refresh_token) = door.tokens().await;
    let out = door.post(LOGOUT, json!({"accessToken": token}).to_string()).await;
    assert_eq!((out.status.as_u16(), out.text.as_str()), (204, ""));

    assert_error(&door.get(CATEGORY, &token).await, INVALID_TOKEN);
    let refreshed = door.post(REFRESH, tokens_body(&door.app_id, &door.secret, &refresh_token)).await;
    assert_error(&refreshed, WRONG_REFRESH_TOKEN);
    assert_error(&door.post(LOGOUT, json!({"accessToken": token}).to_string()).await, INVALID_TOKEN);
}

#[tokio::test]
async fn what_is_missing_or_malformed_is_a_bad_request() {
    let door = Door::open().await;
    let bad = [
        (LOGIN, "", "appId is missing"),
        (LOGIN, "secret=x", "appId is missing"),
        (LOGIN, "appId=x&secret=", "secret is missing"),
        (LOGIN, "appId=%ff&secret=x", "the text is not UTF-8"),
        (REFRESH, "appId=x&secret=x&refreshToken=x", "the body is not a JSON object"),
        (REFRESH, r#"{"appId":"x","secret":"x","refreshToken":null}"#, "refreshToken is missing"),
        (REFRESH, r#"{"appId":"x","secret":7,"refreshToken":"x"}"#, "secret: must be a string"),
        (LOGOUT, "{}", "accessToken is missing"),
    ];
    for (path, body, detail) in bad {
        let answer = door.post(path, body).await;
        answer.assert_error(400, "120015", "Bad request error.");
        assert_eq!(answer.header("x-error-detail"), Some(detail), "{path} {body}");
    }
    let long = format!("appId=x&secret=x&more={}", "x".repeat(64 << 10));
    let answer = door.post(LOGIN, long).await;
    answer.assert_error(400, "120015", "Bad request error.");
    assert_eq!(answer.header("x-error-detail"), Some("the body has more than 65536 bytes"));
}

#[tokio::test]
async fn members_that_nobody_asked_for_are_not_looked_at() {
    let door = Door::open().await;
    let form = format!("&appId={}&grant=x&&secret={}&", door.app_id, door.secret);
    let answer = door.post(LOGIN, form).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = json!({"appId": door.app_id, "secret": door.secret, "refreshToken": answer.json()["refreshToken"],
        "scope": null, "more": {"and": ["more"]}});
    assert_eq!(door.post(REFRESH, body.to_string()).await.status, 200);
}
