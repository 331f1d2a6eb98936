//! What a transaction promises: all or nothing, durable when answered, and nobody else is hurt.

use std::path::Path;
use std::time::Duration;

use otaru_core::store::{Statement, Store, StoreError, Tx, settings, tenants};

use crate::nouns::tenant;
use crate::place::Place;

async fn tenants_of(store: &Store) -> usize {
    look!(store, tx => tenants::list(tx).await?).len()
}

/// A verb that does its work and then fails, if its number is odd.
async fn make_tenant(store: &Store, number: u64) -> Result<(), StoreError> {
    store
        .write(move |tx| {
            Box::pin(async move {
                tenants::insert(tx, &tenant(number)).await?;
                settings::get_or_put(tx, &format!("by {number}"), "x").await?;
                if number % 2 == 1 { Err(StoreError::Unexpected(format!("no {number}"))) } else { Ok(()) }
            })
        })
        .await
}

pub async fn an_error_leaves_nothing_behind(place: &Place) {
    let store = place.store().await;
    // Many at once, so that failing verbs share commits with others.
    let verbs: Vec<_> = (0..60)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { make_tenant(&store, number).await })
        })
        .collect();
    for (number, verb) in verbs.into_iter().enumerate() {
        let outcome = verb.await.unwrap();
        assert_eq!(outcome.is_ok(), number % 2 == 0, "{outcome:?}");
        assert!(outcome.is_ok() || outcome.unwrap_err().to_string().contains(&format!("no {number}")));
    }
    let found = look!(store, tx => tenants::list(tx).await?);
    assert_eq!(found, (0..60).step_by(2).map(tenant).collect::<Vec<_>>());
    // A statement that fails inside a verb takes back what the verb did before it.
    let failed = store
        .write(|tx| {
            Box::pin(async move {
                static WRONG: Statement = Statement::new("SELECT no_such_column FROM tenants");
                tenants::insert(tx, &tenant(101)).await?;
                tx.execute(&WRONG, &[]).await
            })
        })
        .await;
    assert!(matches!(failed, Err(StoreError::Unexpected(_))), "{failed:?}");
    assert_eq!(tenants_of(&store).await, 30);
}

/// Whoever was told of a commit finds another number; reading makes none. Where other copies commit too, there is no number.
pub async fn commits_are_counted_where_all_are_seen(place: &Place) {
    let store = place.store().await;
    let before = store.commits();
    assert_eq!(before.is_some(), !store.is_shared());
    make_tenant(&store, 2).await.unwrap();
    let after = store.commits();
    assert_eq!(after != before, before.is_some());
    assert_eq!(tenants_of(&store).await, 1);
    assert_eq!(store.commits(), after);
}

pub async fn a_panic_hurts_only_its_own_verb(place: &Place) {
    let store = place.store().await;
    let panicking = |number: u64| {
        let store = store.clone();
        tokio::spawn(async move {
            store
                .write(move |tx| {
                    Box::pin(async move {
                        tenants::insert(tx, &tenant(number)).await?;
                        if number.is_multiple_of(3) {
                            panic!("a test makes verb {number} panic");
                        }
                        Ok::<_, StoreError>(())
                    })
                })
                .await
        })
    };
    let verbs: Vec<_> = (0..30).map(panicking).collect();
    for (number, verb) in verbs.into_iter().enumerate() {
        // PostgreSQL unwinds to the caller; on SQLite the writer goes on, and its caller gets an error.
        let outcome = verb.await;
        let done = matches!(outcome, Ok(Ok(())));
        assert_eq!(done, number % 3 != 0, "verb {number}: {outcome:?}");
    }
    assert_eq!(tenants_of(&store).await, 20);
    make_tenant(&store, 100).await.unwrap();
}

/// Verbs of which many share a transaction; `number` says how one ends.
async fn make_tenant_together(store: &Store, number: u64) -> Result<(), StoreError> {
    static WRONG: Statement = Statement::new("SELECT no_such_column FROM tenants");
    store
        .write_together(move |tx| {
            Box::pin(async move {
                if number % 5 == 4 {
                    return Err(StoreError::Unexpected(format!("no {number} before its first statement")));
                }
                tenants::insert(tx, &tenant(number)).await?;
                match number % 5 {
                    0 | 1 => Ok(()),
                    2 => Err(StoreError::Unexpected(format!("no {number}"))),
                    _ if number.is_multiple_of(2) => tx.execute(&WRONG, &[]).await.map(drop),
                    _ => panic!("a test makes verb {number} panic"),
                }
            })
        })
        .await
}

