//! Formats, envelopes, statuses and headers.

use axum::body::Body;
use axum::http::Request;
use axum::http::header::ACCEPT;

use super::*;

const JSON: &str = "application/json;charset=utf-8";
const XML: &str = "text/xml;charset=utf-8";

async fn list(bench: &Bench, format: Option<&str>, accept: Option<&str>) -> Answer {
    let mut all = vec![("CurrentPage", "1"), ("PageSize", "1")];
    all.extend(format.map(|format| ("Format", format)));
    let mut request = Request::get(format!("/?{}", bench.query("GET", ADMIN, "ListOTAFirmware", &all)));
    if let Some(accept) = accept {
        request = request.header(ACCEPT, accept);
    }
    bench.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn the_format_is_asked_for_or_guessed() {
    let bench = Bench::new().await;
    let rows = [
        (None, None, XML),
        (Some(""), None, XML),
        (Some("XML"), Some("application/json"), XML),
        (Some("xml"), None, XML),
        (Some("JSON"), None, JSON),
        (Some("json"), Some("text/xml"), JSON),
        (Some("jSoN"), None, JSON),
        (None, Some("application/json"), JSON),
        (None, Some("text/xml"), XML),
        (None, Some("*/*"), XML),
    ];
    for (format, accept, content_type) in rows {
        let answer = list(&bench, format, accept).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("content-type"), content_type, "{format:?} {accept:?}");
        let begins = if content_type == JSON { "{\"PageCount\":" } else { "<ListOTAFirmwareResponse><PageCount>" };
        assert!(answer.text.starts_with(begins), "{}", answer.text);
    }
    let unknown = list(&bench, Some("yaml"), Some("application/json")).await;
    assert_eq!(unknown.gateway(), (400, "InvalidFormat".to_owned()));
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own() {
    let bench = Bench::new().await;
    let mut seen = std::collections::HashSet::new();
    for _ in 0..20 {
        let answer = list(&bench, Some("JSON"), None).await;
        let id = answer.json()["RequestId"].as_str().unwrap().to_owned();
        assert_eq!(answer.header("x-acs-request-id"), id);
        let parts: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert!(id.chars().all(|letter| letter == '-' || letter.is_ascii_digit() || ('A'..='F').contains(&letter)));
        assert_eq!(&id[14..15], "4");
        assert!("89AB".contains(&id[19..20]));
        assert!(seen.insert(id));
    }
}

#[tokio::test]
async fn gateway_failures_in_both_formats() {
    let bench = Bench::new().await;
    for (format, content_type) in [("JSON", JSON), ("XML", XML)] {
        let request =
            Request::get(format!("/?{}&a=%3C%26%3E", bench.query("GET", ADMIN, "Nonsense", &[("Format", format)])));
        let answer = bench.send(request.header("host", "ota.example.org").body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert_eq!(answer.header("content-type"), content_type);
        let id = answer.header("x-acs-request-id");
        let message = "Specified api is not found, please check your url and method.";
        let expected = match format {
            "JSON" => format!(
                r#"{{"RequestId":"{id}","HostId":"ota.example.org","Code":"InvalidAction.NotFound","Message":"{message}","Recommend":""}}"#
            ),
            _ => format!(
                "<?xml version='1.0' encoding='UTF-8'?><Error><RequestId>{id}</RequestId><HostId>ota.example.org</HostId>\
                 <Code>InvalidAction.NotFound</Code><Message>{message}</Message><Recommend></Recommend></Error>"
            ),
        };
        assert_eq!(answer.text, expected);
    }
}

#[tokio::test]
async fn business_failures_in_both_formats_and_with_either_status() {
    for (status, copy) in [(StatusCode::OK, true), (StatusCode::BAD_REQUEST, false)] {
        let settings = Settings { business_failure_status: status, message_in_failures: copy, ..Settings::default() };
        let bench = Bench::with(settings).await;
        let message = "The specified firmware does not exist.";
        for (format, content_type) in [("JSON", JSON), ("XML", XML)] {
            let answer = bench.call_as(ADMIN, "QueryOTAFirmware", &[("Format", format), ("FirmwareId", "x")]).await;
            assert_eq!(answer.status, status);
            assert_eq!(answer.header("content-type"), content_type);
            let id = answer.header("x-acs-request-id");
            let (copied_json, copied_xml) = match copy {
                true => (format!(r#","Message":"{message}""#), format!("<Message>{message}</Message>")),
                false => Default::default(),
            };
            let expected = match format {
                "JSON" => format!(
                    r#"{{"RequestId":"{id}","Success":false,"Code":"iot.ota.FirmwareNotFound","ErrorMessage":"{message}"{copied_json}}}"#
                ),
                _ => format!(
                    "<QueryOTAFirmwareResponse><RequestId>{id}</RequestId><Success>false</Success>\
                     <Code>iot.ota.FirmwareNotFound</Code><ErrorMessage>{message}</ErrorMessage>{copied_xml}</QueryOTAFirmwareResponse>"
                ),
            };
            assert_eq!(answer.text, expected);
        }
    }
}

#[tokio::test]
async fn texts_come_back_raw_in_json_and_whole_in_xml() {
    let bench = Bench::new().await;
    let key = bench.product("meter").await;
    let udi = "{\"note\":\"电池 <&> 'é' \u{1f600}\\n\"}\r\n\u{1}";
    let id = bench.firmware(&key, "n", "1", &[("Udi", udi)]).await;
    let json = bench.call("QueryOTAFirmware", &[("FirmwareId", &id)]).await;
    assert_eq!(json.success()["FirmwareInfo"]["Udi"], udi);
    assert!(json.text.contains("电池 <&> 'é' \u{1f600}"), "not escaped: {}", json.text);
    let xml = bench.call_as(ADMIN, "QueryOTAFirmware", &[("FirmwareId", &id)]).await;
    let expected = "<Udi>{\"note\":\"电池 &lt;&amp;&gt; 'é' \u{1f600}\\n\"}&#13;\n\u{fffd}</Udi>";
    assert!(xml.text.contains(expected), "{}", xml.text);
}
