//! Products, modules, packages and their totals.

use otaru_core::store::counts::{self, Scope};
use otaru_core::store::modules::{self, ModuleFilter};
use otaru_core::store::packages::{self, Import};
use otaru_core::store::products::{self, ProductFilter};
use otaru_core::store::{StoreError, package_lists, settings};
use otaru_model::{
    DeviceKind, Id, Integrity, Kinds, Module, ModuleKind, ModuleName, Package, PackageFilter, PackageKind, Page,
    Product, ProductDraft, Verification,
};

use crate::nouns::{extra, file, id, module, package, product, sha256, text, town};
use crate::place::Place;

pub async fn a_product_is_found_by_code_and_key_in_its_tenant_only(place: &Place) {
    let store = town(place).await;
    let taken = commit!(store, tx => {
        let same_code = Product { code: "product101".to_owned(), ..product(105, 11) };
        let same_key = Product { key: "key00000201".to_owned(), ..product(106, 11) };
        [
            products::insert(tx, &id(1), &same_code).await?,
            products::insert(tx, &id(1), &same_key).await?,
            products::insert(tx, &id(2), &Product { space: id(21), ..same_code }).await?,
        ]
    });
    assert_eq!(taken, [false, false, true], "codes are unique in a tenant, keys everywhere");

    let found = look!(store, tx => [
        products::by_code(tx, &id(1), "product101").await?,
        products::by_code(tx, &id(2), "product102").await?,
        products::by_code(tx, &id(1), "PRODUCT101").await?,
        products::by_key(tx, &id(1), "key00000101").await?,
        products::by_key(tx, &id(2), "key00000101").await?,
    ]);
    assert_eq!(found, [Some(product(101, 11)), None, None, Some(product(101, 11)), None]);
}

pub async fn products_are_listed_by_space_and_name(place: &Place) {
    let store = town(place).await;
    let list = async |space: &str, name: &str, page: Page| {
        let filter = ProductFilter { space_code: space.to_owned(), name: name.to_owned() };
        let page = look!(store, tx => products::list(tx, &id(1), &filter, page).await?);
        (page.items.iter().map(|product| product.code.clone()).collect::<Vec<_>>(), page.total)
    };
    let all = Page::first(10);
    assert_eq!(list("", "", all).await, (["product103", "product102", "product101"].map(str::to_owned).to_vec(), 3));
    assert_eq!(list("space11", "", all).await, (["product102", "product101"].map(str::to_owned).to_vec(), 2));
    assert_eq!(list("space12", "Product 103", all).await, (vec!["product103".to_owned()], 1));
    assert_eq!(list("space12", "Product 101", all).await, (vec![], 0));
    assert_eq!(list("", "", Page { before: id(103), skip: 1, limit: 1 }).await, (vec!["product101".to_owned()], 3));

    let taken = look!(store, tx => [
        products::name_taken(tx, &id(1), "Product 101", "test").await?,
        products::name_taken(tx, &id(1), "Product 101", "another").await?,
        products::name_taken(tx, &id(2), "Product 101", "test").await?,
    ]);
    assert_eq!(taken, [true, false, false]);
}

pub async fn products_are_listed_by_the_label_that_their_door_gave_them(place: &Place) {
    let store = town(place).await;
    commit!(store, tx => {
        products::set_label(tx, &id(101), "special").await?;
        products::set_label(tx, &id(201), "special").await?
    });
    let list = async |label: &str, page: Page| {
        let label = label.to_owned();
        let page = look!(store, tx => products::list_label(tx, &id(1), &label, page).await?);
        (page.items.iter().map(|product| product.code.clone()).collect::<Vec<_>>(), page.total)
    };
    assert_eq!(list("special", Page::first(10)).await, (vec!["product101".to_owned()], 1));
    assert_eq!(list("", Page::first(1)).await, (vec!["product103".to_owned()], 2));
    assert_eq!(list("", Page { before: id(103), skip: 0, limit: 9 }).await, (vec!["product102".to_owned()], 2));
    assert_eq!(list("", Page { before: Id::MAX, skip: 2, limit: 9 }).await, (vec![], 2));
    assert_eq!(list("other", Page::first(10)).await, (vec![], 0));
}

