//! Every limit at its edge, below and above it, in an otherwise valid request.

use otaru_core::app::{NewModule, ProductRef};
use otaru_model::ModuleName;

use super::*;
use crate::iotda::limits::LIMITS;
use crate::wire::limits::{Limit, Rule, Set};
use crate::wire::percent::encode;

/// What a value that breaks a limit is refused with: its code, and the words that name the field.
struct Expected {
    code: &'static str,
    field: String,
    /// The status that says that the value was taken.
    taken: &'static [u16],
}

fn expected(limit: &Limit) -> Expected {
    let (operation, field) = limit.name.split_once('.').unwrap();
    let code = match limit.name {
        "list.limit" => "IOTDA.000017",
        "list.marker" | "list.offset" => "IOTDA.000018",
        "create_package.object_key suffix" => "IOTDA.019305",
        _ => "IOTDA.000006",
    };
    let field = match limit.name {
        "create_package.object_key suffix" => "object_key".to_owned(),
        "create_package.support_source_versions[]" => "support_source_versions[0]".to_owned(),
        "create_package.region_name" | "create_package.bucket_name" | "create_package.sign_method" => {
            format!("file_location.obs_location.{field}")
        }
        _ => field.to_owned(),
    };
    let taken: &[u16] = match operation {
        // There is no such record, but the id is well-formed.
        "path" => &[404, 403],
        // There is no such user, but the sign-in is well-formed.
        "token" => &[401],
        _ => &[200, 201],
    };
    Expected { code, field, taken }
}

