//! Packages: made, shown, changed, deleted; what is refused; what becomes of packages of other doors.

use otaru_core::app::{CreationRules, FileSource, NewFile, NewPackage, NewUpload, ProductRef};
use otaru_model::{DeviceKind, ModuleName, PackageKind, Verification};
use serde_json::{Map, json};

use super::*;

/// MD5 and SHA-256 of `bytes of a firmware`, which is what `Bench::firmware` uploads.
const MD5: &str = "43d23bcf8e0685399fc9d8ffa2194449";
const SHA256: &str = "b4edcb2afeba578b2eb7114644c116f96e0408fa6832848feb40cf923b7c5698";
/// MD5 of `abc`.
const MD5_OF_ABC: &str = "900150983cd24fb0d6963f7d28e17f72";

#[tokio::test]
async fn a_package_with_everything_said_of_it() {
    let bench = Bench::new().await;
    let key = bench.product("meter").await;
    bench.call("CreateOTAModule", &[("ProductKey", &key), ("ModuleName", "WifiConfigModify")]).await.success();
    let more = [
        ("FirmwareDesc", "modified WiFi module"),
        ("Type", "1"),
        ("SrcVersion", "3.9.0"),
        ("ModuleName", "wificonfigmodify"),
        ("NeedToVerify", "false"),
        ("Udi", "{\"a\":1}"),
        ("FirmwareSize", "19"),
        ("SignMethod", "MD5"),
    ];
    let id = bench.firmware(&key, "t3q5rkNm", "4.0.0", &more).await;
    let info = bench.query_firmware(&id).await;
    let expected = json!({
        "SrcVersion": "3.9.0",
        "FirmwareSign": MD5,
        "ProductKey": key,
        "Type": 1,
        "UtcModified": "2026-11-21T09:24:14.000Z",
        "SignMethod": "MD5",
        "UtcCreate": "2026-11-21T09:24:14.000Z",
        "FirmwareSize": 19,
        "Status": -1,
        "FirmwareId": id,
        "FirmwareDesc": "modified WiFi module",
        "FirmwareUrl": info["FirmwareUrl"],
        "DestVersion": "4.0.0",
        "ProductName": "meter",
        "FirmwareName": "t3q5rkNm",
        "ModuleName": "WifiConfigModify",
        "Udi": "{\"a\":1}",
        "VerifyProgress": 0,
    });
    assert_eq!(info.to_string(), expected.to_string(), "members and their order");
}

#[tokio::test]
async fn what_is_not_said_has_its_default() {
    let bench = Bench::new().await;
    let key = bench.product("meter").await;
    let id = bench.firmware(&key, "n", "1", &[]).await;
    let info = bench.query_firmware(&id).await;
    let members: Vec<&str> = info.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "SrcVersion",
        "FirmwareSign",
        "ProductKey",
        "Type",
        "UtcModified",
        "SignMethod",
        "UtcCreate",
        "FirmwareSize",
        "Status",
        "FirmwareId",
        "FirmwareUrl",
        "DestVersion",
        "ProductName",
        "FirmwareName",
        "ModuleName",
        "VerifyProgress",
    ];
    assert_eq!(members, expected);
    assert_eq!((&info["SrcVersion"], &info["Type"], &info["Status"]), (&json!(""), &json!(0), &json!(0)));
    assert_eq!((&info["FirmwareSign"], &info["SignMethod"]), (&json!(MD5), &json!("MD5")));
    assert_eq!((&info["FirmwareSize"], &info["ModuleName"]), (&json!(19), &json!("default")));

    let row = bench.list_firmware(&[]).await["FirmwareInfo"]["SimpleFirmwareInfo"][0].clone();
    assert_eq!(row["SrcVersion"], serde_json::Value::Null, "null in a list, an empty text in the details");
    assert!(row.as_object().unwrap().contains_key("SrcVersion"));
    let xml = bench.call_as(ADMIN, "ListOTAFirmware", &[("CurrentPage", "1"), ("PageSize", "1")]).await.text;
    assert!(xml.contains("<SimpleFirmwareInfo><FirmwareSign>"), "absent in XML: {xml}");
}