pub async fn a_product_changes_and_goes_once_it_has_no_packages(place: &Place) {
    let store = town(place).await;
    let draft = ProductDraft {
        name: "電池".to_owned(),
        device_type: text("WaterMeter"),
        model: text("WM-3"),
        manufacturer: text("Sluice"),
        protocol: text("MQTT"),
        description: text(""),
        extra: extra("unchanged"),
    };
    let new = draft.clone();
    let updated = commit!(store, tx => [
        products::update(tx, &id(2), &id(101), &new, 500).await?,
        products::update(tx, &id(1), &id(101), &new, 500).await?,
    ]);
    assert_eq!(updated, [false, true]);
    let found = look!(store, tx => products::by_code(tx, &id(1), "product101").await?);
    assert_eq!(found, Some(Product { draft, updated_ms: 500, ..product(101, 11) }));

    let (held, deleted) = commit!(store, tx => {
        packages::insert(tx, &package(1000, 1, &product(101, 11), "firmware"), &id(11)).await?;
        let held = [products::hold(tx, &id(101)).await?, products::hold(tx, &id(999)).await?];
        let with_package = products::delete(tx, &id(1), &id(101)).await?;
        (held, [with_package, products::delete(tx, &id(2), &id(102)).await?, products::delete(tx, &id(1), &id(102)).await?])
    });
    assert_eq!((held, deleted), ([true, false], [false, false, true]));
}

pub async fn a_module_is_found_by_id_and_by_name_in_any_letter_case(place: &Place) {
    let store = town(place).await;
    let owner = product(101, 11);
    let radio = Module { alias: text("Funk"), description: text("the radio"), ..module(300, &owner, "Radio") };
    let record = radio.clone();
    let (inserted, count) = commit!(store, tx => {
        let inserted = [
            modules::insert(tx, &id(1), &record).await?,
            modules::insert(tx, &id(1), &module(301, &product(101, 11), "RADIO")).await?,
            modules::insert(tx, &id(1), &module(302, &product(102, 11), "radio")).await?,
            modules::insert(tx, &id(1), &module(303, &product(999, 11), "radio")).await?,
        ];
        (inserted, modules::count_of_product(tx, &id(101)).await?)
    });
    assert_eq!((inserted, count), ([true, false, true, false], 1));

    let name = ModuleName::new("rAdIo").unwrap();
    let (by_id, of_another, by_name, none) = look!(store, tx => (
        modules::by_id(tx, &id(1), &id(300)).await?,
        modules::by_id(tx, &id(2), &id(300)).await?,
        modules::by_name(tx, &id(101), &name).await?,
        modules::by_name(tx, &id(103), &name).await?,
    ));
    assert_eq!((by_id, of_another, by_name, none), (Some(radio.clone()), None, Some(radio), None));

    let updated = commit!(store, tx => [
        modules::update(tx, &id(2), &id(300), &None, &None, 600).await?,
        modules::update(tx, &id(1), &id(300), &None, &text("neu"), 600).await?,
    ]);
    assert_eq!(updated, [false, true]);
    let found = look!(store, tx => modules::by_id(tx, &id(1), &id(300)).await?).unwrap();
    assert_eq!((found.alias, found.description, found.updated_ms), (None, text("neu"), 600));

    let held = commit!(store, tx => [
        modules::hold(tx, &id(300)).await?,
        modules::hold(tx, &id(999)).await?,
        modules::hold_alone(tx, &id(300)).await?,
        modules::hold_alone(tx, &id(999)).await?,
    ]);
    assert_eq!(held, [true, false, true, false]);
    for (space, product, expected) in
        [("", "", vec![id(302), id(300)]), ("space11", "product102", vec![id(302)]), ("space12", "", vec![])]
    {
        let filter = ModuleFilter { space_code: space.to_owned(), product_code: product.to_owned() };
        let page = look!(store, tx => modules::list(tx, &id(1), &filter, Page::first(10)).await?);
        assert_eq!(page.items.iter().map(|module| module.id).collect::<Vec<Id>>(), expected);
        assert_eq!(page.total, expected.len() as u64);
    }
    let deleted = commit!(store, tx => [
        modules::delete(tx, &id(2), &id(300)).await?,
        modules::delete(tx, &id(1), &id(300)).await?,
        modules::delete(tx, &id(1), &id(300)).await?,
    ]);
    assert_eq!(deleted, [false, true, false]);
}

