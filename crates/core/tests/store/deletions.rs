//! What is deleted while something else begins to need it: one of the two wins, and nothing is left half done.

use otaru_core::app::{ModuleQuery, Noun, PackageQuery};
use otaru_core::store::{objects, packages};
use otaru_model::{Bucket, Kinds, ModuleKind, ModuleName, Page};

use crate::nouns;
use crate::place::Place;
use crate::town::{ROUNDS, Town, both, create_product, is_in_use, is_not_found, new_module, new_package, together};

pub async fn a_package_and_the_deletion_of_its_product_exclude_each_other(place: &Place) {
    let town = Town::open(place).await;
    let mut kept = 0;
    for round in 0..ROUNDS {
        let product = town.product(&format!("meter {round}")).await;
        let ([one, other], owner, new) =
            (town.copies.clone(), town.owner.clone(), new_package(&product, "firmware", "1"));
        let (first, second) = (owner.clone(), owner.clone());
        let (created, deleted) = both(async move { one.create_package(&first, new).await }, async move {
            other.delete_product(&second, &product).await
        })
        .await;
        let created_first = created.is_ok() && is_in_use(&deleted, Noun::Product);
        let deleted_first = deleted.is_ok() && is_not_found(&created, Noun::Product);
        assert!(created_first || deleted_first, "{created:?} {deleted:?}");
        kept += usize::from(created_first);
        assert_eq!(town.packages().await.len(), kept);
    }
}

pub async fn a_package_and_the_deletion_of_its_module_exclude_each_other(place: &Place) {
    let town = Town::open(place).await;
    let product = town.product("meter").await;
    for round in 0..ROUNDS {
        let module = format!("radio{round}");
        town.copies[0].create_module(&town.owner, new_module(&product, &module)).await.unwrap();
        let ([one, other], owner, new) = (town.copies.clone(), town.owner.clone(), new_package(&product, &module, "1"));
        let (first, second) = (owner.clone(), owner);
        let (of, name) = (product.clone(), ModuleName::new(&module).unwrap());
        let (created, deleted) = both(async move { one.create_package(&first, new).await }, async move {
            other.delete_module_by_name(&second, &of, &name).await
        })
        .await;
        let created_first = created.is_ok() && is_in_use(&deleted, Noun::Module);
        let deleted_first = deleted.is_ok() && is_not_found(&created, Noun::Module);
        assert!(created_first || deleted_first, "{created:?} {deleted:?}");
    }
}

pub async fn a_module_and_the_deletion_of_its_product_exclude_each_other(place: &Place) {
    let town = Town::open(place).await;
    for round in 0..ROUNDS {
        let product = town.product(&format!("meter {round}")).await;
        let ([one, other], owner, new) = (town.copies.clone(), town.owner.clone(), new_module(&product, "radio"));
        let (first, second) = (owner.clone(), owner);
        let (created, deleted) = both(async move { one.create_module(&first, new).await }, async move {
            other.delete_product(&second, &product).await
        })
        .await;
        // A module alone does not keep its product: it goes with it.
        assert!(
            deleted.is_ok() && (created.is_ok() || is_not_found(&created, Noun::Product)),
            "{created:?} {deleted:?}"
        );
        let query = ModuleQuery { space_code: None, product_code: None, page: Page::first(10) };
        assert_eq!(town.copies[0].list_modules(&town.owner, query).await.unwrap().total, 0);
    }
}

pub async fn a_product_and_the_deletion_of_its_space_exclude_each_other(place: &Place) {
    let town = Town::open(place).await;
    for round in 0..ROUNDS {
        let code = format!("space{round}");
        town.copies[0].create_space(&town.owner, "a space", Some(&code)).await.unwrap();
        let ([one, other], first, second) = (town.copies.clone(), town.owner.clone(), town.owner.clone());
        let named = Some(code.clone());
        let (created, deleted) =
            both(async move { create_product(one, first, "meter", named, false).await }, async move {
                other.delete_space(&second, &code).await
            })
            .await;
        let created_first = created.is_ok() && is_in_use(&deleted, Noun::Space);
        let deleted_first = deleted.is_ok() && is_not_found(&created, Noun::Space);
        assert!(created_first || deleted_first, "{created:?} {deleted:?}");
    }
}