#[tokio::test]
async fn the_download_link_lives_a_day_and_opens_the_file() {
    let bench = Bench::new().await;
    let key = bench.product("meter").await;
    let id = bench.firmware(&key, "n", "1", &[]).await;
    let url = bench.query_firmware(&id).await["FirmwareUrl"].as_str().unwrap().to_owned();
    let (path, query) = url.split_once('?').unwrap();
    let names: Vec<&str> = query.split('&').map(|pair| pair.split_once('=').unwrap().0).collect();
    assert_eq!(names, ["Expires", "OSSAccessKeyId", "Signature"]);
    let value = |at: usize| query.split('&').nth(at).unwrap().split_once('=').unwrap().1;
    let expires_s: i64 = value(0).parse().unwrap();
    assert_eq!(expires_s, START_MS / 1000 + 86_400);
    assert!(path.starts_with("http://127.0.0.1:8080/ota/") && path.ends_with(".bin"));
    // What some devices have room for.
    assert!(url.len() - "http://127.0.0.1:8080".len() <= 255, "{url}");
    let package = super::super::ids::read(&id).unwrap();
    let open = async |expires_s: i64| bench.app.open_link(&package, 0, expires_s, value(2)).await;
    assert_eq!(open(expires_s).await.unwrap().file.size_bytes, 19);
    assert!(open(expires_s + 1).await.is_err());
    bench.clock.advance(86_400_000);
    assert!(open(expires_s).await.is_err());
}

#[tokio::test]
async fn several_files_come_back_with_their_names() {
    let bench = Bench::new().await;
    let key = bench.product("meter").await;
    let (first, second) = (bench.upload(b"abc").await, bench.upload(b"bytes of a firmware").await);
    let parameters = [
        ("FirmwareName", "n"),
        ("DestVersion", "1"),
        ("ProductKey", &*key),
        // In no order, with a gap.
        ("MultiFiles.7.Name", "second"),
        ("MultiFiles.7.Url", &*second),
        ("MultiFiles.2.Url", &*first),
        ("MultiFiles.2.Name", "first"),
        ("MultiFiles.2.Size", "3"),
        ("MultiFiles.2.FileMd5", MD5_OF_ABC),
        ("MultiFiles.2.SignValue", MD5_OF_ABC),
    ];
    let id = bench.call("CreateOTAFirmware", &parameters).await.success()["Data"]["FirmwareId"].clone();
    let info = bench.query_firmware(id.as_str().unwrap()).await;
    for single in ["FirmwareUrl", "FirmwareSign", "FirmwareSize"] {
        assert!(info.get(single).is_none(), "{single} is of one file");
    }
    let files = info["MultiFiles"].as_array().unwrap();
    let expected = |name: &str, size: u64, md5: &str, at: usize| json!({"Name": name, "Size": size, "FileMd5": md5, "SignValue": md5, "Url": files[at]["Url"]});
    assert_eq!(files[0].to_string(), expected("first", 3, MD5_OF_ABC, 0).to_string());
    assert_eq!(files[1].to_string(), expected("second", 19, MD5, 1).to_string());
    assert!(files[1]["Url"].as_str().unwrap().contains("/1/second?Expires="));
    let row = bench.list_firmware(&[]).await["FirmwareInfo"]["SimpleFirmwareInfo"][0].clone();
    assert!(row.get("FirmwareSize").is_none() && row.get("FirmwareSign").is_none() && row.get("MultiFiles").is_none());

    let xml = bench.call_as(ADMIN, "QueryOTAFirmware", &[("FirmwareId", id.as_str().unwrap())]).await.text;
    assert!(xml.contains("<MultiFiles><MultiFiles><Name>first</Name><Size>3</Size>"), "{xml}");
    assert!(xml.contains("</MultiFiles><MultiFiles><Name>second</Name>"), "{xml}");
}