pub async fn modules_go_with_their_product_unless_it_has_packages(place: &Place) {
    let store = town(place).await;
    let (in_use, counts) = commit!(store, tx => {
        for (number, of) in [(300, 101), (301, 102)] {
            modules::insert(tx, &id(1), &module(number, &product(of, 11), "radio")).await?;
        }
        packages::insert(tx, &package(1000, 1, &product(101, 11), "radio"), &id(11)).await?;
        let radio = module(300, &product(101, 11), "radio").name;
        let in_use = [modules::in_use(tx, &id(101), &radio).await?, modules::in_use(tx, &id(102), &radio).await?];
        modules::delete_of_product(tx, &id(101)).await?;
        modules::delete_of_product(tx, &id(102)).await?;
        (in_use, [modules::count_of_product(tx, &id(101)).await?, modules::count_of_product(tx, &id(102)).await?])
    });
    assert_eq!((in_use, counts), ([true, false], [1, 0]));
}

/// A package of which everything is said.
fn full_package() -> Package {
    let mut declared = file("b.bin", 2);
    (declared.declared_bytes, declared.declared_md5, declared.declared_sign) = (Some(7), text("md5"), text("sign"));
    Package {
        name: text("Überall"),
        description: text("a\nb"),
        custom_info: text("{}"),
        kind: PackageKind::Delta,
        source_versions: vec!["1.0".to_owned(), "1.1 \"beta\"".to_owned()],
        verification: Verification::Verifying,
        integrity: Integrity::Failed,
        integrity_note: text("b.bin: declared as 7 bytes"),
        files: vec![file("a.bin", 1), declared],
        device_kind: DeviceKind {
            device_type: text("WaterMeter"),
            model: text("WM-3"),
            manufacturer: text("Sluice"),
            protocol: text("CoAP"),
            date: text("2015-2-2 "),
        },
        extra: extra("unchanged"),
        updated_ms: 14,
        ..package(1000, 1, &product(103, 12), "firmware")
    }
}

pub async fn a_package_comes_back_as_it_was_put(place: &Place) {
    let store = town(place).await;
    let other = Package { files: Vec::new(), ..package(1001, 1, &product(101, 11), "software") };
    let (full, bare) = (full_package(), other.clone());
    commit!(store, tx => {
        packages::insert(tx, &full, &id(12)).await?;
        packages::insert(tx, &bare, &id(11)).await?;
    });
    let (first, second, none) = look!(store, tx => (
        packages::by_id(tx, &id(1000)).await?,
        packages::by_id(tx, &id(1001)).await?,
        packages::by_id(tx, &id(1002)).await?,
    ));
    assert_eq!((first, second, none), (Some(full_package()), Some(other), None));
}

pub async fn what_is_learnt_of_a_package_changes_and_the_rest_stays(place: &Place) {
    let store = town(place).await;
    let changed =
        Package { name: text("new"), description: None, custom_info: text("x"), updated_ms: 90, ..full_package() };
    let learnt = Package {
        files: vec![file("c.bin", 3)],
        integrity: Integrity::Ready,
        integrity_note: None,
        updated_ms: 95,
        ..changed.clone()
    };
    let (change, learn) = (Package { version: "not this".to_owned(), ..changed.clone() }, learnt.clone());
    let after_change = commit!(store, tx => {
        packages::insert(tx, &full_package(), &id(12)).await?;
        packages::update(tx, &change).await?;
        packages::by_id(tx, &id(1000)).await?
    });
    assert_eq!(after_change, Some(changed));
    let after_learning = commit!(store, tx => {
        packages::set_bytes(tx, &learn).await?;
        packages::by_id(tx, &id(1000)).await?
    });
    assert_eq!(after_learning, Some(learnt));
}

