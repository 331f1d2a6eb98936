//! Every row of the table of codes, each asked for by a request of its own.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::error::{Code, Refusal};
use super::*;

/// The answer to a request that has to be refused with `code`.
async fn provoke(code: &'static Code) -> Reply {
    let world = World::with_example(Settings::default()).await;
    match (code.status.as_u16(), code.code) {
        (400, "IOTDA.000006") => world.get(PACKAGES).await,
        (400, "IOTDA.000008") => world.post(PACKAGES, &json!([])).await,
        (400, "IOTDA.000017") => world.get(&format!("{FIRMWARE_LIST}&limit=51")).await,
        (400, "IOTDA.000018") => world.get(&format!("{FIRMWARE_LIST}&offset=501")).await,
        (400, "IOTDA.001001") => world.delete(&format!("/apps/{SPACE}")).await,
        (400, "IOTDA.019305") => {
            world.post(PACKAGES, &with(new_package(), "/file_location/obs_location/object_key", json!("a.txt"))).await
        }
        (400, "IOTDA.019306") => {
            world.post(PACKAGES, &with(new_package(), "/file_location/obs_location/object_key", json!("no.bin"))).await
        }
        (401, "IOTDA.000002") => {
            let mut request = world.request(Method::GET, "/apps", Body::empty());
            request.headers_mut().remove("x-auth-token");
            world.send(request).await
        }
        (403, "IOTDA.000004") => {
            let world = World::with(Settings { instance_id: Some("ours".to_owned()), ..Settings::default() }).await;
            let mut request = world.request(Method::GET, "/apps", Body::empty());
            header(&mut request, "instance-id", "theirs");
            world.send(request).await
        }
        (403, "IOTDA.000021") => {
            let mut request = world.request(Method::GET, "", Body::empty());
            *request.uri_mut() = "/v5/iot/another/apps".parse().unwrap();
            world.send(request).await
        }
        (403, "IOTDA.001000") => world.get("/apps/nowhere").await,
        (403, "IOTDA.019306") => denied_bucket(StatusLine("403 Forbidden")).await,
        (403, "IOTDA.021101") => {
            let world = World::with(Settings { calls_per_minute: 2, ..Settings::default() }).await;
            for _ in 0..2 {
                world.get("/apps").await.assert_status(200);
            }
            let refused = world.get("/apps").await;
            world.clock.advance(60_000);
            world.get("/apps").await.assert_status(200);
            refused
        }
        (404, "IOTDA.019301") => world.get(&format!("{PACKAGES}/0123456789abcdef01234567")).await,
        (404, "IOTDA.019321") => world.get(&format!("{MODULES}/0123456789abcdef01234567")).await,
        (404, "IOTDA.014204") => world.get("/products/nothing").await,
        (404, "APIGW.0101") => world.get("/nothing/at/all").await,
        (500, "IOTDA.000020") => denied_bucket(StatusLine("500 Internal Server Error")).await,
        (status, code) => panic!("no request is known that is refused with {status} {code}"),
    }
}

struct StatusLine(&'static str);

/// Makes a package of an object in a region elsewhere, whose store answers with nothing but that status.
async fn denied_bucket(status: StatusLine) -> Reply {
    // Whichever test is first installs it; the binary does so at its start.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let answer = format!("HTTP/1.1 {}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", status.0);
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = socket.read(&mut request).await;
                let _ = socket.write_all(answer.as_bytes()).await;
            });
        }
    });
    let region = format!("s3://?endpoint=http://{address}&access_key_id=AK&secret_access_key=SK");
    let regions = [("cn-north-4".to_owned(), Region::parse(&region).unwrap())].into();
    let world = World::with_regions(Settings::default(), regions).await;
    world.app.create_space(&world.admin, "space1", Some(SPACE)).await.unwrap();
    world.product(SPACE, PRODUCT).await;
    world.post(PACKAGES, &new_package()).await
}

#[tokio::test]
async fn every_code_has_a_request_that_is_refused_with_it() {
    for code in CODES {
        let reply = provoke(code).await;
        assert_eq!(reply.refusal().0, code.status.as_u16(), "{code:?}: {}", reply.body);
        assert_eq!(reply.refusal().1, code.code, "{}", reply.body);
        assert!(reply.refusal().2.starts_with(code.says), "{}", reply.body);
        let members: Vec<_> = reply.body.as_object().unwrap().keys().collect();
        assert_eq!(members, ["error_code", "error_msg"]);
    }
}

#[test]
fn no_two_rows_are_the_same() {
    for (at, code) in CODES.iter().enumerate() {
        let same = |other: &&&Code| other.status == code.status && other.code == code.code;
        assert!(!CODES[..at].iter().any(|other| same(&other)), "{code:?}");
        assert_ne!(code.status, 429, "the vendor's client loses the body of a 429");
    }
}

#[tokio::test]
async fn a_bucket_elsewhere_that_may_not_be_read_is_named() {
    denied_bucket(StatusLine("403 Forbidden")).await.assert_refused(403, "IOTDA.019306", "abc");
    denied_bucket(StatusLine("404 Not Found")).await.assert_refused(400, "IOTDA.019306", "abc");
}

#[tokio::test]
async fn a_fault_of_ours_shows_its_request_id_and_nothing_else() {
    let reply = denied_bucket(StatusLine("500 Internal Server Error")).await;
    let request_id = reply.headers["x-request-id"].to_str().unwrap();
    let (_, _, message) = reply.refusal();
    assert!(message.contains(request_id) && !message.contains("127.0.0.1"), "{message}");
    let fault = Refusal::from(app::Error::Internal("a secret of the database".to_owned()));
    assert_eq!(fault.message(), "Internal server error.");
}

#[tokio::test]
async fn what_is_no_api_is_not_found() {
    let world = World::new().await;
    for (method, path) in [
        (Method::GET, "/batchtasks"),
        (Method::PUT, PACKAGES),
        (Method::PATCH, "/apps"),
        (Method::GET, "/ota-upgrades/packages/"),
        (Method::GET, "/ota-upgrades"),
        (Method::GET, "/ota-upgrades/packages/1/2"),
        (Method::GET, ""),
    ] {
        let reply = world.send(world.request(method, path, Body::empty())).await;
        reply.assert_refused(404, "APIGW.0101", "There is no");
    }
    for path in ["/v5/iot", "/v5/other", "/v5/iot/p/"] {
        let reply = world.send(Request::get(path).body(Body::empty()).unwrap()).await;
        reply.assert_refused(404, "APIGW.0101", path);
    }
    for path in ["/v3/users", "/v3/auth/tokens"] {
        let reply = world.send(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(reply.assert_status(404)["error"]["title"], "Not Found");
    }
}

#[tokio::test]
async fn an_instance_id_matters_only_where_one_is_configured() {
    for (ours, theirs, status) in [
        (None, Some("any"), 200),
        (Some("ours"), Some("ours"), 200),
        (Some("ours"), None, 200),
        (Some("ours"), Some("theirs"), 403),
    ] {
        let world = World::with(Settings { instance_id: ours.map(str::to_owned), ..Settings::default() }).await;
        let mut request = world.request(Method::GET, "/apps", Body::empty());
        if let Some(theirs) = theirs {
            header(&mut request, "instance-id", theirs);
        }
        assert_eq!(world.send(request).await.status.as_u16(), status, "{ours:?} {theirs:?}");
    }
}

#[tokio::test]
async fn request_ids_differ() {
    let world = World::new().await;
    let first = world.get("/apps").await.headers["x-request-id"].clone();
    assert_ne!(world.get("/apps").await.headers["x-request-id"], first);
}