#[tokio::test]
async fn signatures_are_digests_of_the_method_and_of_the_bytes() {
    let bench = Bench::new().await;
    let key = bench.product("meter").await;
    let id = bench.firmware(&key, "a", "1", &[("SignMethod", "SHA256")]).await;
    let info = bench.query_firmware(&id).await;
    assert_eq!((&info["SignMethod"], &info["FirmwareSign"]), (&json!("SHA256"), &json!(SHA256)));
    let upper = MD5.to_uppercase();
    let id = bench.firmware(&key, "b", "2", &[("FirmwareSign", &upper)]).await;
    assert_eq!(bench.query_firmware(&id).await["FirmwareSign"], upper, "as it was declared");

    let url = bench.upload(b"bytes of a firmware").await;
    let refused = async |more: Parameters<'_>| {
        let mut all = vec![("FirmwareName", "c"), ("DestVersion", "3"), ("ProductKey", &*key), ("FirmwareUrl", &*url)];
        all.extend_from_slice(more);
        bench.call("CreateOTAFirmware", &all).await.business()
    };
    let format = "iot.check.InvalidFormattedParameter";
    assert_eq!(refused(&[("FirmwareSign", SHA256)]).await, format, "a SHA-256 is no MD5");
    assert_eq!(refused(&[("FirmwareSign", MD5), ("SignMethod", "SHA256")]).await, format);
    assert_eq!(refused(&[("FirmwareSign", MD5_OF_ABC)]).await, "iot.ota.FirmwareSignMismatch");
    assert_eq!(refused(&[("FirmwareSize", "20")]).await, "iot.ota.FirmwareSignMismatch");
    bench
        .call(
            "CreateOTAFirmware",
            &[("FirmwareName", "c"), ("DestVersion", "3"), ("ProductKey", &*key), ("FirmwareUrl", &*url)],
        )
        .await
        .success();
}

#[tokio::test]
async fn what_a_package_may_not_be() {
    let bench = Bench::new().await;
    let key = bench.product("meter").await;
    bench.firmware(&key, "taken", "1", &[]).await;
    let url = bench.upload(b"abc").await;
    let with_query = format!("{url}?Expires=1&Signature=x");
    let create = async |change: Parameters<'_>| {
        let mut all =
            vec![("FirmwareName", "new"), ("DestVersion", "2"), ("ProductKey", &*key), ("FirmwareUrl", &*url)];
        for (name, value) in change {
            all.retain(|(other, _)| other != name);
            all.push((name, value));
        }
        bench.call("CreateOTAFirmware", &all).await
    };
    let format = "iot.check.InvalidFormattedParameter";
    let two = [
        ("MultiFiles.1.Name", "same"),
        ("MultiFiles.1.Url", &*url),
        ("MultiFiles.2.Name", "same"),
        ("MultiFiles.2.Url", &*url),
        ("FirmwareUrl", ""),
    ];
    let rows: [(Parameters<'_>, &str); 11] = [
        (&[("FirmwareName", "taken")], "iot.ota.FirmwareNameExisted"),
        (&[("DestVersion", "1")], "iot.ota.FirmwareVersionExisted"),
        (&[("FirmwareName", "_new")], format),
        (&[("SrcVersion", "2")], format),
        (&[("Type", "1"), ("SrcVersion", "2")], format),
        (&[("MultiFiles.1.Name", "a"), ("MultiFiles.1.Url", &*url)], format),
        (&two, format),
        (&[("ProductKey", "a1000000000")], "iot.prod.NotExistedProduct"),
        (&[("ModuleName", "mcu")], "iot.ota.ModuleNotFound"),
        (&[("ModuleName", "firmware")], "iot.ota.ModuleNotFound"),
        (&[("FirmwareUrl", "https://elsewhere.example.org/oss/ota/a/b.bin")], "iot.ota.FileNotFound"),
    ];
    for (change, code) in rows {
        assert_eq!(create(change).await.business(), code, "{change:?}");
    }
    assert_eq!(create(&[("Type", "1")]).await.gateway().1, "MissingSrcVersion");
    assert_eq!(create(&[("FirmwareUrl", "")]).await.gateway().1, "MissingFirmwareUrl");
    let half = [("FirmwareUrl", ""), ("MultiFiles.3.Name", "a")];
    assert_eq!(create(&half).await.gateway().1, "MissingMultiFiles.3.Url");
    let zero = [("FirmwareUrl", ""), ("MultiFiles.0.Name", "a")];
    assert_eq!(create(&zero).await.gateway().1, "InvalidParameter");
    create(&[("FirmwareUrl", &with_query)]).await.success();
}

