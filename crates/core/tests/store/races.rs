//! The same thing done several times at once, from two copies of the server: as often as it may be, and never a fault of ours.

use futures::future::BoxFuture;
use otaru_core::app::{AuthError, Error, Expected, NewModule, NewObject, Noun, PackageChange, Secret};
use otaru_core::store::packages::{self, Import};
use otaru_model::Package;

use crate::nouns;
use crate::place::{KEY_ID, Place, SECRET};
use crate::town::{ROUNDS, Town, create_product, new_module, new_package, together, with_claim};

pub async fn of_several_bootstraps_one_makes_the_first_key(place: &Place) {
    let apps = [place.app().await, place.app().await];
    let starts = (0..6).map(|turn| -> BoxFuture<'static, _> {
        let app = apps[turn % 2].clone();
        Box::pin(async move { app.bootstrap(Some((format!("key{turn}"), Secret::new(SECRET)))).await })
    });
    let made: Vec<_> = together(starts.collect()).await.into_iter().filter_map(|made| made.unwrap()).collect();
    assert_eq!(made.len(), 1);
    let key_id = &made[0].key.key.id;
    let owner = apps[0].check_secret(key_id, SECRET).await.unwrap();
    assert_eq!(apps[1].list_keys(&owner).await.unwrap().len(), 1);
    assert_eq!(apps[1].list_tenants(&owner).await.unwrap().len(), 1);
}

pub async fn of_several_creations_with_one_claim_one_wins(place: &Place) {
    let town = Town::open(place).await;
    let product = town.product("meter").await;
    for round in 0..ROUNDS {
        let name = format!("name {round}");
        let tasks = town.on_copies(4, |app, owner, turn| {
            let new = with_claim(new_package(&product, "firmware", &format!("{round}.{turn}")), &name);
            async move { app.create_package(&owner, new).await }
        });
        let outcomes = together(tasks).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        let taken = |outcome: &&Result<_, _>| matches!(outcome, Err(Error::Taken { field: "name", .. }));
        assert_eq!(outcomes.iter().filter(taken).count(), 3, "{outcomes:?}");
        assert_eq!(town.packages().await.len(), round + 1);
    }
}

pub async fn names_that_are_swapped_at_the_same_time_do_not_break_anything(place: &Place) {
    let town = Town::open(place).await;
    let product = town.product("meter").await;
    let mut ids = Vec::new();
    for name in ["a", "b"] {
        let new = with_claim(new_package(&product, "firmware", name), name);
        ids.push(town.copies[0].create_package(&town.owner, new).await.unwrap().id);
    }
    for _ in 0..ROUNDS {
        let tasks = town.on_copies(2, |app, owner, turn| {
            let id = ids[turn];
            async move {
                let name = app.show_package(&owner, &id).await.unwrap().name.unwrap();
                let other = if name == "a" { "b" } else { "a" };
                let change = PackageChange {
                    name: Some(other.to_owned()),
                    name_claim: Some("name"),
                    ..PackageChange::default()
                };
                app.update_package(&owner, &id, change).await
            }
        });
        for outcome in together(tasks).await {
            // Each waits for the other's name: who is told to try again can do that.
            assert!(matches!(outcome, Ok(_) | Err(Error::Taken { .. } | Error::Unavailable(_))), "{outcome:?}");
        }
        let names: Vec<_> = town.packages().await.into_iter().map(|package| package.name).collect();
        assert_ne!(names[0], names[1]);
    }
}

pub async fn a_refresh_token_is_good_for_one_of_several_uses(place: &Place) {
    let town = Town::open(place).await;
    for overlapping in [false, true].repeat(ROUNDS / 2) {
        let session = town.copies[0].sign_in(KEY_ID, SECRET, 60, overlapping).await.unwrap();
        let tasks = town.on_copies(4, |app, _, _| {
            let token = session.refresh_token.clone();
            async move { app.refresh_session(KEY_ID, SECRET, &token, 60, overlapping).await }
        });
        let outcomes = together(tasks).await;
        let new: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
        let refused = outcomes.iter().filter(|outcome| matches!(outcome, Err(AuthError::BadToken))).count();
        assert_eq!((new.len(), refused), (1, 3), "{outcomes:?}");
        assert!(town.copies[1].session_caller(&new[0].access_token).await.is_ok());
    }
}

pub async fn of_several_sign_ins_one_token_is_valid_afterwards(place: &Place) {
    let town = Town::open(place).await;
    for _ in 0..ROUNDS {
        let tasks = town.on_copies(4, |app, _, _| async move { app.sign_in(KEY_ID, SECRET, 60, false).await });
        let mut valid = 0;
        for session in together(tasks).await {
            let token = session.unwrap().access_token;
            valid += usize::from(town.copies[0].session_caller(&token).await.is_ok());
        }
        assert_eq!(valid, 1, "only the newest token is valid");
    }
}

