//! Every limit of the table, tried at its edges in an otherwise valid request.

use super::super::limits::LIMITS;
use super::*;
use crate::wire::limits::{Rule, Set};
use crate::wire::percent::encode;

/// How the door answers to a request in which everything is right but perhaps `value`.
async fn try_value(door: &Door, name: &str, value: &str) -> Answer {
    let (operation, field) = name.split_once('.').unwrap();
    let (token, refresh_token) = door.tokens().await;
    let or = |mine: &str, right: &str| if mine == field { value.to_owned() } else { right.to_owned() };
    match operation {
        "login" => door.sign_in(&encode(&or("appId", &door.app_id)), &encode(&or("secret", &door.secret))).await,
        "refreshToken" => {
            let (app_id, secret) = (or("appId", &door.app_id), or("secret", &door.secret));
            door.post(REFRESH, tokens_body(&app_id, &secret, &or("refreshToken", &refresh_token))).await
        }
        "logout" => door.post(LOGOUT, json!({"accessToken": value}).to_string()).await,
        "category" => door.get(&format!("{CATEGORY}/{}", encode(value)), &token).await,
        "list" => door.get(&format!("{CATEGORY}?&{field}={}", encode(value)), &token).await,
        other => panic!("this test does not know how to try {other}"),
    }
}

/// How an operation answers to a value that keeps its limit and is not known to it.
fn accepted(operation: &str) -> (u16, &'static str) {
    match operation {
        "login" => (401, "100208"),
        "refreshToken" => (401, "100208 or 100006"),
        "logout" => (403, "1010005"),
        "category" => (404, "123002"),
        _ => (200, ""),
    }
}

fn text_of(length: usize, set: &Set) -> String {
    set.inside.chars().cycle().take(length).collect()
}

/// Values on both sides of the limit's edges: those that keep it and those that do not.
fn values(rule: &Rule) -> (Vec<String>, Vec<String>) {
    match rule {
        Rule::Text { min, max, set } => {
            let right = [*min, min + 1, max - 1, *max].map(|length| text_of(length, set)).to_vec();
            let mut wrong = vec![text_of(max + 1, set)];
            wrong.extend(set.outside.chars().map(|letter| format!("a{letter}b")));
            (right, wrong)
        }
        Rule::Integer { min, max } => {
            let right = [*min, min + 1, max - 1, *max].map(|number| number.to_string()).to_vec();
            let beyond = [i128::from(*min) - 1, i128::from(*max) + 1].map(|number| number.to_string());
            (right, [&beyond[..], &["x".to_owned(), "1.5".to_owned(), "0x1".to_owned()]].concat())
        }
        Rule::Word(words) => {
            let right: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            let wrong = right.iter().flat_map(|word| [word.to_uppercase(), format!("{word}s"), word[1..].to_owned()]);
            (right.clone(), wrong.collect())
        }
        other => panic!("this test does not know how to try {other:?}"),
    }
}

#[tokio::test]
async fn every_limit_is_kept_to_the_letter() {
    let door = Door::with(Settings { calls_per_minute: 0, bad_calls_per_minute: 0, ..Settings::default() }).await;
    for limit in LIMITS {
        let (operation, field) = limit.name.split_once('.').unwrap();
        let (right, wrong) = values(&limit.rule);
        let (status, codes) = accepted(operation);
        for value in right {
            let answer = try_value(&door, limit.name, &value).await;
            let context = || format!("{} with {value:?}: {answer:?}", limit.name);
            assert_eq!(answer.status.as_u16(), status, "{}", context());
            assert!(status == 200 || codes.contains(&answer.error().1), "{}", context());
        }
        for value in wrong {
            let answer = try_value(&door, limit.name, &value).await;
            let code = if field.starts_with("page") { "123029" } else { "120015" };
            let context = || format!("{} with {value:?}: {answer:?}", limit.name);
            assert_eq!((answer.error().0, answer.error().1.as_str()), (400, code), "{}", context());
            // A NUL never gets as far as its field in a query or a form.
            let detail = answer.header("x-error-detail").unwrap();
            assert!(detail.starts_with(field) || value.contains('\0'), "{}", context());
        }
    }
}

#[test]
fn every_parameter_that_the_documents_limit_is_in_the_table() {
    let names: Vec<&str> = LIMITS.iter().map(|limit| limit.name).collect();
    let documented = [
        "login.appId",
        "login.secret",
        "refreshToken.appId",
        "refreshToken.secret",
        "refreshToken.refreshToken",
        "logout.accessToken",
        "category.fileId",
        "list.fileType",
        "list.deviceType",
        "list.model",
        "list.manufacturerName",
        "list.version",
        "list.pageNo",
        "list.pageSize",
    ];
    assert_eq!(names, documented);
}