pub async fn a_claim_is_held_until_it_or_its_package_goes(place: &Place) {
    let store = town(place).await;
    let (claimed, held, freed) = commit!(store, tx => {
        let [first, second] = [1000, 1001].map(|number| package(number, 1, &product(101, 11), "firmware"));
        let other_door = Package { door: "another".to_owned(), ..package(1002, 1, &product(101, 11), "firmware") };
        let other_tenant = package(1003, 2, &product(201, 21), "firmware");
        for (package, space) in [(&first, 11), (&second, 11), (&other_door, 11), (&other_tenant, 21)] {
            packages::insert(tx, package, &id(space)).await?;
        }
        let claimed = [
            packages::claim(tx, &first, "name:a").await?,
            packages::claim(tx, &second, "name:a").await?,
            packages::claim(tx, &first, "name:a").await?,
            packages::claim(tx, &second, "name:b").await?,
            packages::claim(tx, &other_door, "name:a").await?,
            packages::claim(tx, &other_tenant, "name:a").await?,
        ];
        let held = [packages::claims(tx, &first.id).await?, packages::claims(tx, &id(1999)).await?];
        packages::unclaim(tx, &second.id, "name:a").await?;
        let still_held = packages::claim(tx, &second, "name:a").await?;
        packages::unclaim(tx, &first.id, "name:a").await?;
        let after_unclaim = packages::claim(tx, &second, "name:a").await?;
        packages::delete(tx, &second).await?;
        (claimed, held, [still_held, after_unclaim, packages::claim(tx, &first, "name:b").await?])
    });
    assert_eq!(claimed, [true, false, false, true, true, true]);
    assert_eq!(held, [vec!["name:a".to_owned()], Vec::new()]);
    assert_eq!(freed, [false, true, true]);
}

pub async fn totals_follow_every_change(place: &Place) {
    let store = town(place).await;
    let kinds = [
        Kinds::All,
        Kinds::BuiltIn,
        Kinds::One(ModuleKind::Firmware),
        Kinds::One(ModuleKind::Software),
        Kinds::One(ModuleKind::Other),
    ];
    let totals = async || {
        let mut totals = Vec::new();
        for scope in 0..4 {
            let mut row = [0; 5];
            for (count, kinds) in row.iter_mut().zip(kinds) {
                *count = look!(store, tx => {
                    let (tenant, space, product) = (id(1), id(11), id(101));
                    let scope = [Scope::Tenant(&tenant), Scope::Space(&space), Scope::Product(&product),
                        Scope::Door(&tenant, "test")][scope];
                    counts::total(tx, scope, kinds).await?
                });
            }
            totals.push(row);
        }
        totals
    };
    assert_eq!(totals().await, [[0; 5]; 4]);
    commit!(store, tx => {
        for (number, of, space, module) in [
            (1000, 101, 11, "firmware"),
            (1001, 101, 11, "firmware"),
            (1002, 101, 11, "software"),
            (1003, 102, 11, "radio"),
            (1004, 103, 12, "radio"),
        ] {
            packages::insert(tx, &package(number, 1, &product(of, space), module), &id(space)).await?;
        }
        packages::insert(tx, &package(1005, 2, &product(201, 21), "firmware"), &id(21)).await?;
    });
    // The packages of a door are counted for its cap, whatever their kind.
    assert_eq!(totals().await[..3], [[5, 3, 2, 1, 2], [4, 3, 2, 1, 1], [3, 3, 2, 1, 0]]);
    assert_eq!(totals().await[3][0], 5);
    for _ in 0..2 {
        let total = commit!(store, tx => counts::total_in_turn(tx, Scope::Door(&id(1), "test")).await?);
        assert_eq!(total, 5, "taking turns changes nothing");
    }

    let gone = commit!(store, tx => {
        let package = package(1001, 1, &product(101, 11), "firmware");
        [packages::delete(tx, &package).await?, packages::delete(tx, &package).await?]
    });
    assert_eq!(gone, [true, false]);
    assert_eq!(totals().await[..3], [[4, 2, 1, 1, 2], [3, 2, 1, 1, 1], [2, 2, 1, 1, 0]]);

    commit!(store, tx => counts::add(tx, &package(1007, 1, &product(103, 12), "firmware"), &id(12), 1).await?);
    assert_eq!(totals().await[..3], [[5, 3, 2, 1, 2], [3, 2, 1, 1, 1], [2, 2, 1, 1, 0]]);

    // Who changes totals and reads them in the same transaction reads what they will be.
    let within = commit!(store, tx => {
        let (here, gone) = (package(1008, 1, &product(103, 12), "firmware"), package(1007, 1, &product(103, 12), "firmware"));
        let mut seen = Vec::new();
        for (package, by) in [(&here, 1), (&here, 1), (&gone, -1)] {
            counts::add(tx, package, &id(12), by).await?;
            seen.push(counts::total(tx, Scope::Tenant(&id(1)), Kinds::All).await?);
            seen.push(package_lists::list(tx, &id(1), &PackageFilter::default(), Page::first(1), |package| package.to_package()).await?.total);
        }
        seen
    });
    assert_eq!(within, [6, 6, 7, 7, 6, 6]);
    assert_eq!(totals().await[0], [6, 4, 3, 1, 2]);
}