#[tokio::test]
async fn names_are_unique_in_the_account_and_versions_in_the_module() {
    let bench = Bench::new().await;
    let (key, other) = (bench.product("meter").await, bench.product("other").await);
    bench.call("CreateOTAModule", &[("ProductKey", &key), ("ModuleName", "mcu")]).await.success();
    bench.firmware(&key, "a", "1", &[]).await;
    bench.firmware(&key, "b", "1", &[("ModuleName", "mcu")]).await;
    bench.firmware(&other, "c", "1", &[]).await;
    let url = bench.upload(b"abc").await;
    let again = [
        ("FirmwareName", "d"),
        ("DestVersion", "1"),
        ("ProductKey", &*key),
        ("FirmwareUrl", &*url),
        ("ModuleName", "MCU"),
    ];
    assert_eq!(bench.call("CreateOTAFirmware", &again).await.business(), "iot.ota.FirmwareVersionExisted");
}

#[tokio::test]
async fn an_account_has_room_for_so_many_packages() {
    let bench = Bench::with(Settings { max_packages: Some(2), ..Settings::default() }).await;
    let key = bench.product("meter").await;
    let first = bench.firmware(&key, "a", "1", &[]).await;
    bench.firmware(&key, "b", "2", &[]).await;
    let url = bench.upload(b"abc").await;
    let third = [("FirmwareName", "c"), ("DestVersion", "3"), ("ProductKey", &*key), ("FirmwareUrl", &*url)];
    assert_eq!(bench.call("CreateOTAFirmware", &third).await.business(), "iot.ota.FirmwareCountExceedMax");
    bench.call("DeleteOTAFirmware", &[("FirmwareId", &first)]).await.success();
    bench.call("CreateOTAFirmware", &third).await.success();
}

#[tokio::test]
async fn a_package_is_changed_and_deleted() {
    let bench = Bench::new().await;
    let key = bench.product("meter").await;
    let id = bench.firmware(&key, "a", "1", &[("FirmwareDesc", "d"), ("Udi", "u")]).await;
    bench.firmware(&key, "b", "2", &[]).await;
    let modify = async |more: Parameters<'_>| {
        let mut all = vec![("FirmwareId", &*id), ("ProductKey", &*key)];
        all.extend_from_slice(more);
        bench.call("ModifyOTAFirmware", &all).await
    };
    bench.clock.advance(19_000);
    let changed = modify(&[("FirmwareName", "电池"), ("FirmwareUdi", "new")]).await.success();
    assert_eq!(changed.as_object().unwrap().keys().collect::<Vec<_>>(), ["RequestId", "Success"]);
    let info = bench.query_firmware(&id).await;
    assert_eq!(
        (&info["FirmwareName"], &info["Udi"], &info["FirmwareDesc"]),
        (&json!("电池"), &json!("new"), &json!("d"))
    );
    assert_eq!(
        (&info["UtcCreate"], &info["UtcModified"]),
        (&json!("2026-11-21T09:24:14.000Z"), &json!("2026-11-21T09:24:33.000Z"))
    );

    modify(&[("FirmwareDesc", ""), ("FirmwareUid", "misspelt")]).await.success();
    let info = bench.query_firmware(&id).await;
    assert_eq!((&info["FirmwareDesc"], &info["Udi"]), (&json!(""), &json!("misspelt")));

    assert_eq!(modify(&[("FirmwareName", "b")]).await.business(), "iot.ota.FirmwareNameExisted");
    assert_eq!(modify(&[("FirmwareName", "-b")]).await.business(), "iot.check.InvalidFormattedParameter");
    modify(&[("FirmwareName", "电池")]).await.success();
    // The old name is free again.
    bench.firmware(&key, "a", "3", &[]).await;
    let other = bench.product("other").await;
    let elsewhere = [("FirmwareId", &*id), ("ProductKey", &*other), ("FirmwareName", "x")];
    assert_eq!(bench.call("ModifyOTAFirmware", &elsewhere).await.business(), "iot.ota.FirmwareNotFound");

    bench.call("DeleteOTAFirmware", &[("FirmwareId", &id)]).await.success();
    for action in ["DeleteOTAFirmware", "QueryOTAFirmware"] {
        assert_eq!(bench.call(action, &[("FirmwareId", &id)]).await.business(), "iot.ota.FirmwareNotFound");
    }
    bench.firmware(&key, "电池", "1", &[]).await;
}

