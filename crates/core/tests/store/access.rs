//! Access keys and nonces.

use otaru_core::store::{access, tenants};
use otaru_model::AccessKey;

use crate::nouns::{id, key, tenant, town};
use crate::place::Place;

pub async fn a_key_is_unique_and_keeps_what_is_said_of_it(place: &Place) {
    let store = place.store().await;
    assert!(!look!(store, tx => access::any(tx).await?));
    let ending = AccessKey { expires_ms: Some(100), revoked_ms: Some(90), created_ms: 6, ..key("b", 1) };
    let (second, record) = (ending.clone(), ending.clone());
    let inserted = commit!(store, tx => {
        tenants::insert(tx, &tenant(1)).await?;
        tenants::insert(tx, &tenant(2)).await?;
        [
            access::insert(tx, &key("a", 1), b"sealed a").await?,
            access::insert(tx, &record, b"sealed b").await?,
            access::insert(tx, &key("a", 2), b"another").await?,
            access::insert(tx, &key("c", 2), b"").await?,
        ]
    });
    assert_eq!(inserted, [true, true, false, true]);

    let (a, b, unknown, of_one) = look!(store, tx => {
        (
            access::by_id(tx, "a").await?,
            access::by_id(tx, "b").await?,
            access::by_id(tx, "A").await?,
            access::list(tx, &id(1)).await?,
        )
    });
    assert_eq!(a, Some((key("a", 1), b"sealed a".to_vec())));
    assert_eq!(b, Some((second, b"sealed b".to_vec())));
    assert_eq!(unknown, None);
    assert_eq!(of_one, [key("a", 1), ending], "oldest first, and none of another tenant");
    assert!(look!(store, tx => access::any(tx).await?));
}

pub async fn a_key_ends_once_and_never_later(place: &Place) {
    let store = town(place).await;
    let expired = commit!(store, tx => [
        access::expire(tx, &id(2), "key-1", 50).await?,
        access::expire(tx, &id(1), "key-1", 50).await?,
        access::expire(tx, &id(1), "key-1", 60).await?,
        access::expire(tx, &id(1), "key-1", 40).await?,
    ]);
    assert_eq!(expired, [false, true, false, true]);
    let revoked = commit!(store, tx => [
        access::revoke(tx, &id(2), "key-1", 30).await?,
        access::revoke(tx, &id(1), "key-1", 30).await?,
        access::revoke(tx, &id(1), "key-1", 35).await?,
    ]);
    assert_eq!(revoked, [false, true, false]);
    let (found, _) = look!(store, tx => access::by_id(tx, "key-1").await?).unwrap();
    assert_eq!((found.expires_ms, found.revoked_ms), (Some(40), Some(30)));
}

pub async fn a_nonce_is_good_for_one_use_by_each_key(place: &Place) {
    let store = town(place).await;
    let used = commit!(store, tx => [
        access::use_nonce(tx, "key-1", "n", 100).await?,
        access::use_nonce(tx, "key-1", "n", 200).await?,
        access::use_nonce(tx, "key-2", "n", 200).await?,
    ]);
    assert_eq!(used, [true, false, true]);
    let forgotten = commit!(store, tx => [
        access::forget_nonces(tx, 100).await?,
        access::forget_nonces(tx, 101).await?,
        access::forget_nonces(tx, 101).await?,
    ]);
    assert_eq!(forgotten, [0, 1, 0]);
    let again = commit!(store, tx => [
        access::use_nonce(tx, "key-1", "n", 300).await?,
        access::use_nonce(tx, "key-2", "n", 300).await?,
    ]);
    assert_eq!(again, [true, false]);
}
