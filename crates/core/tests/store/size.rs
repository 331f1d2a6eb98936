//! PostgreSQL as an operator runs it: over TLS, behind broken connections, and with transactions that get into each other's way.

use std::fs;
use std::path::Path;
use std::time::Duration;

use otaru_core::store::{Statement, Store, StoreError, Value};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::postgres;

/// An authority of the test's own, and what it vouches for.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "the test's own authority");
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { pem, issuer: Issuer::new(params, key) }
    }

    /// Certificate and key for a name.
    fn vouch(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// Whether the connection is encrypted, and whether it showed a certificate.
async fn tls(url: &str) -> Result<(i64, i64), StoreError> {
    static TLS: Statement = Statement::new(
        "SELECT ssl::int::bigint, (client_dn IS NOT NULL)::int::bigint FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    );
    let store = Store::connect(url)?;
    let seen =
        store.read(|tx| Box::pin(async move { tx.row(&TLS, &[], |row| Ok((row.int(0)?, row.int(1)?))).await })).await?;
    Ok(seen.unwrap())
}

#[tokio::test]
async fn tls_is_as_sure_of_its_server_as_the_address_asks() {
    let (ours, other) = (Authority::new(), Authority::new());
    let (certificate, key) = ours.vouch("localhost");
    let server = postgres::with_tls(&certificate, &key, &ours.pem);
    let url = server.database();
    let named = url.replace("127.0.0.1", "localhost");
    let folder = tempfile::tempdir().unwrap();
    let ca = file(folder.path(), "ca.pem", &ours.pem);
    let other_ca = file(folder.path(), "other.pem", &other.pem);
    let (client, client_key) = ours.vouch("otaru");
    let (client, client_key) =
        (file(folder.path(), "client.pem", &client), file(folder.path(), "client.key", &client_key));

    for (url, options, encrypted) in [
        (&url, "sslmode=disable".to_owned(), 0),
        (&url, "sslmode=prefer".to_owned(), 1),
        (&url, "application_name=x".to_owned(), 1),
        (&url, "sslmode=require".to_owned(), 1),
        (&url, format!("sslmode=verify-ca&sslrootcert={ca}"), 1),
        (&named, format!("sslmode=verify-full&sslrootcert={ca}"), 1),
    ] {
        assert_eq!(tls(&format!("{url}?{options}")).await.expect(&options), (encrypted, 0), "{options}");
    }
    let with_certificate = format!("{named}?sslmode=verify-full&sslrootcert={ca}&sslcert={client}&sslkey={client_key}");
    assert_eq!(tls(&with_certificate).await.unwrap(), (1, 1));

    for (url, options) in [
        (&url, format!("sslmode=verify-full&sslrootcert={ca}")),
        (&named, format!("sslmode=verify-full&sslrootcert={other_ca}")),
        (&named, format!("sslmode=verify-ca&sslrootcert={other_ca}")),
        (&named, format!("sslmode=require&sslrootcert={other_ca}")),
        (&named, "sslmode=verify-full&sslrootcert=system".to_owned()),
    ] {
        let refused = tls(&format!("{url}?{options}")).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{options}: {refused:?}");
    }
    // A server without TLS is no server for whoever requires it.
    let plain = postgres::shared().database();
    assert_eq!(tls(&format!("{plain}?sslmode=prefer")).await.unwrap(), (0, 0));
    assert!(tls(&format!("{plain}?sslmode=require")).await.is_err());
}

#[tokio::test]
async fn connections_that_the_server_ended_are_replaced_unseen() {
    static ENDS: Statement = Statement::new(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() \
         AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
    );
    let url = postgres::shared().database();
    let store = Store::open(&format!("{url}?max_connections=4")).await.unwrap();
    let executioner = Store::connect(&url).unwrap();
    for _ in 0..5 {
        store.ping(Duration::from_secs(5)).await.unwrap();
        let ended =
            executioner.read(|tx| Box::pin(async move { tx.row(&ENDS, &[], |row| row.int(0)).await })).await.unwrap();
        assert!(ended >= Some(1));
        store.ping(Duration::from_secs(5)).await.unwrap();
        put(&store, "a", 1).await.unwrap();
    }
}

async fn put(store: &Store, name: &'static str, number: i64) -> Result<u64, StoreError> {
    static PUT: Statement = Statement::new(
        "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2",
    );
    let text = number.to_string();
    store
        .write(move |tx| Box::pin(async move { tx.execute(&PUT, &[Value::Text(name), Value::Text(&text)]).await }))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_costs_a_new_attempt_and_nothing_else() {
    static ADD: Statement = Statement::new("UPDATE settings SET value = ((value::bigint) + 1)::text WHERE name = $1");
    let store = Store::open(&postgres::shared().database()).await.unwrap();
    put(&store, "a", 0).await.unwrap();
    put(&store, "b", 0).await.unwrap();
    let rounds = 10;
    let crossing = |first: &'static str, second: &'static str| {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..rounds {
                let verb = store.write(move |tx| {
                    Box::pin(async move {
                        tx.execute(&ADD, &[Value::Text(first)]).await?;
                        tokio::time::sleep(Duration::from_millis(10)).await;
                        tx.execute(&ADD, &[Value::Text(second)]).await?;
                        Ok::<_, StoreError>(())
                    })
                });
                verb.await.unwrap();
            }
        })
    };
    let (one, other) = (crossing("a", "b"), crossing("b", "a"));
    one.await.unwrap();
    other.await.unwrap();
    static SUM: Statement = Statement::new("SELECT sum(value::bigint)::bigint FROM settings WHERE name IN ('a', 'b')");
    let sum = store.read(|tx| Box::pin(async move { tx.row(&SUM, &[], |row| row.int(0)).await })).await.unwrap();
    assert_eq!(sum, Some(4 * rounds), "each went through exactly once");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_told_within_the_timeout() {
    let begun = std::time::Instant::now();
    // 192.0.2.0/24 is for documents: nobody answers there.
    let refused = Store::open("postgres://u@192.0.2.1/d?connect_timeout=1").await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}