#[tokio::test]
async fn a_list_is_filtered_by_product_and_version() {
    let bench = Bench::new().await;
    let (key, other) = (bench.product("meter").await, bench.product("other").await);
    for (product, name, version) in [(&key, "a", "1"), (&key, "b", "2"), (&other, "c", "1")] {
        bench.firmware(product, name, version, &[]).await;
    }
    let names = async |parameters: Parameters<'_>| {
        let list = bench.list_firmware(parameters).await;
        let rows = list["FirmwareInfo"]["SimpleFirmwareInfo"].as_array().unwrap().clone();
        assert_eq!(list["Total"], rows.len());
        rows.iter().map(|row| row["FirmwareName"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join("")
    };
    assert_eq!(names(&[]).await, "cba", "newest first");
    assert_eq!(names(&[("ProductKey", &key)]).await, "ba");
    assert_eq!(names(&[("DestVersion", "1")]).await, "ca");
    assert_eq!(names(&[("ProductKey", &key), ("DestVersion", "1")]).await, "a");
    assert_eq!(names(&[("ProductKey", &key), ("DestVersion", "1.")]).await, "");
    assert_eq!(names(&[("ProductKey", ""), ("DestVersion", "")]).await, "cba", "an empty filter is none");
    assert_eq!(names(&[("ProductKey", "unknown")]).await, "");
}

#[tokio::test]
async fn tenants_see_nothing_of_each_other() {
    let bench = Bench::new().await;
    let key = bench.product("meter").await;
    let id = bench.firmware(&key, "a", "1", &[]).await;
    let url = bench.upload(b"abc").await;
    let (_, other) = bench.app.create_tenant(&bench.admin, "other").await.unwrap();
    let other = Signer { key_id: &other.key.id, secret: other.secret.expose() };
    let call = async |action: &str, parameters: Parameters<'_>| {
        let mut all = vec![("Format", "JSON")];
        all.extend_from_slice(parameters);
        bench.call_as(other, action, &all).await
    };
    assert_eq!(call("ListOTAFirmware", &[("CurrentPage", "1"), ("PageSize", "9")]).await.success()["Total"], 0);
    assert_eq!(
        call("QueryProductList", &[("CurrentPage", "1"), ("PageSize", "9")]).await.success()["Data"]["Total"],
        0
    );
    for action in ["QueryOTAFirmware", "DeleteOTAFirmware"] {
        assert_eq!(call(action, &[("FirmwareId", &id)]).await.business(), "iot.ota.FirmwareNotFound");
    }
    let modify = [("FirmwareId", &*id), ("ProductKey", &*key), ("FirmwareName", "mine")];
    assert_eq!(call("ModifyOTAFirmware", &modify).await.business(), "iot.ota.FirmwareNotFound");
    for action in ["QueryProduct", "DeleteProduct", "ListOTAModuleByProduct"] {
        assert_eq!(call(action, &[("ProductKey", &key)]).await.business(), "iot.prod.NotExistedProduct");
    }
    for action in ["CreateOTAModule", "UpdateOTAModule", "DeleteOTAModule"] {
        let module = [("ProductKey", &*key), ("ModuleName", "mcu")];
        assert_eq!(call(action, &module).await.business(), "iot.prod.NotExistedProduct", "{action}");
    }
    // Somebody else's upload is none, and the same names and versions are free.
    let own = call("CreateProduct", &[("ProductName", "meter"), ("NodeType", "0")]).await.success();
    let own = own["ProductKey"].as_str().unwrap();
    let stolen = [("FirmwareName", "a"), ("DestVersion", "1"), ("ProductKey", own), ("FirmwareUrl", &*url)];
    assert_eq!(call("CreateOTAFirmware", &stolen).await.business(), "iot.ota.FileNotFound");
    assert_eq!(bench.query_firmware(&id).await["FirmwareName"], "a");
}

