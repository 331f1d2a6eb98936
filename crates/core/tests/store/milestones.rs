//! Milestones: a page by number is the same page, wherever it is read from.

use otaru_core::store::counts::{self, ListKey, Scope};
use otaru_core::store::milestones::{self, APART, Laid, Start};
use otaru_core::store::{Store, package_lists, packages};
use otaru_model::{Id, Kinds, ModuleKind, Package, PackageFilter, Page};

use crate::nouns::{self, id, package, product};
use crate::place::Place;

const MODULES: [&str; 4] = ["firmware", "software", "radio", "firmware"];

fn number(at: u64) -> Package {
    package(1_000 + at, 1, &product(101, 11), MODULES[at as usize % 4])
}

async fn put(store: &Store, numbers: impl Iterator<Item = u64>) {
    let made: Vec<Package> = numbers.map(number).collect();
    commit!(store, tx => for package in &made {
        packages::insert(tx, package, &id(11)).await?;
    });
}

async fn delete(store: &Store, numbers: impl Iterator<Item = u64>) {
    let gone: Vec<Package> = numbers.map(number).collect();
    commit!(store, tx => for package in &gone {
        packages::delete(tx, package).await?;
    });
}

async fn lay(store: &Store, list: &ListKey, cutoff: Id) -> usize {
    let list = list.clone();
    commit!(store, tx => package_lists::lay_milestones(tx, &list, cutoff).await?)
}

async fn are_right(store: &Store, list: &ListKey) -> bool {
    let list = list.clone();
    commit!(store, tx => package_lists::milestones_are_right(tx, &list).await?)
}

async fn laid(store: &Store, list: &ListKey) -> Option<Laid> {
    let list = list.clone();
    look!(store, tx => milestones::laid(tx, &list).await?)
}

async fn forget(store: &Store, list: &ListKey) {
    let list = list.clone();
    commit!(store, tx => milestones::forget(tx, &list).await?);
}

async fn nearest(store: &Store, list: &ListKey, total: u64, skip: u64) -> Option<Start> {
    let list = list.clone();
    look!(store, tx => milestones::nearest(tx, &list, total, skip).await?)
}

/// Every list that the town's packages are in, with the filter that lists it.
fn lists() -> Vec<(ListKey, PackageFilter)> {
    let (owner, home, of) = (id(1), id(11), id(101));
    let scopes = [
        (Scope::Tenant(&owner), PackageFilter::default()),
        (Scope::Space(&home), PackageFilter { space: Some(home), ..PackageFilter::default() }),
        (Scope::Product(&of), PackageFilter { product: Some(of), ..PackageFilter::default() }),
    ];
    let kinds = [
        Kinds::All,
        Kinds::BuiltIn,
        Kinds::One(ModuleKind::Firmware),
        Kinds::One(ModuleKind::Software),
        Kinds::One(ModuleKind::Other),
    ];
    let of_kinds = |(scope, filter): &(Scope<'_>, PackageFilter)| {
        kinds.map(|kinds| (scope.list(kinds), PackageFilter { kinds, ..filter.clone() }))
    };
    scopes.iter().flat_map(of_kinds).collect()
}

async fn lay_all(store: &Store, cutoff: Id) {
    for (list, _) in lists() {
        lay(store, &list, cutoff).await;
        assert!(are_right(store, &list).await);
    }
}

/// Every page of every list, by number, against the list as it must be.
async fn assert_pages(store: &Store, left: &[u64], size: u32) {
    for (_, filter) in lists() {
        let passes = |at: &&u64| match filter.kinds {
            Kinds::All => true,
            Kinds::BuiltIn => number(**at).module.is_built_in(),
            Kinds::One(kind) => number(**at).module.kind() == kind,
        };
        let expected: Vec<Id> = left.iter().filter(passes).map(|&at| number(at).id).rev().collect();
        let mut listed = Vec::new();
        for page in 0..=expected.len() as u64 / u64::from(size) {
            let wanted = filter.clone();
            let found = look!(store, tx => package_lists::list(tx, &id(1), &wanted, Page::numbered(page, size), |package| package.to_package()).await?);
            assert_eq!(found.total, expected.len() as u64, "{filter:?}");
            listed.extend(found.items.iter().map(|package| package.id));
        }
        assert_eq!(listed, expected, "{filter:?}");
    }
}

