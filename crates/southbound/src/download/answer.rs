//! From a plan to a response: status, headers and the body opened through the caller's closure.

use std::error::Error;
use std::ops::Range;

use axum::body::Body;
use bytes::Bytes;
use futures::Stream;
use http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use super::conditions::{Plan, plan};
use super::disposition::attachment;
use super::multipart::{Multipart, content_range};

/// What is downloaded, as far as HTTP has to know.
#[derive(Debug, Clone, Copy)]
pub struct Entity<'a> {
    /// The length of the whole file.
    pub size_bytes: u64,
    /// The entity tag without quotes: a digest of the content, so the tag is a strong one.
    pub tag: &'a str,
    /// When the content came to be, if the door wants to say so.
    pub modified: Option<Timestamp>,
    /// `application/octet-stream` for packages.
    pub content_type: &'a str,
    /// The name to store the file under; none leaves `Content-Disposition` out.
    pub file_name: Option<&'a str>,
}

/// Answers a GET or HEAD for `entity` with 200, 206, 304, 412 or 416.
///
/// `open` gives the bytes of a range, both whole file and part; it is called when the body is about
/// to be sent, for several ranges one after the other, and never for HEAD. A stream that ends early
/// or fails breaks the connection off, which is what tells a device that its file is incomplete.
pub fn answer<F, S, E>(method: &Method, headers: &HeaderMap, entity: &Entity<'_>, open: F) -> Response<Body>
where
    F: Fn(Range<u64>) -> S + Send + 'static,
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
{
    let etag = format!("\"{}\"", entity.tag);
    let last_modified = entity.modified.and_then(|at| DateTimePrinter::new().timestamp_to_rfc9110_string(&at).ok());
    let plan = plan(method, headers, entity.size_bytes, &etag, last_modified.as_deref());

    let mut response = Response::new(Body::empty());
    *response.status_mut() = plan.status();
    let head = response.headers_mut();
    head.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    set(head, ETAG, etag);
    if let Some(date) = last_modified {
        set(head, LAST_MODIFIED, date);
    }

    let body = match plan {
        Plan::NotModified => return response,
        Plan::PreconditionFailed => {
            head.insert(CONTENT_LENGTH, HeaderValue::from(0));
            return response;
        }
        Plan::NotSatisfiable => {
            set(head, CONTENT_RANGE, format!("bytes */{}", entity.size_bytes));
            head.insert(CONTENT_LENGTH, HeaderValue::from(0));
            return response;
        }
        Plan::Whole => {
            describe(head, entity, entity.content_type, entity.size_bytes);
            if method == Method::HEAD || entity.size_bytes == 0 {
                Body::empty()
            } else {
                Body::from_stream(open(0..entity.size_bytes))
            }
        }
        Plan::Parts(parts) => match <[_; 1]>::try_from(parts) {
            Ok([range]) => {
                describe(head, entity, entity.content_type, range.end - range.start);
                set(head, CONTENT_RANGE, content_range(&range, entity.size_bytes));
                Body::from_stream(open(range))
            }
            Err(parts) => {
                let multipart = Multipart::new(parts, entity.size_bytes, entity.content_type, entity.tag);
                describe(head, entity, &multipart.content_type(), multipart.size_bytes());
                Body::from_stream(multipart.into_stream(open))
            }
        },
    };
    *response.body_mut() = body;
    response
}

/// The headers of every answer that carries bytes.
fn describe(head: &mut HeaderMap, entity: &Entity<'_>, content_type: &str, length_bytes: u64) {
    head.insert(CONTENT_LENGTH, HeaderValue::from(length_bytes));
    set(head, CONTENT_TYPE, content_type.to_owned());
    head.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(name) = entity.file_name {
        set(head, CONTENT_DISPOSITION, attachment(name));
    }
}

/// A value that no header can carry is left out: it came from stored data, and the bytes are more
/// useful than an error.
fn set(head: &mut HeaderMap, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        head.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::{StreamExt, stream};
    use http::StatusCode;
    use http::header::{IF_MATCH, IF_NONE_MATCH, RANGE};
    use http_body_util::BodyExt;
    use proptest::prelude::*;

    use super::*;

    const CONTENT: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

    fn entity() -> Entity<'static> {
        Entity {
            size_bytes: CONTENT.len() as u64,
            tag: "e3b0c442",
            modified: Some(Timestamp::from_second(1_700_000_000).expect("a time")),
            content_type: "application/octet-stream",
            file_name: Some("fw.bin"),
        }
    }

    /// The bytes of a range, in chunks of seven.
    fn open(range: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> {
        let bytes = CONTENT[range.start as usize..range.end as usize].to_vec();
        let chunks: Vec<_> = bytes.chunks(7).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        stream::iter(chunks)
    }

    fn ask(method: Method, headers: &[(HeaderName, &str)]) -> Response<Body> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value.parse().expect("a header value"));
        }
        answer(&method, &map, &entity(), open)
    }

    fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
        response.headers().get(name).map(|value| value.to_str().expect("text"))
    }

    async fn bytes(response: Response<Body>) -> Bytes {
        response.into_body().collect().await.expect("a body").to_bytes()
    }

    #[tokio::test]
    async fn the_whole_file() {
        let response = ask(Method::GET, &[]);
        assert_eq!(response.status(), StatusCode::OK);
        for (name, value) in [
            ("content-length", "36"),
            ("content-type", "application/octet-stream"),
            ("content-disposition", "attachment; filename=fw.bin"),
            ("accept-ranges", "bytes"),
            ("etag", "\"e3b0c442\""),
            ("last-modified", "Tue, 14 Nov 2023 22:13:20 GMT"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(header(&response, name), Some(value), "{name}");
        }
        assert_eq!(header(&response, "content-range"), None);
        assert_eq!(bytes(response).await, CONTENT);
    }

    #[tokio::test]
    async fn head_names_the_length_and_opens_nothing() {
        let opened = Arc::new(AtomicUsize::new(0));
        let count = opened.clone();
        let response = answer(&Method::HEAD, &HeaderMap::new(), &entity(), move |range| {
            count.fetch_add(1, Ordering::Relaxed);
            open(range)
        });
        assert_eq!((response.status(), header(&response, "content-length")), (StatusCode::OK, Some("36")));
        assert!(bytes(response).await.is_empty());
        assert_eq!(opened.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn one_range() {
        let response = ask(Method::GET, &[(RANGE, "bytes=10-")]);
        assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(header(&response, "content-range"), Some("bytes 10-35/36"));
        assert_eq!(header(&response, "content-length"), Some("26"));
        assert_eq!(header(&response, "content-type"), Some("application/octet-stream"));
        assert_eq!(bytes(response).await, &CONTENT[10..]);
    }

    #[tokio::test]
    async fn several_ranges_as_multipart() {
        let response = ask(Method::GET, &[(RANGE, "bytes=30-,0-3")]);
        assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(header(&response, "content-type"), Some("multipart/byteranges; boundary=otaru-e3b0c442"));
        assert_eq!(header(&response, "content-range"), None);
        let length: usize = header(&response, "content-length").expect("a length").parse().expect("a number");
        let body = bytes(response).await;
        assert_eq!(body.len(), length);
        assert_eq!(
            String::from_utf8_lossy(&body),
            "--otaru-e3b0c442\r\n\
             Content-Type: application/octet-stream\r\n\
             Content-Range: bytes 30-35/36\r\n\
             \r\n\
             uvwxyz\r\n\
             --otaru-e3b0c442\r\n\
             Content-Type: application/octet-stream\r\n\
             Content-Range: bytes 0-3/36\r\n\
             \r\n\
             0123\r\n\
             --otaru-e3b0c442--\r\n"
        );
    }

    #[tokio::test]
    async fn answers_without_bytes() {
        for (condition, status, length, content_range) in [
            ((IF_NONE_MATCH, "\"e3b0c442\""), 304, None, None),
            ((IF_MATCH, "\"else\""), 412, Some("0"), None),
            ((RANGE, "bytes=36-"), 416, Some("0"), Some("bytes */36")),
        ] {
            let response = ask(Method::GET, &[condition]);
            assert_eq!(response.status(), status);
            assert_eq!(header(&response, "etag"), Some("\"e3b0c442\""));
            assert_eq!(header(&response, "content-length"), length);
            assert_eq!(header(&response, "content-range"), content_range);
            assert_eq!(header(&response, "content-disposition"), None);
            assert!(bytes(response).await.is_empty());
        }
    }

    #[tokio::test]
    async fn an_empty_file_is_a_file() {
        let empty = Entity { size_bytes: 0, ..entity() };
        let response = answer(&Method::GET, &HeaderMap::new(), &empty, open);
        assert_eq!((response.status(), header(&response, "content-length")), (StatusCode::OK, Some("0")));
        assert!(bytes(response).await.is_empty());
    }

    #[tokio::test]
    async fn a_failing_store_breaks_the_body_off() {
        let broken = |_| stream::iter([Ok(Bytes::from_static(b"01")), Err(io::Error::other("disk"))]).boxed();
        let response = answer(&Method::GET, &HeaderMap::new(), &entity(), broken);
        assert!(response.into_body().collect().await.is_err());
    }

    #[test]
    fn odd_stored_values_are_left_out_and_never_panic() {
        let odd = Entity { tag: "a\nb", content_type: "text/\u{7f}", file_name: Some("\0"), ..entity() };
        let response = answer(&Method::GET, &HeaderMap::new(), &odd, open);
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!((header(&response, "etag"), header(&response, "content-type")), (None, None));
    }

    proptest! {
        #[test]
        fn the_promised_length_is_the_sent_length(header_text in "bytes=[0-9]{1,2}-[0-9]{0,2}(,[0-9]{0,2}-[0-9]{1,2}){0,4}") {
            let response = ask(Method::GET, &[(RANGE, &header_text)]);
            let promised: usize = header(&response, "content-length").expect("a length").parse().expect("a number");
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            prop_assert_eq!(runtime.block_on(bytes(response)).len(), promised);
        }
    }
}
