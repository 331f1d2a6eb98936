//! The schema: migrated once, in step with the program; and every statement fits it.

use otaru_core::store::{MigrationStatus, Statement, Store, StoreError, packages, statement};

use crate::nouns;
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

/// A tenant with few packages beside one with nearly all: its pages must not be looked for among the other's.
pub async fn a_page_goes_along_its_own_index_whoever_has_most_packages(place: &Place) {
    // Statistics change nothing about SQLite's plans: it is told not to look at values, and has none.
    if !place.is_shared() {
        return;
    }
    static FILL: Statement = Statement::new(
        "INSERT INTO packages SELECT decode(lpad(to_hex(n), 24, '0'), 'hex'), p.tenant_id, p.space_id, p.product_id, p.module,
            p.module_kind, p.version || n, p.name, p.description, p.custom_info, p.kind, p.source_versions, p.verification,
            p.integrity, p.integrity_note, p.files, p.device_type, p.model, p.manufacturer, p.protocol, p.made_on, p.door,
            p.extra, p.created_ms, p.updated_ms
        FROM packages p, generate_series(100000, 140000) n WHERE p.id = $1",
    );
    static ANALYZE: Statement = Statement::new("ANALYZE packages");
    let store = nouns::town(place).await;
    let one = nouns::package(1000, 1, &nouns::product(101, 11), "firmware");
    let id = one.id;
    commit!(store, tx => packages::insert(tx, &one, &nouns::id(11)).await?);
    commit!(store, tx => tx.execute(&FILL, &[(&id).into()]).await?);
    commit!(store, tx => tx.execute(&ANALYZE, &[]).await?);
    let page = statement::all().into_iter().find(|statement| {
        statement.name().ends_with("::PAGE") && statement.text().contains("WHERE p.tenant_id = $1 AND p.id < $3")
    });
    let page = page.expect("a page of all packages of a tenant is one of the statements");
    let prepare: &'static Statement =
        Box::leak(Box::new(Statement::composed("PREPARE", format!("PREPARE page AS {}", page.text()))));
    static EXPLAIN: Statement = Statement::new(
        "EXPLAIN (COSTS OFF) EXECUTE page (decode('01', 'hex'), decode('02', 'hex'), decode('03', 'hex'), 10)",
    );
    let plan = look!(store, tx => {
        tx.execute(prepare, &[]).await?;
        tx.rows(&EXPLAIN, &[], |row| row.string(0)).await?
    });
    let plan = plan.join("\n");
    assert!(plan.contains("packages_tenant on packages") && plan.contains("tenant_id = $1"), "{plan}");
}
