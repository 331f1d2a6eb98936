//! Preconditions.

use super::client::{Call, md5_hex, path};
use super::{BUCKET, World};
use crate::wire::time::TimeFormat;

#[tokio::test]
async fn reading_under_a_condition() {
    let world = World::with_bucket().await;
    world.put("object.bin", b"content").await;
    let now_ms = world.clock.now_ms();
    let etag = format!("\"{}\"", md5_hex(b"content"));
    let at = |shift_s: i64| TimeFormat::Http.format(now_ms + shift_s * 1000);
    let cases: [(&[(&str, String)], u16); 13] = [
        (&[("if-match", etag.clone())], 200),
        (&[("if-match", "*".to_owned())], 200),
        (&[("if-match", "\"other\"".to_owned())], 412),
        (&[("if-none-match", etag.clone())], 304),
        (&[("if-none-match", format!("W/{etag}"))], 304),
        (&[("if-none-match", "*".to_owned())], 304),
        (&[("if-none-match", "\"other\"".to_owned())], 200),
        (&[("if-modified-since", at(0))], 304),
        (&[("if-modified-since", at(-60))], 200),
        (&[("if-unmodified-since", at(0))], 200),
        (&[("if-unmodified-since", at(-60))], 412),
        // An entity tag outweighs a time.
        (&[("if-match", etag.clone()), ("if-unmodified-since", at(-60))], 200),
        (&[("if-none-match", "\"other\"".to_owned()), ("if-modified-since", at(0))], 200),
    ];
    for (headers, status) in cases {
        for method in ["GET", "HEAD"] {
            let mut call = Call::new(method, &path(BUCKET, "object.bin"));
            for (name, value) in headers {
                call = call.header(name, value);
            }
            let reply = world.call(call).await;
            assert_eq!(reply.status.as_u16(), status, "{method} {headers:?}");
            if status == 304 {
                assert_eq!((reply.body.len(), reply.header("etag")), (0, etag.as_str()));
                assert_eq!(reply.header("last-modified"), at(0));
            }
        }
    }
}

#[tokio::test]
async fn writing_under_a_condition() {
    let world = World::with_bucket().await;
    let put = |name: &str, value: &str, content: &str| {
        Call::put(&path(BUCKET, "object.bin")).header(name, value).body(content)
    };
    world.call(put("if-match", "*", "0")).await.refused(404, "NoSuchKey");
    world.call(put("if-none-match", "*", "1")).await.expect(200);
    world.call(put("if-none-match", "*", "2")).await.refused(412, "PreconditionFailed");
    assert_eq!(world.get("object.bin").await.body, "1");
    world.call(put("if-match", &md5_hex(b"1"), "3")).await.expect(200);
    world.call(put("if-match", &md5_hex(b"1"), "4")).await.refused(412, "PreconditionFailed");
    world.call(put("if-match", "*", "5")).await.expect(200);
    assert_eq!(world.get("object.bin").await.body, "5");
    world.call(put("if-none-match", "\"other\"", "6")).await.refused(501, "NotImplemented");
}

/// Of many that want to be first, one is.
#[tokio::test]
async fn a_race_for_a_new_key_has_one_winner() {
    let world = World::with_bucket().await;
    let racing = (0..16).map(|at| {
        let call = Call::put(&path(BUCKET, "lock")).header("if-none-match", "*").body(format!("{at}"));
        world.call(call)
    });
    let replies = futures::future::join_all(racing).await;
    let won: Vec<usize> = (0..16).filter(|&at| replies[at].status == 200).collect();
    assert_eq!(won.len(), 1);
    assert!(replies.iter().all(|reply| [200, 412].contains(&reply.status.as_u16())));
    assert_eq!(world.get("lock").await.body, won[0].to_string());
}