pub async fn a_page_by_number_is_the_same_page_with_milestones(place: &Place) {
    let store = nouns::town(place).await;
    put(&store, 0..1_400).await;
    let mut left: Vec<u64> = (0..1_400).collect();
    assert_pages(&store, &left, 97).await;

    lay_all(&store, number(1_300).id).await;
    assert_pages(&store, &left, 97).await;

    // Gaps everywhere: at the oldest, at milestones, in a run, and above the last milestone.
    let gone = |at: &u64| *at < 3 || at % 256 == 255 || (500..700).contains(at) || at.is_multiple_of(31) || *at > 1_390;
    delete(&store, left.iter().copied().filter(gone)).await;
    left.retain(|at| !gone(at));
    assert_pages(&store, &left, 50).await;

    // Newer records come, and milestones along them.
    put(&store, 1_400..1_900).await;
    left.extend(1_400..1_900);
    lay_all(&store, Id::MAX).await;
    assert_pages(&store, &left, 83).await;

    // They are taken away from the first gap upwards and laid again.
    for (list, _) in lists() {
        forget(&store, &list).await;
        assert_eq!(laid(&store, &list).await.map_or(0, |end| end.gaps), 0);
    }
    assert_pages(&store, &left, 83).await;
    lay_all(&store, Id::MAX).await;
    assert_pages(&store, &left, 83).await;
}

pub async fn a_milestone_every_so_often_and_none_above_the_cutoff(place: &Place) {
    let store = nouns::town(place).await;
    put(&store, 0..3 * APART).await;
    let owner = id(1);
    let list = Scope::Tenant(&owner).list(Kinds::All);
    assert_eq!(lay(&store, &list, number(2 * APART).id).await, 2);
    let end = laid(&store, &list).await.unwrap();
    assert_eq!(end, Laid { ordinal: 2 * APART, last: number(2 * APART - 1).id, gaps: 0 });
    assert_eq!(end.above(3 * APART), Some(APART));
    assert_eq!(end.above(10), None, "fewer than there are below the last milestone");

    // The tenth from the old end is below the first milestone, by as many as lie between.
    let start = nearest(&store, &list, 3 * APART, 3 * APART - 10).await;
    assert_eq!(start, Some(Start { before: number(APART - 1).id.following(), skip: APART - 10 }));
    assert_eq!(nearest(&store, &list, 3 * APART, 5).await, None);
}

pub async fn milestones_that_contradict_the_total_are_found(place: &Place) {
    let store = nouns::town(place).await;
    put(&store, 10..10 + 2 * APART).await;
    lay_all(&store, Id::MAX).await;
    // A record is put below them, as by a copy of the server whose clock is slow.
    put(&store, 0..1).await;
    let owner = id(1);
    let list = Scope::Tenant(&owner).list(Kinds::All);
    assert!(!are_right(&store, &list).await);
    forget(&store, &list).await;
    assert!(are_right(&store, &list).await);
    assert_eq!(laid(&store, &list).await, None);
}

pub async fn only_a_gap_below_the_last_milestone_is_noted(place: &Place) {
    let store = nouns::town(place).await;
    put(&store, 0..APART + 10).await;
    let owner = id(1);
    let list = Scope::Tenant(&owner).list(Kinds::All);
    lay(&store, &list, Id::MAX).await;
    let keys = [list.clone()];
    commit!(store, tx => {
        milestones::hold(tx).await?;
        milestones::note_gap(tx, &keys, &number(3).id).await?;
        milestones::note_gap(tx, &keys, &number(APART + 5).id).await?;
    });
    assert_eq!(laid(&store, &list).await.unwrap().gaps, 1);
}

pub async fn long_lists_are_found_with_their_totals(place: &Place) {
    let store = nouns::town(place).await;
    put(&store, 0..40).await;
    let (mut after, mut found) = (ListKey::first(), Vec::new());
    loop {
        let from = after.clone();
        let some = look!(store, tx => counts::long(tx, &from, 20, 2).await?);
        let Some((last, _)) = some.last() else { break };
        after = last.clone();
        found.extend(some);
    }
    let (owner, home, of) = (id(1), id(11), id(101));
    let scopes = [Scope::Tenant(&owner), Scope::Space(&home), Scope::Product(&of)];
    let firmware = Kinds::One(ModuleKind::Firmware);
    let mut expected: Vec<_> =
        scopes.iter().flat_map(|scope| [(scope.list(Kinds::All), 40), (scope.list(firmware), 20)]).collect();
    expected.push((Scope::Door(&owner, "test").list(Kinds::All), 40));
    expected.sort();
    assert_eq!(found, expected);
    for (list, total) in expected {
        assert_eq!(look!(store, tx => counts::total_of_list(tx, &list).await?), total);
    }
    let one = number(0);
    let in_lists = counts::lists(&one, &home);
    assert_eq!(in_lists.len(), 9, "tenant, space and product: all, built-in and firmware");
    let built_in = Scope::Tenant(&owner).list(Kinds::All).built_in();
    assert_eq!(built_in, Some(Scope::Tenant(&owner).list(Kinds::BuiltIn)));
    assert_eq!(Scope::Tenant(&owner).list(firmware).built_in(), None);
}
