//! Metrics: the text is as Prometheus reads it, and says what happened.

use std::collections::{BTreeMap, BTreeSet};

use super::http::Request;
use super::server::Server;
use super::team::{await_in, firmware, publish, signed};

/// A sample: its name, its labels, its value.
type Samples = BTreeMap<(String, BTreeMap<String, String>), f64>;

/// Reads the text format of Prometheus, version 0.0.4, and is content with nothing that is not exactly that.
fn parse(text: &str) -> Samples {
    let mut samples = Samples::new();
    let mut types: BTreeMap<String, String> = BTreeMap::new();
    let mut seen_families = BTreeSet::new();
    let mut family = String::new();
    assert!(text.ends_with('\n'), "the last line ends");
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(comment) = line.strip_prefix("# ") {
            let (keyword, rest) = comment.split_once(' ').expect("a keyword");
            let (name, rest) = rest.split_once(' ').expect("a name");
            check_name(name);
            match keyword {
                "HELP" => assert!(!rest.is_empty(), "{line}"),
                "TYPE" => {
                    assert!(["counter", "gauge", "histogram"].contains(&rest), "{line}");
                    assert!(types.insert(name.to_owned(), rest.to_owned()).is_none(), "a second type of {name}");
                    assert!(seen_families.insert(name.to_owned()), "{name} comes in two places");
                    family = name.to_owned();
                }
                _ => panic!("{line}"),
            }
            continue;
        }
        let (name_and_labels, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
        let value = value.parse().unwrap_or_else(|_| panic!("not a number: {line}"));
        let (name, labels) = match name_and_labels.split_once('{') {
            Some((name, rest)) => (name, read_labels(rest.strip_suffix('}').expect("a closing brace"))),
            None => (name_and_labels, BTreeMap::new()),
        };
        check_name(name);
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
        assert!(name == family || base == family, "{name} stands among {family}");
        assert!(types[&family] == "histogram" || name == family, "{name}");
        if types[&family] == "counter" {
            assert!(name.ends_with("_total"), "a counter's name ends in _total: {name}");
        }
        assert!(samples.insert((name.to_owned(), labels), value).is_none(), "twice: {line}");
    }
    check_histograms(&samples, &types);
    samples
}

fn check_name(name: &str) {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | ':');
    assert!(!name.is_empty() && name.chars().all(fits) && !name.starts_with(|it: char| it.is_ascii_digit()), "{name}");
}

fn read_labels(text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, quoted) = rest.split_once("=\"").unwrap_or_else(|| panic!("labels {text}"));
        check_name(name);
        let mut value = String::new();
        let mut letters = quoted.char_indices();
        let end = loop {
            match letters.next().expect("a closing quote") {
                (at, '"') => break at,
                (_, '\\') => match letters.next().expect("an escape").1 {
                    'n' => value.push('\n'),
                    letter @ ('\\' | '"') => value.push(letter),
                    other => panic!("\\{other} in {text}"),
                },
                (_, letter) => value.push(letter),
            }
        };
        assert!(labels.insert(name.to_owned(), value).is_none(), "{name} twice in {text}");
        rest = &quoted[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    labels
}

/// Buckets grow, the last one holds all, and it is the count.
fn check_histograms(samples: &Samples, types: &BTreeMap<String, String>) {
    for name in types.iter().filter(|(_, kind)| *kind == "histogram").map(|(name, _)| name) {
        let mut series: BTreeMap<BTreeMap<String, String>, Vec<(f64, f64)>> = BTreeMap::new();
        for ((_, labels), value) in samples.iter().filter(|((found, _), _)| *found == format!("{name}_bucket")) {
            let mut labels = labels.clone();
            let edge = labels.remove("le").expect("a bucket has its edge");
            let edge = if edge == "+Inf" { f64::INFINITY } else { edge.parse().expect("a number") };
            series.entry(labels).or_default().push((edge, *value));
        }
        assert!(!series.is_empty(), "{name} is a histogram with buckets");
        for (labels, mut buckets) in series {
            buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
            assert!(buckets.is_sorted_by(|one, other| one.1 <= other.1), "{name} {labels:?}");
            let (last, all) = buckets[buckets.len() - 1];
            assert_eq!((last, all), (f64::INFINITY, samples[&(format!("{name}_count"), labels)]));
        }
    }
}