pub async fn a_nonce_is_good_for_one_of_several_uses(place: &Place) {
    let town = Town::open(place).await;
    for round in 0..ROUNDS {
        let tasks = town.on_copies(4, |app, owner, _| {
            let caller = owner.once(format!("nonce {round}"), i64::MAX);
            async move { app.create_space(&caller, "a space", None).await }
        });
        let outcomes = together(tasks).await;
        let replayed = outcomes.iter().filter(|outcome| matches!(outcome, Err(Error::Replayed))).count();
        assert_eq!((outcomes.iter().filter(|outcome| outcome.is_ok()).count(), replayed), (1, 3), "{outcomes:?}");
        assert_eq!(town.copies[0].list_spaces(&town.owner).await.unwrap().len(), round + 2);
    }
}

pub async fn caps_hold_when_many_create_at_once(place: &Place) {
    const CAP: u64 = 5;
    let town = Town::open(place).await;
    let product = town.product("meter").await;
    let tasks = town.on_copies(12, |app, owner, turn| {
        let mut new = new_package(&product, "firmware", &turn.to_string());
        new.rules.max_packages = Some(CAP);
        async move { app.create_package(&owner, new).await.map(drop) }
    });
    let modules = town.on_copies(12, |app, owner, turn| {
        let new = NewModule { max_per_product: Some(CAP), ..new_module(&product, &format!("radio{turn}")) };
        async move { app.create_module(&owner, new).await.map(drop) }
    });
    for (tasks, wanted) in [(tasks, Noun::Package), (modules, Noun::Module)] {
        let outcomes = together(tasks).await;
        let refused = |outcome: &&Result<(), Error>| matches!(outcome, Err(Error::LimitReached { noun, limit: CAP }) if *noun == wanted);
        let made = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!((made, outcomes.iter().filter(refused).count()), (5, 7), "{outcomes:?}");
    }
    assert_eq!(town.packages().await.len(), 5);
}

pub async fn of_several_conditional_puts_one_wins(place: &Place) {
    let town = Town::open(place).await;
    let mut expected = Expected::Nothing;
    for round in 0..ROUNDS {
        let tasks = town.on_copies(4, |app, owner, turn| {
            let (bucket, key) = ("abc".to_owned(), "one".to_owned());
            let new = NewObject { bucket, key, expected: expected.clone(), ..NewObject::default() };
            async move {
                let mut writing = app.begin_writing(&owner, "abc").await.unwrap();
                writing.write(bytes::Bytes::from(format!("{round} {turn}"))).await.unwrap();
                writing.finish_object(new).await
            }
        });
        let outcomes = together(tasks).await;
        let done: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
        let refused = outcomes.iter().filter(|outcome| matches!(outcome, Err(Error::Exists { .. }))).count();
        assert_eq!((done.len(), refused), (1, 3), "{outcomes:?}");
        let stored = town.copies[0].show_object(&town.owner, "abc", "one").await.unwrap();
        assert_eq!(&stored, done[0]);
        expected = Expected::Etag(stored.etag);
    }
}

pub async fn product_names_of_one_door_stay_unique(place: &Place) {
    let town = Town::open(place).await;
    for round in 0..ROUNDS {
        let tasks = town.on_copies(4, |app, owner, _| {
            let name = format!("meter {round}");
            async move { create_product(app, owner, &name, None, true).await }
        });
        let outcomes = together(tasks).await;
        let refused = outcomes.iter().filter(|outcome| matches!(outcome, Err(Error::Exists { .. }))).count();
        assert_eq!((outcomes.iter().filter(|outcome| outcome.is_ok()).count(), refused), (1, 3), "{outcomes:?}");
    }
}

pub async fn an_import_is_taken_by_one_copy(place: &Place) {
    const PACKAGES: u64 = 20;
    let stores = [nouns::town(place).await, place.store().await];
    commit!(stores[0], tx => {
        for number in 0..PACKAGES {
            let product = nouns::product(101, 11);
            let new = Package { files: Vec::new(), ..nouns::package(1000 + number, 1, &product, "firmware") };
            packages::insert(tx, &new, &nouns::id(11)).await?;
            for position in 0..2 {
                let (region, bucket, key) = ("far".to_owned(), "abc".to_owned(), "k".to_owned());
                let import = Import { package: new.id, position, region, bucket, key, etag: None, size_bytes: 1 };
                packages::add_import(tx, &import).await?;
            }
        }
    });
    let tasks = (0..6).map(|turn| -> BoxFuture<'static, Vec<Import>> {
        let store = stores[turn % 2].clone();
        Box::pin(async move {
            let mut taken = Vec::new();
            for _ in 0..PACKAGES {
                taken.extend(commit!(store, tx => packages::claim_imports(tx, 1, 100).await?));
            }
            taken
        })
    });
    let mut taken: Vec<_> = together(tasks.collect()).await.concat();
    taken.sort_by_key(|import| (import.package, import.position));
    let files: Vec<_> = taken.iter().map(|import| (import.package, import.position)).collect();
    let each_once: Vec<_> = (0..PACKAGES).flat_map(|number| [0, 1].map(|at| (nouns::id(1000 + number), at))).collect();
    assert_eq!(files, each_once);
}
