//! Sessions.

use otaru_core::store::sessions::{self, SessionKind};

use crate::nouns::{sha256, town};
use crate::place::Place;

pub async fn a_token_stands_for_its_key_until_it_expires(place: &Place) {
    let store = town(place).await;
    commit!(store, tx => sessions::insert(tx, &sha256(1), SessionKind::Access, "key-1", 100).await?);
    let found = look!(store, tx => [
        sessions::key_of(tx, &sha256(1), SessionKind::Access, 99).await?,
        sessions::key_of(tx, &sha256(1), SessionKind::Access, 100).await?,
        sessions::key_of(tx, &sha256(1), SessionKind::Refresh, 99).await?,
        sessions::key_of(tx, &sha256(2), SessionKind::Access, 99).await?,
    ]);
    assert_eq!(found, [Some("key-1".to_owned()), None, None, None]);
    let until = look!(store, tx => sessions::live(tx, &sha256(1), SessionKind::Access, 99).await?);
    assert_eq!(until, Some(("key-1".to_owned(), 100)));
}

pub async fn sessions_end_one_by_one_by_kind_and_together(place: &Place) {
    let store = town(place).await;
    commit!(store, tx => {
        for (token, kind, key) in [
            (1, SessionKind::Access, "key-1"),
            (2, SessionKind::Access, "key-1"),
            (3, SessionKind::Refresh, "key-1"),
            (4, SessionKind::Refresh, "key-1"),
            (5, SessionKind::Access, "key-2"),
        ] {
            sessions::insert(tx, &sha256(token), kind, key, 100).await?;
        }
    });
    let live = async || {
        let mut live = Vec::new();
        for token in 1..=5 {
            for kind in [SessionKind::Access, SessionKind::Refresh] {
                if look!(store, tx => sessions::key_of(tx, &sha256(token), kind, 0).await?).is_some() {
                    live.push(token);
                }
            }
        }
        live
    };
    let ended = commit!(store, tx => [
        sessions::end(tx, &sha256(1), SessionKind::Refresh).await?,
        sessions::end(tx, &sha256(1), SessionKind::Access).await?,
        sessions::end(tx, &sha256(1), SessionKind::Access).await?,
    ]);
    assert_eq!((ended, live().await), ([false, true, false], vec![2, 3, 4, 5]));
    commit!(store, tx => sessions::end_kind(tx, "key-1", SessionKind::Refresh).await?);
    assert_eq!(live().await, [2, 5]);
    commit!(store, tx => sessions::end_all(tx, "key-1").await?);
    assert_eq!(live().await, [5]);
}

pub async fn expired_sessions_are_forgotten(place: &Place) {
    let store = town(place).await;
    let forgotten = commit!(store, tx => {
        sessions::insert(tx, &sha256(1), SessionKind::Access, "key-1", 100).await?;
        sessions::insert(tx, &sha256(2), SessionKind::Refresh, "key-1", 200).await?;
        [sessions::forget(tx, 100).await?, sessions::forget(tx, 101).await?, sessions::forget(tx, 101).await?]
    });
    assert_eq!(forgotten, [0, 1, 0]);
}

pub async fn holding_a_key_is_for_keys_that_are_there(place: &Place) {
    let store = town(place).await;
    let held = commit!(store, tx => [sessions::hold_key(tx, "key-1").await?, sessions::hold_key(tx, "nobody").await?]);
    assert_eq!(held, [true, false]);
}
