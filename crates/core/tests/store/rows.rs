//! What a transaction and a row do, below any noun.

use otaru_core::store::{Statement, StoreError, Value};
use otaru_model::{Id, Role, Sha256};

use crate::nouns::{id, sha256};
use crate::place::Place;

static MAKE: Statement = Statement::new(
    "INSERT INTO uploads (id, tenant_id, door, locator, file_name, declared_bytes, max_bytes, created_ms,
        open_until_ms, expires_ms, sha256) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, 0, $8)",
);
static SHOW: Statement =
    Statement::new("SELECT id, door, locator, file_name, declared_bytes, max_bytes, sha256 FROM uploads WHERE id = $1");
static TENANT: Statement =
    Statement::new("INSERT INTO tenants (id, name, name_folded, created_ms) VALUES ($1, 'a', 'a', 0)");
static RENAME: Statement = Statement::new("UPDATE uploads SET file_name = $1 WHERE max_bytes > $2");
static GO: Statement = Statement::new("DELETE FROM uploads RETURNING id");

/// Two rows: one full, one with everything absent that may be.
async fn two_rows(place: &Place) -> otaru_core::store::Store {
    let store = place.store().await;
    commit!(store, tx => {
        let (owner, first, second, digest, locator) = (id(1), id(1), id(2), sha256(9), "l1".to_owned());
        tx.execute(&TENANT, &[(&owner).into()]).await?;
        let full = [(&first).into(), (&owner).into(), "viewer".into(), (&locator).into(), r#"["a",1]"#.into(),
            i64::MIN.into(), i64::MAX.into(), (&digest).into()];
        tx.execute(&MAKE, &full).await?;
        let (number, none): (Option<i64>, Option<String>) = (None, None);
        assert_eq!(Value::from(&none), Value::Null);
        let bare = [(&second).into(), (&owner).into(), "".into(), "l2".into(), "電池€😀".into(), number.into(), true.into(),
            Value::Null];
        tx.execute(&MAKE, &bare).await?;
    });
    store
}

pub async fn values_come_back_as_they_were_put(place: &Place) {
    let store = two_rows(place).await;
    let full = look!(store, tx => {
        tx.row(&SHOW, &[(&id(1)).into()], |row| {
            let (role, json): (Role, serde_json::Value) = (row.word(1)?, row.json(3)?);
            let key: (Id, Sha256) = (row.fixed(0)?, row.fixed(6)?);
            Ok((key, role, row.string(2)?, json, row.int_opt(4)?, row.int(5)?, row.bytes(6)?.to_vec()))
        }).await?
    });
    let expected = (
        (id(1), sha256(9)),
        Role::Viewer,
        "l1".to_owned(),
        serde_json::json!(["a", 1]),
        Some(i64::MIN),
        i64::MAX,
        vec![9; 32],
    );
    assert_eq!(full, Some(expected));

    let bare = look!(store, tx => {
        tx.rows(&SHOW, &[(&id(2)).into()], |row| {
            let absent = (row.int_opt(4)?, row.bytes_opt(6)?.map(<[u8]>::to_vec));
            Ok((row.text(1)?.to_owned(), row.text_opt(3)?.map(str::to_owned), row.string_opt(3)?, absent, row.int(5)?))
        }).await?
    });
    let name = || Some("電池€😀".to_owned());
    assert_eq!(bare, [(String::new(), name(), name(), (None, None), 1)]);
}

pub async fn a_column_of_another_type_is_an_error(place: &Place) {
    let store = two_rows(place).await;
    // What the row holds is refused where it does not fit, and never made to fit.
    look!(store, tx => {
        tx.row(&SHOW, &[(&id(2)).into()], |row| {
            let refused = [
                row.int(4).is_err(),
                row.int(1).is_err(),
                row.text(5).is_err(),
                row.string(6).is_err(),
                row.bytes(6).is_err(),
                row.bytes(1).is_err(),
                row.fixed::<Sha256>(0).is_err(),
                row.word::<Role>(3).is_err(),
                row.json::<serde_json::Value>(3).is_err(),
                row.int(99).is_err(),
            ];
            assert_eq!(refused, [true; 10]);
            Ok(())
        }).await?
    });
}

pub async fn a_statement_tells_how_many_rows_it_changed(place: &Place) {
    let store = two_rows(place).await;
    let (renamed, none, gone, concurrent) = commit!(store, tx => {
        let renamed = tx.execute(&RENAME, &["x".into(), 0.into()]).await?;
        let none = tx.row(&SHOW, &[(&id(3)).into()], |row| row.string(1)).await?;
        (renamed, none, tx.execute(&GO, &[]).await?, tx.is_concurrent())
    });
    assert_eq!((renamed, none, gone, concurrent), (2, None, 2, place.is_shared()));

    // Put together at run time; and SQLite has nobody to lock out.
    let found = commit!(store, tx => {
        let locking = Statement::composed("TEST", format!("SELECT name FROM tenants WHERE id = $1 {}", "FOR UPDATE"));
        tx.rows(&locking, &[(&id(1)).into()], |row| row.string(0)).await?
    });
    assert_eq!(found, ["a"]);

    let twice = store
        .write(|tx| {
            Box::pin(async move {
                tx.execute(&TENANT, &[(&id(1)).into()]).await?;
                Ok::<_, StoreError>(())
            })
        })
        .await;
    assert!(matches!(twice, Err(StoreError::Unexpected(_))), "{twice:?}");
}