/// Sends `value` where the limit is of, with everything that it refers to in place.
async fn attempt(world: &World, name: &str, value: &str) -> Reply {
    let (operation, field) = name.split_once('.').unwrap();
    let escaped = encode(value);
    let create = |pointer: &str| with(new_package(), pointer, json!(value));
    match name {
        "list.limit" | "list.marker" | "list.offset" => world.get(&format!("{FIRMWARE_LIST}&{field}={escaped}")).await,
        "path.package_id" => world.get(&format!("{PACKAGES}/{escaped}")).await,
        "path.module_id" => world.get(&format!("{MODULES}/{escaped}")).await,
        "path.product_id" => world.get(&format!("/products/{escaped}")).await,
        "path.app_id" => world.get(&format!("/apps/{escaped}")).await,
        "create_package.app_id" => {
            prepare_space(world, value).await;
            world.post(PACKAGES, &with(create("/app_id"), "/product_id", json!(product_in(value)))).await
        }
        "create_package.product_id" => {
            prepare_product(world, SPACE, value).await;
            world.post(PACKAGES, &create("/product_id")).await
        }
        "create_package.package_type" => {
            let body = create("/package_type");
            let body = if value == "modulePackage" { with(body, "/module_name", json!("bms")) } else { body };
            prepare_module(world, "bms").await;
            world.post(PACKAGES, &body).await
        }
        "create_package.module_name" => {
            prepare_module(world, value).await;
            world.post(PACKAGES, &with(create("/module_name"), "/package_type", json!("modulePackage"))).await
        }
        "create_package.version" | "create_package.description" | "create_package.custom_info" => {
            world.post(PACKAGES, &create(&format!("/{field}"))).await
        }
        "create_package.support_source_versions" => {
            let versions = vec!["V1"; value.parse().unwrap()];
            world.post(PACKAGES, &with(new_package(), "/support_source_versions", json!(versions))).await
        }
        "create_package.support_source_versions[]" => {
            world.post(PACKAGES, &with(new_package(), "/support_source_versions", json!([value]))).await
        }
        "create_package.bucket_name" => {
            if world.app.create_bucket(&world.admin, value, "").await.is_ok() {
                world.object(value, "bbb/upgrade.bin", b"x").await;
            }
            world.post(PACKAGES, &create("/file_location/obs_location/bucket_name")).await
        }
        "create_package.object_key" | "create_package.object_key suffix" => {
            // The edges are of the key's length; its suffix has to stay right.
            let key = match name {
                "create_package.object_key" if value.len() >= 4 => {
                    let cut = value.char_indices().nth_back(3).unwrap().0;
                    format!("{}.bin", &value[..cut])
                }
                "create_package.object_key" => value.to_owned(),
                _ => format!("folder/file{value}"),
            };
            if (1..=1024).contains(&key.len()) && !key.contains('\0') {
                world.object("abc", &key, b"x").await;
            }
            world.post(PACKAGES, &with(new_package(), "/file_location/obs_location/object_key", json!(key))).await
        }
        "create_package.region_name" | "create_package.sign_method" | "create_package.sign" => {
            world.post(PACKAGES, &create(&format!("/file_location/obs_location/{field}"))).await
        }
        "list_packages.app_id" | "list_modules.app_id" | "list_products.app_id" => {
            prepare_space(world, value).await;
            let list = match operation {
                "list_packages" => FIRMWARE_LIST.to_owned() + "&",
                "list_modules" => MODULES.to_owned() + "?",
                _ => "/products?".to_owned(),
            };
            world.get(&format!("{list}app_id={escaped}")).await
        }
        "list_packages.package_type" => world.get(&format!("{PACKAGES}?package_type={escaped}")).await,
        "list_packages.product_id" | "list_packages.version" => {
            world.get(&format!("{FIRMWARE_LIST}&{field}={escaped}")).await
        }
        "list_modules.product_id" => world.get(&format!("{MODULES}?app_id={SPACE}&product_id={escaped}")).await,
        "list_products.product_name" => world.get(&format!("/products?product_name={escaped}")).await,
        "list_spaces.default_app" => world.get(&format!("/apps?default_app={escaped}")).await,
        "create_module.app_id" => {
            prepare_space(world, value).await;
            let body = json!({"app_id": value, "product_id": product_in(value), "module_name": "bms"});
            world.post(MODULES, &body).await
        }
        "create_module.product_id" => {
            prepare_product(world, SPACE, value).await;
            world.post(MODULES, &json!({"app_id": SPACE, "product_id": value, "module_name": "bms"})).await
        }
        "create_module.module_name" => {
            prepare_product(world, SPACE, "for-modules").await;
            world.post(MODULES, &json!({"app_id": SPACE, "product_id": "for-modules", "module_name": value})).await
        }
        "create_module.alias_name" | "create_module.description" => {
            let name = format!("module-{}", otaru_core::clock::random_text(8));
            let body = json!({"app_id": SPACE, "product_id": PRODUCT, "module_name": name});
            world.post(MODULES, &with(body, &format!("/{field}"), json!(value))).await
        }
        "update_module.alias_name" | "update_module.description" => {
            prepare_module(world, "changed").await;
            let listed = world.get(&format!("{MODULES}?app_id={SPACE}&product_id={PRODUCT}")).await;
            let id = listed.body["modules"][0]["module_id"].as_str().unwrap();
            world.put(&format!("{MODULES}/{id}"), &json!({field: value})).await
        }
        "space.app_name" => world.post("/apps", &json!({"app_name": value})).await,
        "product.app_id" => {
            prepare_space(world, value).await;
            world.post("/products", &with(new_product(), "/app_id", json!(value))).await
        }
        "product.product_id"
        | "product.name"
        | "product.device_type"
        | "product.protocol_type"
        | "product.data_format"
        | "product.manufacturer_name"
        | "product.industry"
        | "product.description" => {
            let made = world.post("/products", &with(new_product(), &format!("/{field}"), json!(value))).await;
            if field != "product_id" {
                let changed = world.put(&format!("/products/{PRODUCT}"), &json!({field: value})).await;
                assert_eq!(changed.status.is_success(), made.status.is_success(), "{name} when a product is changed");
            }
            made
        }
        "token.name" | "token.id" | "token.password" => {
            let mut user = json!({"name": "nobody", "password": "p", "domain": {"name": "d"}});
            if field == "id" {
                user = without(user, "/name");
            }
            user[field] = json!(value);
            let identity = json!({"methods": ["password"], "password": {"user": user}});
            let body = json!({"auth": {"identity": identity}}).to_string();
            world.send(Request::post("/v3/auth/tokens").body(body.into()).unwrap()).await
        }
        "projects.name" => {
            let mut request = world.request(Method::GET, "", Body::empty());
            *request.uri_mut() = format!("/v3/projects?name={escaped}").parse().unwrap();
            world.send(request).await
        }
        other => panic!("there is no way to try the limit {other}"),
    }
}

/// A space of that code, if it can be one, with a product in it.
async fn prepare_space(world: &World, code: &str) {
    if world.app.create_space(&world.admin, "space", Some(code)).await.is_ok() {
        prepare_product(world, code, &product_in(code)).await;
    }
}

/// The product of a prepared space: as many letters as its code, so that it is another product in each.
fn product_in(space: &str) -> String {
    format!("of-{}", space.chars().rev().take(33).collect::<String>())
}