fn scrape(server: &Server) -> Samples {
    let answer = server.send(&Request::new("GET", "/metrics")).expect(200);
    assert_eq!(answer.find("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    parse(&answer.text())
}

/// The sum of all samples of this name that have these labels.
fn sum(samples: &Samples, name: &str, labels: &[(&str, &str)]) -> f64 {
    let fits = |found: &BTreeMap<String, String>| {
        labels.iter().all(|(name, value)| found.get(*name).is_some_and(|found| found == value))
    };
    samples.iter().filter(|((found, has), _)| found == name && fits(has)).map(|(_, value)| value).sum()
}

#[track_caller]
fn await_sum(server: &Server, name: &str, labels: &[(&str, &str)], expected: f64) {
    let look = || format!("{:?}", sum(&scrape(server), name, labels));
    await_in(look, |seen| (seen == format!("{expected:?}")).then_some(()));
}

#[test]
fn what_happened_is_counted_where_it_happened() {
    let server = Server::start();
    let package = publish(&server, "1", &firmware(100_000));
    server.send(&Request::new("GET", &package.link)).expect(200);
    server.send(&Request::new("GET", &package.link).header("Range", "bytes=0-9")).expect(206);
    server.send(&Request::new("GET", "/v5/iot/somebody/products")).expect(401);
    server.send(&Request::new("GET", "/nowhere/at/all")).expect(404);
    Request::new("GET", "/bucket/key").send(server.objects);

    let requests = "otaru_http_requests_total";
    let link = [("door", "download"), ("operation", "GET /ota/{package}/{position}/{name}"), ("status", "2xx")];
    await_sum(&server, requests, &link, 2.0);
    let push = [("door", "native"), ("operation", "POST /api/v1/packages/push"), ("status", "2xx")];
    await_sum(&server, requests, &push, 1.0);
    let products = [("door", "iotda"), ("operation", "GET /v5/iot/{project_id}/products"), ("status", "4xx")];
    await_sum(&server, requests, &products, 1.0);
    await_sum(&server, requests, &[("door", "own"), ("operation", "GET (unknown)"), ("status", "4xx")], 1.0);
    await_sum(&server, requests, &[("door", "objects"), ("operation", "GetObject"), ("status", "4xx")], 1.0);
    await_sum(&server, "otaru_http_response_body_bytes_total", &[("door", "download")], 100_010.0);

    let seen = scrape(&server);
    assert!(sum(&seen, "otaru_http_request_body_bytes_total", &[("door", "native")]) >= 100_000.0);
    assert_eq!(sum(&seen, "otaru_http_request_seconds_count", &link[..2]), 2.0);
    let created = [("verb", "create_package"), ("outcome", "ok")];
    assert_eq!(sum(&seen, "otaru_verb_seconds_count", &created), 1.0);
    assert_eq!(sum(&seen, "otaru_store_seconds_count", &[("kind", "write"), ("verb", "create_package")]), 1.0);
    assert!(sum(&seen, "otaru_store_seconds_count", &[("kind", "read")]) >= 2.0);
    assert!(sum(&seen, "otaru_store_group_size_count", &[]) >= 1.0);
    assert_eq!(sum(&seen, "otaru_blob_seconds_count", &[("call", "open_blob"), ("outcome", "ok")]), 2.0);
    assert!(sum(&seen, "otaru_connections_total", &[("door", "http")]) >= 8.0);
    assert!(sum(&seen, "otaru_connections_open", &[("door", "http")]) >= 1.0, "the one that asks");
    assert_eq!(sum(&seen, "otaru_http_requests_in_flight", &[("door", "own")]), 1.0, "the one that asks");
    assert_eq!(sum(&seen, "otaru_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
    assert_eq!(sum(&seen, "otaru_tenants", &[]), 1.0);
    assert!(sum(&seen, "process_resident_memory_bytes", &[]) > 1_000_000.0);
    assert!(sum(&seen, "process_open_fds", &[]) > 5.0);
    assert!(sum(&seen, "process_start_time_seconds", &[]) > 1_700_000_000.0);
}

#[test]
fn operations_of_calls_go_by_their_names() {
    let server = Server::start();
    // All that a call needs but a right signature: then it is known which operation is refused.
    let signing = "SignatureMethod=HMAC-SHA1&SignatureVersion=1.0&SignatureNonce=1&Timestamp=2026-01-01T00:00:00Z";
    let call = format!("/?Action=ListOTAFirmware&Version=2018-01-20&AccessKeyId=a&Signature=a&{signing}");
    server.send(&Request::new("GET", &call));
    for at in 0..3 {
        server.send(&Request::new("GET", &format!("/?Action=Anything{at}")));
    }
    let seen = || format!("{:?}", operations(&scrape(&server), "aliyun"));
    await_in(seen, |seen| (seen == r#"{"GET /", "ListOTAFirmware"}"#).then_some(()));
}

fn operations(samples: &Samples, door: &str) -> BTreeSet<String> {
    let of_door = samples.keys().filter(|(_, labels)| labels.get("door").is_some_and(|it| it == door));
    of_door.filter_map(|(_, labels)| labels.get("operation").cloned()).collect()
}

#[test]
fn whatever_is_asked_for_the_number_of_names_stays() {
    let server = Server::start();
    for at in 0..50 {
        server.send(&Request::new("GET", &format!("/api/v1/products/code-{at}")));
        server.send(&Request::new("GET", &format!("/made/up/{at}")));
        server.send(&Request::new(&format!("BREW{at}"), "/api/v1/products"));
        Request::new("GET", &format!("/bucket-{at}/key-{at}")).send(server.objects);
    }
    let seen = scrape(&server);
    let all: usize = ["native", "own", "objects"].iter().map(|door| operations(&seen, door).len()).sum();
    assert!(all <= 8, "{:?}", operations(&seen, "native"));
    let text = server.send(&Request::new("GET", "/metrics")).text();
    assert!(!text.contains("code-") && !text.contains("made") && !text.contains("bucket-"), "names of others' choice");
}

#[test]
fn no_tenant_is_named() {
    let server = Server::start();
    publish(&server, "1", &firmware(10));
    let tenant = server.send(&signed("GET", "/api/v1/tenant")).expect(200).json();
    let text = server.send(&Request::new("GET", "/metrics")).expect(200).text();
    for name in [tenant["name"].as_str().unwrap(), tenant["id"].as_str().unwrap(), super::server::ACCESS_KEY_ID] {
        assert!(!text.contains(name), "{name} is told");
    }
}

#[test]
fn who_may_look_is_an_option() {
    let local = Server::start();
    local.send(&Request::new("GET", "/metrics")).expect(200);
    let forwarded = Request::new("GET", "/metrics").header("X-Forwarded-For", "203.0.113.9");
    local.send(&forwarded).expect(403);
    Server::with(&["--metrics=open"]).send(&forwarded).expect(200);
    Server::with(&["--metrics=off"]).send(&Request::new("GET", "/metrics")).expect(404);

    let own = Server::with(&["--metrics=127.0.0.1:0"]);
    own.send(&Request::new("GET", "/metrics")).expect(404);
    let address = await_in(
        || own.log(),
        |log| log.split([' ', '\n']).find_map(|word| word.strip_prefix("metrics=")?.parse().ok()),
    );
    parse(&Request::new("GET", "/metrics").send(address).expect(200).text());
}
