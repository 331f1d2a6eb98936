use otaru_model::{Integrity, Kinds, Package, Page};

use super::*;

#[tokio::test]
async fn a_firmware_is_uploaded_packaged_listed_and_downloaded() {
    let town = Town::new().await;
    let product = town.product("meter").await;
    let locator = town.upload(b"firmware").await;
    let new = new_package(&product, "V2.0", FileSource::Upload { locator });

    let package = town.app.create_package(&town.admin, new).await.unwrap();
    assert_eq!(package.integrity, Integrity::Ready);
    let listed = town.app.list_packages(&town.admin, PackageQuery::all(Page::first(10))).await.unwrap();
    assert_eq!((listed.total, &listed.items), (1, &vec![package.clone()]));

    let link = town.app.link(&package, 0).unwrap();
    assert!(link.url.ends_with("/upgrade.bin"), "{}", link.url);
    let download = town.app.open_link(&package.id, 0, link.expires_s, &link.signature).await.unwrap();
    assert_eq!(read_all(&download.bytes).await, b"firmware");
}

#[tokio::test]
async fn a_link_ends_and_cannot_be_bent() {
    let town = Town::new().await;
    let product = town.product("meter").await;
    let locator = town.upload(b"firmware").await;
    let new = new_package(&product, "V2.0", FileSource::Upload { locator });
    let package = town.app.create_package(&town.admin, new).await.unwrap();
    let link = town.app.link(&package, 0).unwrap();

    for (position, expires_s) in [(1, link.expires_s), (0, link.expires_s + 1)] {
        let bent = town.app.open_link(&package.id, position, expires_s, &link.signature).await;
        assert!(matches!(bent, Err(Error::Expired { .. })));
    }
    town.clock.advance(24 * 3_600_000);
    let late = town.app.open_link(&package.id, 0, link.expires_s, &link.signature).await;
    assert!(matches!(late, Err(Error::Expired { .. })));
}

#[tokio::test]
async fn what_was_declared_and_is_not_so_is_kept_but_never_ready() {
    let town = Town::new().await;
    let product = town.product("meter").await;
    let locator = town.upload(b"firmware").await;
    let mut new = new_package(&product, "V2.0", FileSource::Upload { locator });
    new.files[0].declared_sign = Some("0".repeat(64));

    let package = town.app.create_package(&town.admin, new.clone()).await.unwrap();
    assert_eq!(package.integrity, Integrity::Failed);
    assert!(package.integrity_note.unwrap().contains("upgrade.bin"));

    new.files[0].source = FileSource::Upload { locator: town.upload(b"firmware").await };
    new.rules.refuse_wrong_bytes = true;
    let refused = town.app.create_package(&town.admin, new).await;
    assert!(matches!(refused, Err(Error::WrongBytes(_))));
    assert_eq!(town.app.list_packages(&town.admin, PackageQuery::all(Page::first(1))).await.unwrap().total, 1);
}

#[tokio::test]
async fn claims_and_caps_hold_among_the_packages_of_one_door() {
    let town = Town::new().await;
    let product = town.product("meter").await;
    let create = async |version: &str, door: &'static str, limit| {
        let mut new = new_package(&product, version, FileSource::Upload { locator: town.upload(b"x").await });
        new.door = door;
        new.rules.claims = vec![Claim::new("version", version)];
        new.rules.max_packages = limit;
        town.app.create_package(&town.admin, new).await
    };
    create("1", "north", None).await.unwrap();
    assert!(matches!(create("1", "north", None).await, Err(Error::Taken { field: "version", .. })));
    create("1", "south", None).await.unwrap();
    assert!(matches!(create("2", "north", Some(1)).await, Err(Error::LimitReached { limit: 1, .. })));
    create("2", "north", Some(2)).await.unwrap();
}

/// Whichever door renames a package, its name stays unique among those of the door that wants it so.
#[tokio::test]
async fn a_claim_on_a_name_goes_along_when_the_package_is_renamed() {
    let town = Town::new().await;
    let product = town.product("meter").await;
    let create = async |version: &str, name: &str| {
        let mut new = new_package(&product, version, FileSource::Upload { locator: town.upload(b"x").await });
        new.name = Some(name.to_owned());
        new.rules.claims = vec![Claim::of_name("title", name), Claim::new("version", version)];
        town.app.create_package(&town.admin, new).await
    };
    let rename = async |package: &Package, name: Option<&str>| {
        let name = name.map(str::to_owned);
        town.app.rewrite_package(&town.admin, &package.id, |texts| texts.name = name).await
    };
    let (first, second) = (create("1", "one").await.unwrap(), create("2", "two").await.unwrap());
    let taken =
        |outcome: Result<Package, Error>, of: &str| matches!(outcome, Err(Error::Taken { field, .. }) if field == of);

    assert!(taken(rename(&first, Some("two")).await, "name"));
    assert_eq!(rename(&first, Some("one")).await.unwrap().name.as_deref(), Some("one"));
    rename(&first, Some("uno")).await.unwrap();
    assert!(taken(create("3", "uno").await, "title"));
    create("3", "one").await.unwrap();
    assert!(taken(rename(&second, Some("uno")).await, "name"));
    assert!(taken(create("1", "four").await, "version"), "claims on anything else stay");

    // Without a name of its own a package is shown under one made from module and version, and that one is claimed.
    rename(&first, None).await.unwrap();
    create("4", "uno").await.unwrap();
    assert!(taken(rename(&second, Some("firmware-1")).await, "name"));
    let change = |name: &str| PackageChange {
        name: Some(name.to_owned()),
        name_claim: Some("title"),
        ..PackageChange::default()
    };
    assert!(taken(town.app.update_package(&town.admin, &first.id, change("two")).await, "title"));
    town.app.update_package(&town.admin, &first.id, change("uno 2")).await.unwrap();
    rename(&second, Some("firmware-1")).await.unwrap();
}

