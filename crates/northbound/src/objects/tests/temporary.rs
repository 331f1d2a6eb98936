//! Temporary keys.

use otaru_model::Role;

use super::client::{Call, Keys, Sign, path};
use super::{BUCKET, World};

fn temporary(world: &World, role: Option<Role>) -> Keys {
    let made = world.app.create_temporary_key(&world.admin, role, 600_000).unwrap();
    Keys { id: made.access_key_id, secret: made.secret, token: Some(made.security_token) }
}

fn put() -> Call {
    Call::put(&path(BUCKET, "object.bin")).body(b"content")
}

#[tokio::test]
async fn every_signature_takes_a_temporary_key() {
    let world = World::with_bucket().await;
    let keys = temporary(&world, None);
    for sign in Sign::ALL {
        world.call_as(&keys, sign, put()).await.expect(200);
        world.call_as(&keys, sign, Call::delete(&path(BUCKET, "object.bin"))).await.expect(204);
    }
}

#[tokio::test]
async fn a_token_belongs_to_its_key() {
    let world = World::with_bucket().await;
    let (one, other) = (temporary(&world, None), temporary(&world, None));
    for sign in Sign::ALL {
        let without = Keys { token: None, ..one.clone() };
        world.call_as(&without, sign, put()).await.refused(403, "InvalidAccessKeyId");
        let swapped = Keys { token: other.token.clone(), ..one.clone() };
        world.call_as(&swapped, sign, put()).await.refused(400, "InvalidToken");
        let nonsense = Keys { token: Some("nonsense".to_owned()), ..one.clone() };
        world.call_as(&nonsense, sign, put()).await.refused(400, "InvalidToken");
        let beside_a_lasting_key = Keys { token: one.token.clone(), ..world.keys.clone() };
        world.call_as(&beside_a_lasting_key, sign, put()).await.refused(400, "InvalidToken");
    }
    world.get("object.bin").await.refused(404, "NoSuchKey");
}

#[tokio::test]
async fn a_temporary_key_has_its_role_and_its_end() {
    let world = World::with_bucket().await;
    let viewer = temporary(&world, Some(Role::Viewer));
    world.call_as(&viewer, Sign::V4, Call::get("/")).await.expect(200);
    world.call_as(&viewer, Sign::V4, put()).await.refused(403, "AccessDenied");
    world.clock.advance(600_001);
    world.call_as(&viewer, Sign::V2, Call::get("/")).await.refused(400, "ExpiredToken");
}