/// A package as another door makes it.
async fn foreign(bench: &Bench, key: &str, version: &str, change: impl FnOnce(&mut NewPackage)) -> String {
    let upload = NewUpload {
        door: "elsewhere",
        locator: bench.nonce(),
        file_name: "upgrade.swu".to_owned(),
        declared_bytes: None,
        max_bytes: 1 << 20,
        open_ms: 60_000,
        lifetime_ms: 60_000,
    };
    let upload = bench.app.create_upload(&bench.admin, upload).await.unwrap();
    let mut receiving = bench.app.receive_whole(upload).await.unwrap();
    receiving.write(axum::body::Bytes::from_static(b"bytes of a firmware")).await.unwrap();
    let locator = receiving.finish().await.unwrap().locator;
    let file = NewFile {
        source: FileSource::Upload { locator },
        name: None,
        declared_bytes: None,
        declared_md5: None,
        declared_sign: None,
    };
    let rules =
        CreationRules { claims: Vec::new(), max_packages: None, max_file_bytes: 1 << 20, refuse_wrong_bytes: false };
    let mut new = NewPackage {
        space_code: None,
        product: ProductRef::Key(key.to_owned()),
        module: ModuleName::software(),
        version: version.to_owned(),
        name: None,
        description: None,
        custom_info: None,
        kind: PackageKind::Full,
        source_versions: Vec::new(),
        verification: Verification::NotNeeded,
        device_kind: DeviceKind::default(),
        extra: Map::new(),
        door: "elsewhere",
        files: vec![file],
        rules,
    };
    change(&mut new);
    super::super::ids::spell(&bench.app.create_package(&bench.admin, new).await.unwrap().id)
}

#[tokio::test]
async fn packages_of_other_doors_are_shown_as_far_as_there_are_words() {
    let bench = Bench::new().await;
    let key = bench.product("meter").await;
    let long = "V1.0 β ".repeat(30);
    let id = foreign(&bench, &key, &long, |new| {
        new.source_versions = vec!["1".to_owned(), "2".to_owned()];
        new.files[0].declared_sign = Some(SHA256.to_owned());
    })
    .await;
    let modules = bench.call("ListOTAModuleByProduct", &[("ProductKey", &key)]).await.success();
    let modules = modules["Data"].as_array().unwrap().iter().map(|row| row["ModuleName"].as_str().unwrap());
    assert_eq!(modules.collect::<Vec<_>>(), ["default", "software"]);
    let info = bench.query_firmware(&id).await;
    assert_eq!(info["DestVersion"], long);
    let name: String = format!("software-{long}").chars().take(40).collect();
    assert_eq!((&info["FirmwareName"], &info["ModuleName"]), (&json!(name), &json!("software")));
    assert_eq!(info["SrcVersion"], "1", "there is a place for one version only");
    assert_eq!((&info["SignMethod"], &info["FirmwareSign"]), (&json!("SHA256"), &json!(SHA256)));
    assert_eq!(info["Status"], -1);

    let id = foreign(&bench, &key, "2", |new| new.files[0].declared_sign = Some("c2lnbmVk".to_owned())).await;
    let info = bench.query_firmware(&id).await;
    assert_eq!((&info["SignMethod"], &info["FirmwareSign"]), (&json!("MD5"), &json!(MD5)), "the two agree");
    assert_eq!(info["Status"], 3, "its bytes are not the declared ones: no device gets it");

    for (verification, status, progress) in [
        (Verification::NotNeeded, -1, 0),
        (Verification::Unverified, 0, 0),
        (Verification::Verified, 1, 100),
        (Verification::Verifying, 2, 0),
        (Verification::Failed, 3, 0),
    ] {
        let id = foreign(&bench, &key, verification.name(), |new| {
            new.verification = verification;
            new.module = ModuleName::firmware();
        })
        .await;
        let info = bench.query_firmware(&id).await;
        assert_eq!((&info["Status"], &info["VerifyProgress"]), (&json!(status), &json!(progress)));
        assert_eq!(info["ModuleName"], "default");
    }
    // Limits and uniqueness of this door are about its own packages.
    bench.firmware(&key, "software-2", "2", &[("ModuleName", "software")]).await;
    assert_eq!(bench.list_firmware(&[]).await["Total"], 8);
}
