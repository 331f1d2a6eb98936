//! How the database itself is: its clock, its pages, its connections.

use otaru_core::clock::Clock;
use otaru_core::store::{Statement, StoreError, health};

use crate::place::Place;

pub async fn the_databases_clock_is_told(place: &Place) {
    let store = place.store().await;
    let theirs_ms = look!(store, tx => health::clock_ms(tx).await?);
    let apart_ms = (theirs_ms - Clock::system().now_ms()).abs();
    assert!(apart_ms < 60_000, "{apart_ms} ms apart on one machine");
}

pub async fn a_sound_database_has_no_damage(place: &Place) {
    let store = place.store().await;
    assert_eq!(look!(store, tx => health::damage(tx).await?), [""; 0]);
}

pub async fn a_pool_tells_what_its_connections_do(place: &Place) {
    static NAMED: Statement = Statement::named("NAMED", "SELECT 1");
    assert_eq!(NAMED.name(), "NAMED");
    let store = place.store().await;
    look!(store, tx => tx.execute(&NAMED, &[]).await?);
    let Some(before) = store.connections() else {
        assert!(!store.is_shared(), "what is shared has a pool");
        return;
    };
    assert!(before.busy == 0 && before.idle >= 1 && before.waiting == 0, "{before:?}");
    let inside = store.clone();
    let within = store
        .write(move |_| Box::pin(async move { Ok::<_, StoreError>(inside.connections()) }))
        .await
        .expect("the transaction goes through");
    assert_eq!(within.map(|it| it.busy), Some(1));
}