pub async fn of_verbs_that_share_a_transaction_each_fails_by_itself(place: &Place) {
    let store = place.store().await;
    let verbs = (0..200).map(|number| {
        let store = store.clone();
        tokio::spawn(async move { make_tenant_together(&store, number).await })
    });
    for (number, verb) in verbs.collect::<Vec<_>>().into_iter().enumerate() {
        let outcome = verb.await.unwrap();
        assert_eq!(outcome.is_ok(), number % 5 < 2, "verb {number}: {outcome:?}");
    }
    let found = look!(store, tx => tenants::list(tx).await?);
    assert_eq!(found, (0..200).filter(|number| number % 5 < 2).map(tenant).collect::<Vec<_>>());
    // One by one, too: each has its transaction to itself, and what fails in it is no longer there for the next.
    for number in 300..320 {
        assert_eq!(make_tenant_together(&store, number).await.is_ok(), number % 5 < 2, "verb {number}");
    }
    assert_eq!(tenants_of(&store).await, 88);
}

pub async fn who_shares_a_transaction_is_answered_after_its_commit(place: &Place) {
    let store = place.store().await;
    let other = Store::connect(&place.url).unwrap();
    let writers = (0..200u64).map(|number| {
        let (store, other) = (store.clone(), other.clone());
        tokio::spawn(async move {
            let made =
                store.write_together(move |tx| Box::pin(async move { tenants::insert(tx, &tenant(number)).await }));
            made.await.unwrap();
            look!(other, tx => tenants::by_id(tx, &tenant(number).id).await?)
        })
    });
    for (number, seen) in writers.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(seen.await.unwrap(), Some(tenant(number as u64)));
    }
}

/// Takes one setting and then another, where transactions run side by side slowly enough for another to hold the second by then.
async fn take_both(
    tx: &mut Tx<'_>,
    first: &'static str,
    second: &'static str,
    is_shared: bool,
) -> Result<String, StoreError> {
    settings::get_or_put(tx, first, "x").await?;
    if is_shared {
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    settings::get_or_put(tx, second, "x").await
}

pub async fn verbs_that_share_a_transaction_begin_again_after_a_lost_race(place: &Place) {
    let store = place.store().await;
    let is_shared = place.is_shared();
    let verb = |first: &'static str, second: &'static str| {
        let store = store.clone();
        tokio::spawn(
            async move { store.write_together(move |tx| Box::pin(take_both(tx, first, second, is_shared))).await },
        )
    };
    let (one, other) = (verb("a", "b"), verb("b", "a"));
    // These come while those wait: some are in their transactions.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let others = (0..20).map(|number| {
        let store = store.clone();
        tokio::spawn(async move { make_tenant_together(&store, number * 5).await })
    });
    for outcome in others.collect::<Vec<_>>() {
        outcome.await.unwrap().unwrap();
    }
    let outcomes = [one.await.unwrap(), other.await.unwrap()];
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(tenants_of(&store).await, 20);
}

pub async fn statements_that_go_out_together_take_effect_in_their_order(place: &Place) {
    static PUT: Statement = Statement::new("INSERT INTO settings (name, value) VALUES ($1, $2)");
    static APPEND: Statement = Statement::new("UPDATE settings SET value = value || $2 WHERE name = $1");
    static WRONG: Statement = Statement::new("INSERT INTO settings (name, value) VALUES ($1, NULL)");
    let store = place.store().await;
    let value = async || look!(store, tx => settings::get(tx, "a").await?);
    // One of them is known to its connection already, the others have to be prepared first.
    commit!(store, tx => tx.execute(&APPEND, &["a".into(), "x".into()]).await?);
    commit!(store, tx => {
        tx.execute_all(&[
            (&PUT, &["a".into(), "1".into()]),
            (&APPEND, &["a".into(), "2".into()]),
            (&APPEND, &["a".into(), "3".into()]),
        ]).await?
    });
    assert_eq!(value().await.as_deref(), Some("123"));
    let failed = store.write(|tx| {
        Box::pin(async move { tx.execute_all(&[(&APPEND, &["a".into(), "4".into()]), (&WRONG, &["b".into()])]).await })
    });
    assert!(matches!(failed.await, Err(StoreError::Unexpected(text)) if text.to_lowercase().contains("null")));
    assert_eq!(value().await.as_deref(), Some("123"));
}

