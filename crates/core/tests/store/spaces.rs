//! Settings, tenants and spaces.

use otaru_core::store::{products, settings, spaces, tenants};
use otaru_model::Tenant;

use crate::nouns::{id, product, space, tenant, town};
use crate::place::Place;

pub async fn settings_keep_what_was_put_first(place: &Place) {
    let store = place.store().await;
    let kept = commit!(store, tx => [
        settings::get_or_put(tx, "a", "1").await?,
        settings::get_or_put(tx, "a", "2").await?,
        settings::get_or_put(tx, "b", "2").await?,
    ]);
    assert_eq!(kept, ["1", "1", "2"]);
    let found = commit!(store, tx => [settings::get(tx, "a").await?, settings::get(tx, "c").await?]);
    assert_eq!(found, [Some("1".to_owned()), None]);
}

pub async fn a_tenant_is_found_by_its_name_in_any_letter_case(place: &Place) {
    let store = place.store().await;
    let inserted = commit!(store, tx => [
        tenants::insert(tx, &tenant(2)).await?,
        tenants::insert(tx, &tenant(1)).await?,
        tenants::insert(tx, &Tenant { name: "TENANT-2".to_owned(), ..tenant(3) }).await?,
        tenants::insert(tx, &Tenant { name: "Überlingen".to_owned(), ..tenant(4) }).await?,
    ]);
    assert_eq!(inserted, [true, true, false, true]);
    let held = commit!(store, tx => [tenants::hold(tx, &id(1)).await?, tenants::hold(tx, &id(3)).await?]);
    assert_eq!(held, [true, false]);
    let (by_name, other, by_id, unknown, all) = look!(store, tx => (
        tenants::by_name(tx, "tENANT-2").await?,
        tenants::by_name(tx, "überlingen").await?.map(|tenant| tenant.id),
        tenants::by_id(tx, &id(1)).await?,
        tenants::by_id(tx, &id(3)).await?,
        tenants::list(tx).await?,
    ));
    assert_eq!((by_name, other, by_id, unknown), (Some(tenant(2)), Some(id(4)), Some(tenant(1)), None));
    let ids: Vec<_> = all.iter().map(|tenant| tenant.id).collect();
    assert_eq!(ids, [id(1), id(2), id(4)], "the first one stays the first");
    assert_eq!(tenants::folded("ÜBER-1"), "über-1");
}

pub async fn a_space_is_found_renamed_and_deleted_unless_it_has_products(place: &Place) {
    let store = town(place).await;
    let taken = commit!(store, tx => {
        let again = otaru_model::Space { code: "space11".to_owned(), ..space(13, false) };
        [spaces::insert(tx, &id(1), &again).await?, spaces::insert(tx, &id(2), &again).await?]
    });
    assert_eq!(taken, [false, true], "a code is unique in its tenant");

    let (by_code, of_another, default, unknown, all) = look!(store, tx => (
        spaces::by_code(tx, &id(1), "space12").await?,
        spaces::by_code(tx, &id(2), "space12").await?,
        spaces::default(tx, &id(1)).await?,
        spaces::default(tx, &id(9)).await?,
        spaces::list(tx, &id(1)).await?,
    ));
    assert_eq!((by_code, of_another), (Some(space(12, false)), None));
    assert_eq!((default, unknown), (Some(space(11, true)), None));
    assert_eq!(all, [space(11, true), space(12, false)]);

    let renamed = commit!(store, tx => [
        spaces::rename(tx, &id(2), &id(12), "x").await?,
        spaces::rename(tx, &id(1), &id(12), "Zwölf").await?,
    ]);
    assert_eq!(renamed, [false, true]);
    let name = look!(store, tx => spaces::by_code(tx, &id(1), "space12").await?).unwrap().name;
    assert_eq!(name, "Zwölf");

    let deleted = commit!(store, tx => {
        let with_product = spaces::delete(tx, &id(1), &id(12)).await?;
        products::delete(tx, &id(1), &product(103, 12).id).await?;
        [with_product, spaces::delete(tx, &id(2), &id(12)).await?, spaces::delete(tx, &id(1), &id(12)).await?]
    });
    assert_eq!(deleted, [false, false, true]);
}
