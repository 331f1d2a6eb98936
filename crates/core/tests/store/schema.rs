//! The schema: migrated once, in step with the program; and every statement fits it.

use otaru_core::store::{MigrationStatus, Statement, Store, StoreError, statement};

use crate::place::Place;

static NEWER: Statement = Statement::new("INSERT INTO migrations (version, name, digest) VALUES (999, 'later', 'x')");
static ALTERED: Statement = Statement::new("UPDATE migrations SET digest = 'another' WHERE version = 1");
static APPLIED: Statement = Statement::new("SELECT COUNT(*) FROM migrations");

pub async fn an_empty_database_is_brought_up_to_date_once(place: &Place) {
    let store = Store::connect(&place.url).unwrap();
    assert_eq!(store.is_shared(), place.is_shared());
    let before = store.migration_status().await.unwrap();
    assert_eq!(before.applied, 0);
    assert_eq!(before.pending.first(), Some(&"registry"));

    for _ in 0..2 {
        store.migrate().await.unwrap();
        let after = store.migration_status().await.unwrap();
        assert_eq!(after, MigrationStatus { applied: before.pending.len() as i64, pending: Vec::new() });
    }
    store.ping(std::time::Duration::from_secs(30)).await.unwrap();
}

pub async fn copies_that_start_together_migrate_once(place: &Place) {
    let starts = (0..4).map(|_| {
        let url = place.url.clone();
        tokio::spawn(async move { Store::open(&url).await })
    });
    for start in starts.collect::<Vec<_>>() {
        start.await.unwrap().unwrap();
    }
    let store = place.store().await;
    let applied = look!(store, tx => tx.row(&APPLIED, &[], |row| row.int(0)).await?);
    assert_eq!(applied, Some(store.migration_status().await.unwrap().applied));
}

pub async fn a_database_of_another_program_is_left_alone(place: &Place) {
    for (statement, complaint) in [(&NEWER, "newer than this program"), (&ALTERED, "is not the one that this program")]
    {
        let store = place.store().await;
        commit!(store, tx => tx.execute(statement, &[]).await?);
        let refused = [store.migrate().await.unwrap_err(), store.migration_status().await.unwrap_err()];
        let reopened = Store::open(&place.url).await.unwrap_err();
        for error in refused.iter().chain([&reopened]) {
            assert!(error.to_string().contains(complaint), "{error}");
        }
        static MEND: Statement = Statement::new("DELETE FROM migrations WHERE version = 999");
        commit!(store, tx => tx.execute(&MEND, &[]).await?);
    }
}

pub async fn every_statement_can_be_prepared(place: &Place) {
    let all = statement::all();
    // Each noun has several, and a list of packages one for every combination of filters.
    assert!(all.len() > 500, "{} statements", all.len());
    place.store().await.prepare(all).await.unwrap();
}

pub async fn a_statement_that_does_not_fit_is_named(place: &Place) {
    let store = place.store().await;
    static NO_COLUMN: Statement = Statement::new("SELECT no_such_column FROM tenants");
    // A parameter that is none of the kinds of value that a statement takes would fail at run time only.
    static NO_VALUE: Statement = Statement::new("SELECT 1 WHERE $1 < 1.5");
    let wrong = if place.is_shared() { vec![&NO_COLUMN, &NO_VALUE] } else { vec![&NO_COLUMN] };
    for statement in wrong {
        let error = store.prepare(vec![statement]).await.unwrap_err();
        assert!(matches!(error, StoreError::Unexpected(_)), "{error}");
        assert!(error.to_string().contains(statement.text()), "{error}");
    }
}

pub async fn an_address_that_is_none_is_refused(place: &Place) {
    for url in ["", "otaru.db", "mysql://localhost/otaru", "postgres://[::1"] {
        assert!(Store::connect(url).is_err(), "{url}");
    }
    let nowhere = match place.is_shared() {
        true => "postgres://otaru@127.0.0.1:1/otaru?connect_timeout=5".to_owned(),
        false => format!("sqlite:{}", place.folder.path().display()),
    };
    assert!(matches!(Store::open(&nowhere).await, Err(StoreError::Unavailable(_))), "{nowhere}");
}