async fn prepare_product(world: &World, space: &str, code: &str) {
    let draft = ProductDraft { name: "meter".to_owned(), ..ProductDraft::default() };
    let (space_code, code) = (Some(space.to_owned()), Some(code.to_owned()));
    let new = NewProduct { space_code, code, draft, door: DOOR, ..NewProduct::default() };
    let _ = world.app.create_product(&world.admin, new).await;
}

async fn prepare_module(world: &World, name: &str) {
    let Some(name) = ModuleName::new(name) else { return };
    let product = ProductRef::Code(PRODUCT.to_owned());
    let new = NewModule { space_code: None, product, name, alias: None, description: None, max_per_product: None };
    let _ = world.app.create_module(&world.admin, new).await;
}

/// Values that keep a limit, and values that break it.
fn values(limit: &Limit) -> (Vec<String>, Vec<String>) {
    match &limit.rule {
        Rule::Text { min, max, set } => text_values(limit.name, *min, *max, set),
        Rule::Integer { min, max } => (
            vec![min.to_string(), max.to_string()],
            vec![(min - 1).to_string(), (max + 1).to_string(), "x".to_owned(), "1.0".to_owned(), String::new()],
        ),
        Rule::Count { min, max } => (vec![min.to_string(), max.to_string()], vec![(max + 1).to_string()]),
        Rule::Word(words) => {
            let wrong =
                words.iter().map(|word| format!("{word}x")).chain([String::new(), words[0].to_uppercase() + "X"]);
            (words.iter().map(|word| (*word).to_owned()).collect(), wrong.collect())
        }
        Rule::Suffix(suffixes) => {
            let right = suffixes.iter().flat_map(|suffix| [(*suffix).to_owned(), suffix.to_uppercase()]);
            (right.collect(), [".txt", ".binx", "bin", ""].map(str::to_owned).to_vec())
        }
    }
}

fn text_values(name: &str, min: usize, max: usize, set: &Set) -> (Vec<String>, Vec<String>) {
    // Keys of objects are bound in bytes where they are stored, and some stores would be one letter too few or too many.
    let ascii_only = name == "create_package.object_key";
    let inside: Vec<char> = set.inside.chars().filter(|letter| letter.is_ascii() || !ascii_only).collect();
    let of_length = |length: usize, from: usize| -> String { inside.iter().cycle().skip(from).take(length).collect() };
    // A key also needs its suffix, which takes four letters.
    let least = if ascii_only { 4 } else { min };
    let right = vec![of_length(least, 0), of_length(max, 1)];
    let mut wrong = vec![of_length(max + 1, 0)];
    // An empty segment of a path is another path.
    if min > 0 && !(name.starts_with("path.") && min == 1) {
        wrong.push(of_length(min - 1, 0));
    }
    for letter in set.outside.chars() {
        let mut value = of_length(if ascii_only { 8 } else { least.max(2) }, 0);
        value.replace_range(..value.chars().next().unwrap().len_utf8(), &letter.to_string());
        wrong.push(value);
    }
    (right, wrong)
}

#[tokio::test]
async fn every_limit_holds_at_its_edges() {
    for limit in LIMITS {
        // One limit's records are in no other's way.
        let world = World::with_example(Settings::default()).await;
        let (right, wrong) = values(limit);
        let expected = expected(limit);
        for value in right {
            let reply = attempt(&world, limit.name, &value).await;
            let status = reply.status.as_u16();
            assert!(expected.taken.contains(&status), "{} refuses {value:?}: {}", limit.name, reply.body);
        }
        for value in wrong {
            let reply = attempt(&world, limit.name, &value).await;
            assert_eq!(reply.status, 400, "{} takes {value:?}: {}", limit.name, reply.body);
            let is_iam = reply.body.get("error").is_some();
            if !is_iam {
                assert_eq!(reply.body["error_code"], expected.code, "{}: {}", limit.name, reply.body);
            }
            let message = if is_iam { &reply.body["error"]["message"] } else { &reply.body["error_msg"] };
            let message = message.as_str().unwrap();
            assert!(message.contains(&expected.field), "{}: `{message}` does not name it", limit.name);
        }
    }
}

#[test]
fn every_limit_has_a_name_of_its_own() {
    for (at, limit) in LIMITS.iter().enumerate() {
        assert!(!LIMITS[..at].iter().any(|other| other.name == limit.name), "{}", limit.name);
    }
}