pub async fn imports_are_taken_one_package_at_a_time_until_they_end(place: &Place) {
    let store = town(place).await;
    let import = |package: u64, position: usize| Import {
        package: id(package),
        position,
        region: "far".to_owned(),
        bucket: "abc".to_owned(),
        key: "a/電池".to_owned(),
        etag: (position == 0).then(|| "etag".to_owned()),
        size_bytes: 1 << 40,
    };
    commit!(store, tx => {
        for number in [1000, 1001] {
            let new = Package { files: Vec::new(), ..package(number, 1, &product(101, 11), "firmware") };
            packages::insert(tx, &new, &id(11)).await?;
        }
        for (package, position) in [(1000, 0), (1000, 1), (1001, 0)] {
            packages::add_import(tx, &import(package, position)).await?;
        }
    });
    let claim = async |now_ms: i64| {
        let mut claimed = commit!(store, tx => packages::claim_imports(tx, now_ms, now_ms + 100).await?);
        claimed.sort_by_key(|import| import.position);
        claimed
    };
    assert_eq!(claim(1).await, [import(1000, 0), import(1000, 1)]);
    assert_eq!(claim(1).await, [import(1001, 0)]);
    assert_eq!(claim(1).await, []);
    commit!(store, tx => packages::end_import(tx, &id(1000), 0).await?);
    assert_eq!(claim(102).await, [import(1000, 1)], "what was not settled in time is anybody's again");
    commit!(store, tx => packages::end_import(tx, &id(1000), 1).await?);
    assert_eq!(claim(300).await, [import(1001, 0)]);
    let gone = commit!(store, tx => {
        packages::delete(tx, &package(1001, 1, &product(101, 11), "firmware")).await?;
        packages::claim_imports(tx, 900, 1000).await?
    });
    assert_eq!(gone, [], "an import goes with its package");
}

pub async fn the_newest_id_is_of_whatever_is_newest(place: &Place) {
    let empty = place.store().await;
    assert_eq!(look!(empty, tx => settings::newest_id(tx).await?), Id::MIN);
    let store = town(place).await;
    assert_eq!(look!(store, tx => settings::newest_id(tx).await?), id(201));
    commit!(store, tx => packages::insert(tx, &package(1000, 1, &product(101, 11), "firmware"), &id(11)).await?);
    assert_eq!(look!(store, tx => settings::newest_id(tx).await?), id(1000));

    // What refers to nothing is refused as a conflict: somebody else took it away.
    let orphan = store
        .write(|tx| {
            Box::pin(async move {
                let mut new = package(1001, 1, &product(999, 11), "firmware");
                new.files.push(file("b.bin", 2));
                packages::insert(tx, &new, &id(11)).await?;
                packages::add_blob(tx, &id(1001), 7, &sha256(3)).await
            })
        })
        .await;
    assert!(matches!(orphan, Err(StoreError::Conflict(_))), "{orphan:?}");
}