pub async fn an_object_and_the_deletion_of_its_bucket_exclude_each_other(place: &Place) {
    let town = Town::open(place).await;
    for round in 0..ROUNDS {
        let bucket = format!("bucket{round}");
        town.copies[0].create_bucket(&town.owner, &bucket, "").await.unwrap();
        let ([one, other], first, second) = (town.copies.clone(), town.owner.clone(), town.owner.clone());
        let into = bucket.clone();
        let (put, deleted) =
            both(async move { one.copy_object(&first, ("abc", "k"), (&into, "k"), None).await }, async move {
                other.delete_bucket(&second, &bucket).await
            })
            .await;
        let put_first = put.is_ok() && is_in_use(&deleted, Noun::Bucket);
        let deleted_first = deleted.is_ok() && is_not_found(&put, Noun::Bucket);
        assert!(put_first || deleted_first, "{put:?} {deleted:?}");
    }
}

pub async fn of_several_deletions_of_a_package_one_finds_it(place: &Place) {
    let town = Town::open(place).await;
    let product = town.product("meter").await;
    for _ in 0..ROUNDS {
        let package = town.copies[0].create_package(&town.owner, new_package(&product, "firmware", "1")).await.unwrap();
        let tasks = town.on_copies(4, |app, owner, _| async move { app.delete_package(&owner, &package.id).await });
        let outcomes = together(tasks).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        assert_eq!(outcomes.iter().filter(|outcome| is_not_found(outcome, Noun::Package)).count(), 3, "{outcomes:?}");
        assert_eq!(town.packages().await.len(), 0);
    }
}

pub async fn bytes_on_their_way_from_an_object_into_a_package_stay_in_use(place: &Place) {
    let (store, is_shared) = (nouns::town(place).await, place.is_shared());
    commit!(store, tx => {
        let bucket = Bucket { name: "abc".to_owned(), region: String::new(), created_ms: 1 };
        objects::create_bucket(tx, &nouns::id(1), &bucket).await?;
        objects::put(tx, &nouns::id(1), &nouns::object("abc", "k", 1)).await?;
    });
    let (found, mut is_found) = tokio::sync::mpsc::unbounded_channel();
    let creation = {
        let store = store.clone();
        tokio::spawn(async move {
            commit!(store, tx => {
                let object = objects::get_and_hold(tx, &nouns::id(1), "abc", "k").await?;
                found.send(object.is_some()).unwrap();
                if is_shared {
                    // The deletion comes now, and has to wait.
                    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
                }
                let new = nouns::package(1000, 1, &nouns::product(101, 11), "firmware");
                packages::insert(tx, &new, &nouns::id(11)).await?;
            });
        })
    };
    assert_eq!(is_found.recv().await, Some(true));
    assert!(commit!(store, tx => objects::delete(tx, &nouns::id(1), "abc", "k").await?));
    let in_use = look!(store, tx => packages::blob_in_use(tx, &nouns::sha256(1)).await?);
    assert!(in_use, "at no time does nobody refer to the bytes");
    creation.await.unwrap();
}

pub async fn totals_are_exact_after_many_creations_and_deletions_at_once(place: &Place) {
    let town = Town::open(place).await;
    let products = [town.product("a").await, town.product("b").await];
    town.copies[0].create_module(&town.owner, new_module(&products[0], "radio")).await.unwrap();
    let tasks = town.on_copies(8, |app, owner, turn| {
        let products = products.clone();
        async move {
            for number in 0..8 {
                let (product, module) = match (turn + number) % 4 {
                    0 => (&products[0], "radio"),
                    1 => (&products[1], "software"),
                    _ => (&products[number % 2], "firmware"),
                };
                let new = new_package(product, module, &format!("{turn}.{number}"));
                let package = app.create_package(&owner, new).await.unwrap();
                if number % 3 != 0 {
                    app.delete_package(&owner, &package.id).await.unwrap();
                }
            }
        }
    });
    together(tasks).await;
    assert_eq!(town.packages().await.len(), 8 * 3);
    for product in [None, Some(&products[0]), Some(&products[1])] {
        for kinds in [
            Kinds::All,
            Kinds::BuiltIn,
            Kinds::One(ModuleKind::Firmware),
            Kinds::One(ModuleKind::Software),
            Kinds::One(ModuleKind::Other),
        ] {
            let query = PackageQuery { product: product.cloned(), kinds, ..PackageQuery::all(Page::first(1000)) };
            let page = town.copies[0].list_packages(&town.owner, query).await.unwrap();
            assert_eq!(page.items.len() as u64, page.total, "{product:?} {kinds:?}");
        }
    }
}
