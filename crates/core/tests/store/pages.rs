//! Pages: every record exactly once, and exact totals, whatever is filtered and however it is paged.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use otaru_core::store::modules::{self, ModuleFilter};
use otaru_core::store::products::{self, ProductFilter};
use otaru_core::store::{Store, package_lists, packages, spaces, tenants};
use otaru_model::{DeviceKind, Id, Kinds, ModuleKind, Package, PackageFilter, Page, PageOf, Product};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::nouns::{self, id, module, package, product, space, tenant};
use crate::place::Place;

/// Tries a property on inputs of the strategy. What it is tried on is in the database, so each case has a tenant of its own.
fn property<S: Strategy, F>(cases: u32, strategy: S, test: impl Fn(u64, S::Value) -> F)
where
    F: Future<Output = Result<(), TestCaseError>>,
{
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let number = AtomicU64::new(1);
    let runtime = tokio::runtime::Handle::current();
    let outcome = tokio::task::block_in_place(|| {
        runner.run(&strategy, |input| runtime.block_on(test(number.fetch_add(1, Ordering::Relaxed), input)))
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

/// Reads a whole list twice, by the last record's id and by page numbers, and compares it with what it must be.
async fn assert_lists<F, T>(
    expected: &[Id],
    size: u32,
    read: impl Fn(Page) -> F,
    id_of: fn(&T) -> Id,
) -> Result<(), TestCaseError>
where
    F: Future<Output = PageOf<T>>,
{
    let total = expected.len() as u64;
    let (mut by_id, mut page) = (Vec::new(), Page::first(size));
    loop {
        let found = read(page).await;
        prop_assert_eq!(found.total, total);
        let Some(last) = found.items.last() else { break };
        page.before = id_of(last);
        by_id.extend(found.items.iter().map(id_of));
    }
    prop_assert_eq!(&by_id, expected);
    let mut by_number = Vec::new();
    for number in 0..=total.div_ceil(u64::from(size)) {
        let found = read(Page::numbered(number, size)).await;
        prop_assert_eq!(found.total, total);
        by_number.extend(found.items.iter().map(id_of));
    }
    prop_assert_eq!(&by_number, expected);
    Ok(())
}

/// What a package is drawn from: its product, module, version, and what is said of the device.
#[derive(Clone, Debug)]
struct Drawn {
    product: usize,
    module: usize,
    version: u8,
    device: [u8; 3],
    is_deleted: bool,
}

const MODULES: [&str; 4] = ["firmware", "software", "radio", "gps"];

fn drawn() -> impl Strategy<Value = Drawn> {
    (0..3usize, 0..4usize, 0..3u8, [0..3u8, 0..3u8, 0..3u8], prop::bool::weighted(0.2)).prop_map(
        |(product, module, version, device, is_deleted)| Drawn { product, module, version, device, is_deleted },
    )
}

/// Space, product, kinds, version and device of a filter; the last value of each lets everything pass.
type DrawnFilter = (usize, usize, usize, u8, [u8; 3]);

fn drawn_filter() -> impl Strategy<Value = DrawnFilter> {
    (0..4usize, 0..5usize, 0..5usize, 0..5u8, [0..5u8, 0..5u8, 0..5u8])
}

/// A tenant with spaces A (products 0 and 1) and B (product 2).
async fn fresh_tenant(store: &Store, number: u64) -> (Id, [Id; 2], [Product; 3]) {
    let base = number * 10_000;
    let owner = tenant(base);
    let spaces_of = [base + 1, base + 2].map(|number| space(number, false));
    let products_of = [(base + 11, base + 1), (base + 12, base + 1), (base + 13, base + 2)].map(|(n, s)| product(n, s));
    let ids = (owner.id, [spaces_of[0].id, spaces_of[1].id], products_of.clone());
    commit!(store, tx => {
        tenants::insert(tx, &owner).await?;
        for space in &spaces_of {
            spaces::insert(tx, &owner.id, space).await?;
        }
        for product in &products_of {
            products::insert(tx, &owner.id, product).await?;
        }
    });
    ids
}

fn said(value: u8) -> Option<String> {
    (value < 2).then(|| format!("said {value}"))
}

pub async fn any_filter_lists_every_record_once_with_its_exact_total(place: &Place) {
    let store = place.store().await;
    let inputs = (prop::collection::vec(drawn(), 0..30), prop::collection::vec(drawn_filter(), 1..12), 1..8u32);
    property(24, inputs, |number, (drawn, filters, size)| {
        let store = store.clone();
        async move {
            let (owner, space_ids, products) = fresh_tenant(&store, number).await;
            let mut made: Vec<(Package, Id)> = Vec::new();
            for (at, drawn) in drawn.iter().enumerate() {
                let of = &products[drawn.product];
                let number = number * 10_000 + 100 + at as u64;
                let [device_type, model, manufacturer] = drawn.device.map(said);
                let package = Package {
                    tenant: owner,
                    version: format!("v{}", drawn.version),
                    device_kind: DeviceKind { device_type, model, manufacturer, ..DeviceKind::default() },
                    ..package(number, 0, of, MODULES[drawn.module])
                };
                made.push((package, space_ids[drawn.product / 2]));
            }
            for (package, space) in &made {
                let (package, space) = (package.clone(), *space);
                commit!(store, tx => packages::insert(tx, &package, &space).await?);
            }
            for ((package, _), _) in made.iter().zip(&drawn).filter(|(_, drawn)| drawn.is_deleted) {
                let package = package.clone();
                commit!(store, tx => packages::delete(tx, &package).await?);
            }
            let left: Vec<_> =
                made.iter().zip(&drawn).filter(|(_, drawn)| !drawn.is_deleted).map(|(made, _)| made).collect();
            for filter in filters {
                let filter = make_filter(filter, &space_ids, &products);
                let passes = |made: &&&(Package, Id)| passes(&made.0, made.1, &filter);
                let expected: Vec<Id> = left.iter().rev().filter(passes).map(|made| made.0.id).collect();
                let read = |page| {
                    let (store, filter) = (store.clone(), filter.clone());
                    async move {
                        look!(store, tx => package_lists::list(tx, &owner, &filter, page, |package| package.to_package()).await?)
                    }
                };
                assert_lists(&expected, size, read, |package: &Package| package.id).await?;
            }
            Ok(())
        }
    });
}

fn make_filter(
    (space, product, kinds, version, device): DrawnFilter,
    spaces: &[Id],
    products: &[Product],
) -> PackageFilter {
    const KINDS: [Kinds; 5] = [
        Kinds::One(ModuleKind::Firmware),
        Kinds::One(ModuleKind::Software),
        Kinds::One(ModuleKind::Other),
        Kinds::BuiltIn,
        Kinds::All,
    ];
    let [device_type, model, manufacturer] = device.map(said);
    PackageFilter {
        space: spaces.get(space).copied(),
        product: products.get(product).map(|product| product.id),
        kinds: KINDS[kinds],
        version: (version < 4).then(|| format!("v{version}")),
        device_type,
        model,
        manufacturer,
    }
}

/// The filter once more, as a person would say it.
fn passes(package: &Package, space: Id, filter: &PackageFilter) -> bool {
    let is = |wanted: &Option<String>, value: Option<&String>| wanted.is_none() || wanted.as_ref() == value;
    filter.space.is_none_or(|wanted| wanted == space)
        && filter.product.is_none_or(|wanted| wanted == package.product)
        && match filter.kinds {
            Kinds::All => true,
            Kinds::BuiltIn => package.module.is_built_in(),
            Kinds::One(kind) => package.module.kind() == kind,
        }
        && is(&filter.version, Some(&package.version))
        && is(&filter.device_type, package.device_kind.device_type.as_ref())
        && is(&filter.model, package.device_kind.model.as_ref())
        && is(&filter.manufacturer, package.device_kind.manufacturer.as_ref())
}

pub async fn products_and_modules_are_listed_once_with_their_exact_total(place: &Place) {
    let store = place.store().await;
    let inputs = (prop::collection::vec((0..2usize, 0..3usize), 0..25), 1..8u32);
    property(12, inputs, |number, (drawn, size)| {
        let store = store.clone();
        async move {
            let (owner, _, products_of) = fresh_tenant(&store, number).await;
            let base = number * 10_000;
            let mut made = Vec::new();
            for (at, (space, of)) in drawn.iter().enumerate() {
                let number = base + 100 + at as u64;
                let mut new = product(number, base + 1 + *space as u64);
                new.draft.name = format!("name {of}");
                let part = module(number, &products_of[*of], &format!("module{at}"));
                made.push((number, format!("space{}", base + 1 + *space as u64), *of));
                commit!(store, tx => {
                    products::insert(tx, &owner, &new).await?;
                    modules::insert(tx, &owner, &part).await?;
                });
            }
            for (space_code, of) in [None, Some(format!("space{}", base + 1))]
                .into_iter()
                .flat_map(|space| [(space.clone(), None), (space, Some(1))])
            {
                let in_space = |made: &&(u64, String, usize)| space_code.as_ref().is_none_or(|code| *code == made.1);
                let named = |made: &&(u64, String, usize)| of.is_none_or(|of| of == made.2);
                let mut expected: Vec<Id> =
                    made.iter().rev().filter(in_space).filter(named).map(|made| id(made.0)).collect();
                if of.is_none() {
                    let first = [(13, 2), (12, 1), (11, 1)]
                        .map(|(number, space)| (id(base + number), format!("space{}", base + space)));
                    let first =
                        first.into_iter().filter(|(_, code)| space_code.as_ref().is_none_or(|wanted| wanted == code));
                    expected.extend(first.map(|(id, _)| id));
                }
                let filter = ProductFilter {
                    space_code: space_code.clone().unwrap_or_default(),
                    name: of.map(|of| format!("name {of}")).unwrap_or_default(),
                };
                let read = |page| {
                    let (store, filter) = (store.clone(), filter.clone());
                    async move { look!(store, tx => products::list(tx, &owner, &filter, page).await?) }
                };
                assert_lists(&expected, size, read, |product: &Product| product.id).await?;
            }
            for (of, owning) in products_of.iter().enumerate() {
                let expected: Vec<Id> = made.iter().rev().filter(|made| made.2 == of).map(|made| id(made.0)).collect();
                let filter = ModuleFilter { space_code: String::new(), product_code: owning.code.clone() };
                let read = |page| {
                    let (store, filter) = (store.clone(), filter.clone());
                    async move { look!(store, tx => modules::list(tx, &owner, &filter, page).await?) }
                };
                assert_lists(&expected, size, read, |module: &otaru_model::Module| module.id).await?;
            }
            Ok(())
        }
    });
}

pub async fn records_that_stay_are_listed_once_while_others_come_and_go(place: &Place) {
    let store = nouns::town(place).await;
    let (owner, home) = (id(1), id(11));
    let new = |number: u64| package(number, 1, &product(101, 11), MODULES[number as usize % 4]);
    let staying: BTreeSet<Id> = (0..40).map(|number| id(1000 + number * 10)).collect();
    for number in 0..40 {
        commit!(store, tx => packages::insert(tx, &new(1000 + number * 10), &home).await?);
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let others = (1..=2u64).map(|worker| {
        let (store, is_over) = (store.clone(), is_over.clone());
        tokio::spawn(async move {
            // Before, between and after those that stay.
            for number in (0..48).cycle() {
                let other = package(990 + worker + number * 10, 1, &product(101, 11), MODULES[number as usize % 4]);
                let record = other.clone();
                commit!(store, tx => packages::insert(tx, &record, &id(11)).await?);
                commit!(store, tx => packages::delete(tx, &other).await?);
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
            }
        })
    });
    let others: Vec<_> = others.collect();
    for (size, kinds) in
        [(1, Kinds::All), (3, Kinds::All), (7, Kinds::BuiltIn), (100, Kinds::All), (2, Kinds::One(ModuleKind::Other))]
    {
        let expected: BTreeSet<Id> = (0..40u64)
            .map(|number| new(1000 + number * 10))
            .filter(|package| passes(package, home, &PackageFilter { kinds, ..PackageFilter::default() }))
            .map(|package| package.id)
            .collect();
        let (mut listed, mut page) = (Vec::new(), Page::first(size));
        loop {
            let filter = PackageFilter { kinds, ..PackageFilter::default() };
            let found = look!(store, tx => package_lists::list(tx, &owner, &filter, page, |package| package.to_package()).await?);
            assert!(found.total >= expected.len() as u64, "{} of {}", found.total, expected.len());
            let Some(last) = found.items.last() else { break };
            page.before = last.id;
            listed.extend(found.items.iter().map(|package| package.id));
        }
        assert!(listed.windows(2).all(|pair| pair[0] > pair[1]), "newest first, none twice");
        let stayed: BTreeSet<Id> = listed.into_iter().filter(|id| staying.contains(id)).collect();
        assert_eq!(stayed, expected);
    }
    is_over.store(true, Ordering::Relaxed);
    for other in others {
        other.await.unwrap();
    }
    let filter = PackageFilter::default();
    let left = look!(store, tx => package_lists::list(tx, &owner, &filter, Page::first(1000), |package| package.to_package()).await?);
    assert_eq!((left.total, left.items.len()), (40, 40));
}