pub async fn a_verb_that_passes_over_a_failure_leaves_all_or_nothing(place: &Place) {
    static WRONG: Statement = Statement::new("SELECT no_such_column FROM tenants");
    let store = place.store().await;
    for number in 0..4 {
        let alone = store.write(move |tx| {
            Box::pin(async move {
                tenants::insert(tx, &tenant(number)).await?;
                let _ = tx.execute(&WRONG, &[]).await;
                Ok::<_, StoreError>(())
            })
        });
        let together = store.write_together(move |tx| {
            Box::pin(async move {
                tenants::insert(tx, &tenant(100 + number)).await?;
                let _ = tx.execute(&WRONG, &[]).await;
                Ok::<_, StoreError>(())
            })
        });
        // SQLite goes on after it, PostgreSQL does not: what matters is that the caller is told which.
        let (alone, together) = futures::future::join(alone, together).await;
        for (number, outcome) in [(number, alone), (100 + number, together)] {
            let there = look!(store, tx => tenants::by_id(tx, &tenant(number).id).await?).is_some();
            assert_eq!(there, outcome.is_ok(), "{outcome:?}");
        }
    }
}

pub async fn a_verb_that_is_abandoned_leaves_nothing_behind(place: &Place) {
    let store = place.store().await;
    for number in 0..20 {
        let waits_for_ever = store.write(move |tx| {
            Box::pin(async move {
                tenants::insert(tx, &tenant(number)).await?;
                std::future::pending::<Result<(), StoreError>>().await
            })
        });
        // SQLite's writer waits for nobody; on PostgreSQL the caller gives up.
        let outcome = tokio::time::timeout(Duration::from_millis(20), waits_for_ever).await;
        assert!(matches!(outcome, Err(_) | Ok(Err(StoreError::Unexpected(_)))), "{outcome:?}");
    }
    // More were abandoned than there are connections: none of them is stuck, and none holds a lock.
    for number in 0..20 {
        make_tenant(&store, number * 2).await.unwrap();
    }
    assert_eq!(tenants_of(&store).await, 20);
}

pub async fn an_answer_comes_after_the_commit(place: &Place) {
    let store = place.store().await;
    let other = Store::connect(&place.url).unwrap();
    let writers = (0..200u64).map(|number| {
        let (store, other) = (store.clone(), other.clone());
        tokio::spawn(async move {
            commit!(store, tx => tenants::insert(tx, &tenant(number)).await?);
            // Another connection sees it at once, as would another copy of the server.
            look!(other, tx => tenants::by_id(tx, &tenant(number).id).await?)
        })
    });
    for (number, seen) in writers.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(seen.await.unwrap(), Some(tenant(number as u64)));
    }
}

/// The files of a SQLite database as a process that is killed now would leave them.
fn files_of(url: &str, into: &Path) -> String {
    let database = Path::new(url.strip_prefix("sqlite:").unwrap());
    for ending in ["", "-wal"] {
        let name = format!("{}{ending}", database.file_name().unwrap().to_str().unwrap());
        std::fs::copy(database.with_file_name(&name), into.join(&name)).unwrap();
    }
    format!("sqlite:{}", into.join(database.file_name().unwrap()).display())
}

pub async fn what_was_answered_is_there_after_reopening(place: &Place) {
    let store = place.store().await;
    for number in 0..5 {
        commit!(store, tx => tenants::insert(tx, &tenant(number)).await?);
    }
    let killed = tempfile::tempdir().unwrap();
    let url = if place.is_shared() { place.url.clone() } else { files_of(&place.url, killed.path()) };
    assert_eq!(tenants_of(&Store::open(&url).await.unwrap()).await, 5);
    drop(store);
    assert_eq!(tenants_of(&place.store().await).await, 5);
}

pub async fn a_reader_never_sees_half_a_verb(place: &Place) {
    static DIFFERENCE: Statement = Statement::new(
        "SELECT (SELECT COUNT(*) FROM settings WHERE name < 'b') - (SELECT COUNT(*) FROM settings WHERE name >= 'b' AND name < 'c')",
    );
    let store = place.store().await;
    let writer = {
        let store = store.clone();
        tokio::spawn(async move {
            for number in 0..100 {
                commit!(store, tx => {
                    settings::get_or_put(tx, &format!("a{number}"), "x").await?;
                    settings::get_or_put(tx, &format!("b{number}"), "x").await?;
                });
            }
        })
    };
    while !writer.is_finished() {
        let difference = look!(store, tx => tx.row(&DIFFERENCE, &[], |row| row.int(0)).await?);
        assert_eq!(difference, Some(0));
    }
    writer.await.unwrap();
}

pub async fn verbs_that_wait_for_each_other_are_tried_again(place: &Place) {
    let store = place.store().await;
    let is_shared = place.is_shared();
    let verb = |first: &'static str, second: &'static str| {
        let store = store.clone();
        tokio::spawn(async move { store.write(move |tx| Box::pin(take_both(tx, first, second, is_shared))).await })
    };
    let (one, other) = (verb("a", "b"), verb("b", "a"));
    let outcomes = [one.await.unwrap(), other.await.unwrap()];
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    commit!(store, tx => settings::get_or_put(tx, "a", "x").await?);
}