#[tokio::test]
async fn filters_and_totals_agree() {
    let town = Town::new().await;
    let (meter, lamp) = (town.product("meter").await, town.product("lamp").await);
    for (product, version, module) in [
        (&meter, "1", ModuleName::firmware()),
        (&meter, "2", ModuleName::firmware()),
        (&meter, "2", ModuleName::software()),
        (&lamp, "2", ModuleName::firmware()),
    ] {
        let mut new = new_package(product, version, FileSource::Upload { locator: town.upload(b"x").await });
        new.module = module;
        town.app.create_package(&town.admin, new).await.unwrap();
    }
    let firmware = Kinds::One(otaru_model::ModuleKind::Firmware);
    let table = [
        (None, Kinds::All, None, 4),
        (None, Kinds::BuiltIn, None, 4),
        (None, firmware, None, 3),
        (Some(&meter), Kinds::All, None, 3),
        (Some(&meter), firmware, None, 2),
        (Some(&meter), firmware, Some("2"), 1),
        (None, Kinds::All, Some("2"), 3),
        (None, Kinds::All, Some("9"), 0),
    ];
    for (product, kinds, version, expected) in table {
        let query = PackageQuery {
            product: product.map(|product| ProductRef::Key(product.key.clone())),
            kinds,
            version: version.map(str::to_owned),
            ..PackageQuery::all(Page::first(50))
        };
        let listed = town.app.list_packages(&town.admin, query.clone()).await.unwrap();
        assert_eq!((listed.total, listed.items.len()), (expected, expected as usize), "{query:?}");
    }
}

#[tokio::test]
async fn another_tenant_sees_nothing() {
    let town = Town::new().await;
    let (_, stranger) = town.app.create_tenant(&town.admin, "acme").await.unwrap();
    let stranger = town.app.credential(&stranger.key.id).await.unwrap().caller;
    let product = town.product("meter").await;
    let locator = town.upload(b"firmware").await;
    let new = new_package(&product, "1", FileSource::Upload { locator });
    let package = town.app.create_package(&town.admin, new.clone()).await.unwrap();

    assert!(matches!(town.app.show_package(&stranger, &package.id).await, Err(Error::NotFound { .. })));
    assert!(matches!(town.app.delete_package(&stranger, &package.id).await, Err(Error::NotFound { .. })));
    assert!(matches!(town.app.create_package(&stranger, new).await, Err(Error::NotFound { .. })));
    assert_eq!(town.app.list_packages(&stranger, PackageQuery::all(Page::first(9))).await.unwrap().total, 0);
}

#[tokio::test]
async fn products_and_modules_go_only_when_nothing_needs_them() {
    let town = Town::new().await;
    let product = town.product("meter").await;
    let code = ProductRef::Code(product.code.clone());
    let module = NewModule {
        space_code: None,
        product: code.clone(),
        name: ModuleName::new("mcu").unwrap(),
        alias: None,
        description: None,
        max_per_product: Some(1),
    };
    let made = town.app.create_module(&town.admin, module.clone()).await.unwrap();
    let mut second = module.clone();
    second.name = ModuleName::new("MCU").unwrap();
    assert!(matches!(town.app.create_module(&town.admin, second.clone()).await, Err(Error::Exists { .. })));
    second.name = ModuleName::new("bms").unwrap();
    assert!(matches!(town.app.create_module(&town.admin, second).await, Err(Error::LimitReached { .. })));

    let mut new = new_package(&product, "1", FileSource::Upload { locator: town.upload(b"x").await });
    new.module = ModuleName::new("Mcu").unwrap();
    let package = town.app.create_package(&town.admin, new).await.unwrap();
    assert_eq!(package.module.as_str(), "mcu", "spelled as its product does");
    assert!(matches!(town.app.delete_module(&town.admin, &made.id).await, Err(Error::InUse { .. })));
    assert!(matches!(town.app.delete_product(&town.admin, &code).await, Err(Error::InUse { .. })));
    town.app.delete_package(&town.admin, &package.id).await.unwrap();
    town.app.delete_product(&town.admin, &code).await.unwrap();
    assert!(matches!(town.app.show_module(&town.admin, &made.id).await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn a_damaged_blob_is_found() {
    let town = Town::new().await;
    let product = town.product("meter").await;
    let locator = town.upload(b"firmware").await;
    let new = new_package(&product, "1", FileSource::Upload { locator });
    let package = town.app.create_package(&town.admin, new).await.unwrap();
    assert_eq!(town.app.verify_package(&town.admin, &package.id).await.unwrap()[0].problem, None);

    let hex = package.files[0].sha256.unwrap().to_string();
    let mut pending = vec![town.folder.path().join("blobs")];
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                pending.push(entry.path());
            } else if entry.file_name().to_string_lossy().contains(&hex) {
                let mut permissions = entry.metadata().unwrap().permissions();
                std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
                std::fs::set_permissions(entry.path(), permissions).unwrap();
                std::fs::write(entry.path(), b"firmwarf").unwrap();
            }
        }
    }
    assert!(town.app.verify_package(&town.admin, &package.id).await.unwrap()[0].problem.is_some());
}
