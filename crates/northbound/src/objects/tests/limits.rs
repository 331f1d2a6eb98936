//! Every entry of the limits table, at its edges and past them, in an otherwise valid request.

use super::client::{Call, Sign, path};
use super::{BUCKET, World, image};
use crate::objects::limits::LIMITS;
use crate::wire::limits::Rule;

/// A refusal has to speak of what is wrong, and of what would be right.
async fn refused(world: &World, call: Call, code: &str, word: &str) {
    let reply = world.call(call).await.refused(400, code);
    let message = reply.element("Message").unwrap();
    assert!(message.contains(word), "`{message}` does not speak of {word}");
}

#[tokio::test]
async fn every_limit_holds_at_its_edges() {
    let world = World::with_bucket().await;
    for limit in LIMITS {
        match (limit.name, &limit.rule) {
            ("bucket.name", Rule::Text { min, max, set }) => {
                for length in [*min, *max] {
                    world.call(Call::put(&format!("/{}", "b".repeat(length)))).await.expect(200);
                }
                let inside: String = set.inside.chars().filter(char::is_ascii_alphanumeric).collect();
                world.call(Call::put(&format!("/{inside}-.{inside}").replace("-.", "-x."))).await.expect(200);
                let mut wrong = vec!["b".repeat(min - 1), "b".repeat(max + 1)];
                wrong.extend(set.outside.chars().filter(|&letter| letter != '/').map(|letter| format!("aa{letter}aa")));
                wrong.extend(["-aa", "aa-", ".aa", "aa.", "a..a", "127.0.0.1"].map(str::to_owned));
                for name in wrong {
                    let path = path(&super::client::escape(&name), "");
                    refused(&world, Call::put(path.trim_end_matches('/')), "InvalidBucketName", "").await;
                }
            }
            ("key.characters", Rule::Text { set, .. }) => {
                let key = set.inside;
                world.put(key, b"content").await;
                assert_eq!(world.get(key).await.expect(200).body, "content");
                for letter in set.outside.chars() {
                    let call = Call::put(&path(BUCKET, &format!("a{letter}b"))).body(b"content");
                    refused(&world, call, "InvalidArgument", "control characters").await;
                }
            }
            ("key.bytes", Rule::Integer { max, .. }) => {
                let max = usize::try_from(*max).unwrap();
                for key in ["k".to_owned(), "k".repeat(max), "包".repeat(max / 3)] {
                    world.put(&key, b"content").await;
                }
                for key in ["k".repeat(max + 1), "包".repeat(max / 3 + 1)] {
                    let call = Call::put(&path(BUCKET, &key)).body(b"content");
                    world.call(call).await.refused(400, "KeyTooLongError");
                }
            }
            ("metadata.bytes", Rule::Integer { max, .. }) => {
                let max = usize::try_from(*max).unwrap();
                let put = |value: usize| {
                    let value = "v".repeat(value);
                    Call::put(&path(BUCKET, "k")).header("x-amz-meta-name", &value).body(b"content")
                };
                world.call(put(max - 4)).await.expect(200);
                assert_eq!(world.get("k").await.header("x-amz-meta-name").len(), max - 4);
                refused(&world, put(max - 3), "MetadataTooLarge", "metadata").await;
            }
            ("list.max_keys", Rule::Integer { min, max }) => {
                let list = |value: i64| Call::get(&format!("/{BUCKET}")).query("max-keys", &value.to_string());
                for value in [*min, 1, 1000, 1001, *max] {
                    world.call(list(value)).await.expect(200);
                }
                refused(&world, list(min - 1), "InvalidArgument", "page").await;
                refused(&world, list(max + 1), "InvalidArgument", "").await;
            }
            ("delete.objects", Rule::Count { min, max }) => {
                let delete = |count: usize| {
                    let objects: String = (0..count).map(|at| format!("<Object><Key>k{at}</Key></Object>")).collect();
                    Call::post(&format!("/{BUCKET}")).query("delete", "").body(format!("<Delete>{objects}</Delete>"))
                };
                for count in [*min, *max] {
                    assert_eq!(world.call(delete(count)).await.expect(200).elements("Deleted").len(), count);
                }
                refused(&world, delete(min - 1), "MalformedXML", "").await;
                refused(&world, delete(max + 1), "MalformedXML", "objects to delete").await;
            }
            ("part.number", Rule::Integer { min, max }) => {
                let id = begin(&world).await;
                for number in [*min, *max] {
                    world.call(part(&id, number, 10)).await.expect(200);
                }
                for number in [min - 1, max + 1] {
                    refused(&world, part(&id, number, 10), "InvalidArgument", "number of a part").await;
                }
            }
            ("part.bytes", Rule::Integer { min, .. }) => {
                // Its upper edge is 5 GiB and a setting; the bodies' tests try that setting.
                let min = usize::try_from(*min).unwrap();
                for (size, accepted) in [(min, true), (min - 1, false)] {
                    let id = begin(&world).await;
                    let mut listed = Vec::new();
                    for (number, size) in [(1, size), (2, 1)] {
                        let reply = world.call(part(&id, number, size)).await.expect(200);
                        listed.push((number, reply.header("etag").to_owned()));
                    }
                    let call = complete(&id, &listed);
                    match accepted {
                        true => drop(world.call(call).await.expect(200)),
                        false => refused(&world, call, "EntityTooSmall", "part 1").await,
                    }
                }
            }
            ("complete.parts", Rule::Count { min, max }) => {
                let id = begin(&world).await;
                let etag = world.call(part(&id, 1, 100 << 10)).await.expect(200).header("etag").to_owned();
                refused(&world, complete(&id, &[]), "MalformedXML", "").await;
                let many: Vec<(i64, String)> = (1..=*max as i64 + 1).map(|number| (number, etag.clone())).collect();
                refused(&world, complete(&id, &many), "MalformedXML", "list of parts").await;
                // As many as there may be get as far as the second, which was never uploaded.
                refused(&world, complete(&id, &many[..*max]), "InvalidPart", "Part 2").await;
                world.call(complete(&id, &many[..*min])).await.expect(200);
            }
            ("presigned.expires", Rule::Integer { min, max }) => {
                for (expires_s, status) in [(*min, 200), (*max, 200), (min - 1, 400), (max + 1, 400)] {
                    let call = Call { expires_s, ..Call::get("/") };
                    world.call_as(&world.keys, Sign::V4Link, call).await.expect(status);
                }
            }
            (name, rule) => panic!("nobody knows how to try the limit {name} {rule:?}"),
        }
    }
}

async fn begin(world: &World) -> String {
    let reply = world.call(Call::post(&path(BUCKET, "parts.bin")).query("uploads", "")).await.expect(200);
    reply.element("UploadId").unwrap()
}

fn part(id: &str, number: i64, size: usize) -> Call {
    let call = Call::put(&path(BUCKET, "parts.bin")).query("partNumber", &number.to_string()).query("uploadId", id);
    call.body(image(size, 1))
}

fn complete(id: &str, parts: &[(i64, String)]) -> Call {
    let parts: String = parts
        .iter()
        .map(|(number, etag)| format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"))
        .collect();
    let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    Call::post(&path(BUCKET, "parts.bin")).query("uploadId", id).body(body)
}
