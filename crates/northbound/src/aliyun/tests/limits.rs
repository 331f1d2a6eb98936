//! Every limit is tried at its edges, below and above, in a request that is otherwise right. A limit that this does not know
//! how to try makes it fail.

use otaru_core::app::{NewModule, NewProduct, ProductRef};
use otaru_model::{ModuleName, ProductDraft};

use super::super::limits::LIMITS;
use super::*;
use crate::wire::limits::{Rule, Set};

/// A value, and whether it keeps the limit.
struct Trial {
    value: String,
    keeps: bool,
}

fn trial(value: impl Into<String>, keeps: bool) -> Trial {
    Trial { value: value.into(), keeps }
}

fn text_of(set: &Set, length: usize) -> String {
    set.inside.chars().cycle().take(length).collect()
}

fn trials(rule: &Rule) -> Vec<Trial> {
    match rule {
        Rule::Text { min, max, set } => {
            let mut trials = vec![trial(text_of(set, *max), true), trial(text_of(set, max + 1), false)];
            if *min > 0 && min < max {
                trials.push(trial(text_of(set, *min), true));
            }
            // An empty value is one that was not sent, which other tests are about.
            if *min > 1 {
                trials.push(trial(text_of(set, min - 1), false));
            }
            let around = text_of(set, (*min).max(1) - 1);
            // NUL does not get as far as a limit.
            trials.extend(
                set.outside
                    .chars()
                    .filter(|&letter| letter != '\0')
                    .map(|letter| trial(format!("{around}{letter}"), false)),
            );
            trials
        }
        Rule::Integer { min, max } => vec![
            trial((min - 1).to_string(), false),
            trial(min.to_string(), true),
            trial(max.to_string(), true),
            trial((max + 1).to_string(), false),
            trial("99999999999999999999999", false),
        ],
        Rule::Count { min, max } => {
            vec![trial(min.to_string(), true), trial(max.to_string(), true), trial((max + 1).to_string(), false)]
        }
        Rule::Word(words) => {
            let mut trials: Vec<Trial> = words.iter().map(|word| trial(*word, true)).collect();
            trials.push(trial(format!("{}x", words[0]), false));
            let flipped: String = words[0]
                .chars()
                .map(|letter| {
                    if letter.is_ascii_uppercase() { letter.to_ascii_lowercase() } else { letter.to_ascii_uppercase() }
                })
                .collect();
            trials.push(trial(flipped, false));
            trials
        }
        Rule::Suffix(_) => panic!("this dialect has no limit of this kind"),
    }
}

/// What a trial needs around it: one product, whose key is the right sample of a key.
struct Scene {
    bench: Bench,
    key: String,
    serial: u32,
}

type Owned = Vec<(String, String)>;

impl Scene {
    async fn new() -> Scene {
        let settings = Settings { max_packages: None, max_modules_per_product: None, ..Settings::default() };
        let bench = Bench::with(settings).await;
        let key = text_of(&Set::ALPHANUMERIC, 11);
        let draft = ProductDraft { name: "a product".to_owned(), ..ProductDraft::default() };
        let new = NewProduct { key: Some(key.clone()), draft, ..NewProduct::default() };
        bench.app.create_product(&bench.admin, new).await.unwrap();
        Scene { bench, key, serial: 0 }
    }

    /// A request that is right.
    async fn base(&mut self, operation: &str) -> Owned {
        self.serial += 1;
        let serial = self.serial.to_string();
        let key = self.key.clone();
        let own = |name: &str, value: String| (name.to_owned(), value);
        match operation {
            "GenerateOTAUploadURL" => vec![],
            "CreateOTAFirmware" => vec![
                own("FirmwareName", format!("firmware-{serial}")),
                own("DestVersion", format!("version-{serial}")),
                own("ProductKey", key),
                own("FirmwareUrl", self.bench.upload(b"bytes of a firmware").await),
            ],
            "ModifyOTAFirmware" => {
                let id = self.bench.firmware(&key, &format!("firmware-{serial}"), &serial, &[]).await;
                vec![own("FirmwareId", id), own("ProductKey", key)]
            }
            "ListOTAFirmware" | "QueryProductList" => {
                vec![own("CurrentPage", "1".to_owned()), own("PageSize", "10".to_owned())]
            }
            "CreateOTAModule" => vec![own("ProductKey", key), own("ModuleName", format!("module-{serial}"))],
            "UpdateOTAModule" | "DeleteOTAModule" => {
                let module = format!("module-{serial}");
                self.make_module(&module).await;
                vec![own("ProductKey", key), own("ModuleName", module)]
            }
            "CreateProduct" => {
                vec![own("ProductName", format!("product {serial}")), own("NodeType", "0".to_owned())]
            }
            "ListOTAModuleByProduct" | "QueryProduct" | "DeleteProduct" => vec![own("ProductKey", key)],
            other => panic!("how is {other} tried?"),
        }
    }

    async fn make_module(&self, name: &str) {
        let new = NewModule {
            space_code: None,
            product: ProductRef::Key(self.key.clone()),
            name: ModuleName::new(name).unwrap(),
            alias: None,
            description: None,
            max_per_product: None,
        };
        self.bench.app.create_module(&self.bench.admin, new).await.unwrap();
    }

    /// The request with `value` in `field`, and what that value needs beside it. Also what the field is called there.
    async fn request(&mut self, operation: &str, field: &str, trial: &Trial) -> (Owned, String) {
        let mut request = self.base(operation).await;
        let value = trial.value.as_str();
        let mut set = |name: &str, value: &str| {
            request.retain(|(other, _)| other != name);
            request.push((name.to_owned(), value.to_owned()));
        };
        match (operation, field) {
            ("CreateOTAFirmware", "Type") => {
                set("SrcVersion", "an-older-one");
                set("Type", value);
            }
            ("CreateOTAFirmware", "FirmwareSign") => {
                set("SignMethod", if value.len() == 64 { "SHA256" } else { "MD5" });
                set("FirmwareSign", value);
            }
            ("CreateOTAFirmware" | "UpdateOTAModule" | "DeleteOTAModule", "ModuleName") => {
                set("ModuleName", value);
                if trial.keeps {
                    self.make_module(value).await;
                }
            }
            ("CreateOTAFirmware", "MultiFiles") => {
                let url = request.pop().unwrap().1;
                for at in 1..=value.parse().unwrap() {
                    request.push((format!("MultiFiles.{at}.Name"), format!("file {at}")));
                    request.push((format!("MultiFiles.{at}.Url"), url.clone()));
                }
            }
            (
                "CreateOTAFirmware",
                "MultiFiles.Name" | "MultiFiles.Size" | "MultiFiles.FileMd5" | "MultiFiles.SignValue",
            ) => {
                let url = request.pop().unwrap().1;
                request.push(("MultiFiles.1.Url".to_owned(), url));
                if field != "MultiFiles.Name" {
                    request.push(("MultiFiles.1.Name".to_owned(), "file".to_owned()));
                }
                if value.len() == 64 {
                    request.push(("SignMethod".to_owned(), "SHA256".to_owned()));
                }
                let shown = field.replace("MultiFiles.", "MultiFiles.1.");
                request.push((shown.clone(), value.to_owned()));
                return (request, shown);
            }
            _ => set(field, value),
        }
        (request, field.to_owned())
    }
}

/// What else but success shows that a value passed its limit.
fn passed_as(operation: &str, field: &str) -> Option<&'static str> {
    match (operation, field) {
        // The sample is no digest and no size of the bytes that were uploaded.
        (
            "CreateOTAFirmware",
            "FirmwareSize" | "FirmwareSign" | "MultiFiles.Size" | "MultiFiles.FileMd5" | "MultiFiles.SignValue",
        ) => Some("iot.ota.FirmwareSignMismatch"),
        _ => None,
    }
}

fn refused_as(field: &str) -> &'static str {
    match field {
        "CurrentPage" | "PageSize" => "iot.common.InvalidPageParams",
        "ProductKey" => "iot.prod.InvalidFormattedProductkey",
        "ProductName" => "iot.prod.InvalidFormattedProductName",
        "Description" => "iot.prod.LongProductDesc",
        "NodeType" => "iot.prod.InvalidNodeType",
        "AliyunCommodityCode" => "iot.prod.InvalidAliyunCommodityCode",
        "MultiFiles" => "iot.check.ParameterIsNotLessThanMax",
        _ => "iot.check.InvalidFormattedParameter",
    }
}

#[tokio::test]
async fn every_limit_holds_at_its_edges() {
    let mut tried = 0;
    for operation in super::super::operations::OPERATIONS {
        let mut scene = Scene::new().await;
        let of_operation = LIMITS
            .iter()
            .filter_map(|limit| Some((limit, limit.name.strip_prefix(operation.name)?.strip_prefix('.')?)));
        for (limit, field) in of_operation {
            tried += 1;
            for trial in trials(&limit.rule) {
                let (request, shown) = scene.request(operation.name, field, &trial).await;
                let request: Vec<(&str, &str)> =
                    request.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                let answer = scene.bench.call(operation.name, &request).await;
                let what = format!("{} = {:?}: {}", limit.name, trial.value, answer.text);
                let code = answer.json()["Code"].as_str().map(str::to_owned);
                match (trial.keeps, &code) {
                    (true, None) => {}
                    (true, Some(code)) => assert_eq!(Some(code.as_str()), passed_as(operation.name, field), "{what}"),
                    (false, _) => {
                        assert_eq!(code.as_deref(), Some(refused_as(field)), "{what}");
                        assert!(answer.message().contains(&shown), "{what}");
                        assert!(answer.message().contains(&limit.expectation()), "{what}");
                    }
                }
            }
        }
    }
    assert_eq!(tried, LIMITS.len(), "a limit of no operation");
}

/// The documented numbers, where a mistake in the table would go unnoticed by a test that is built from the table.
#[test]
fn the_table_says_what_the_contract_says() {
    let text = |name: &str| match LIMITS.iter().find(|limit| limit.name == name).map(|limit| &limit.rule) {
        Some(Rule::Text { min, max, .. }) => (*min, *max),
        other => panic!("{name}: {other:?}"),
    };
    let number = |name: &str| match LIMITS.iter().find(|limit| limit.name == name).map(|limit| &limit.rule) {
        Some(Rule::Integer { min, max }) => (*min, *max),
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(text("CreateOTAFirmware.FirmwareName"), (1, 40));
    assert_eq!(text("CreateOTAFirmware.DestVersion"), (1, 64));
    assert_eq!(text("CreateOTAFirmware.FirmwareDesc"), (1, 100));
    assert_eq!(text("CreateOTAFirmware.Udi"), (0, 4096));
    assert_eq!(text("CreateOTAFirmware.MultiFiles.Name"), (1, 32));
    assert_eq!(text("ModifyOTAFirmware.FirmwareUdi"), (0, 4096));
    assert_eq!(text("CreateOTAModule.ModuleName"), (1, 64));
    assert_eq!(text("CreateOTAModule.AliasName"), (1, 64));
    assert_eq!(text("CreateOTAModule.Desc"), (0, 100));
    assert_eq!(text("CreateProduct.ProductName"), (4, 30));
    assert_eq!(number("ListOTAFirmware.PageSize"), (1, 100));
    assert_eq!(number("QueryProductList.PageSize"), (1, 200));
    assert_eq!(number("ListOTAFirmware.CurrentPage"), (1, 2_147_483_647));
    assert_eq!(number("CreateOTAFirmware.FirmwareSize"), (0, 2_147_483_647));
}

/// Empty values are those that were not sent.
#[tokio::test]
async fn an_empty_value_is_none() {
    let mut scene = Scene::new().await;
    let mut request = scene.base("CreateOTAFirmware").await;
    for name in [
        "SrcVersion",
        "ModuleName",
        "FirmwareSign",
        "SignMethod",
        "FirmwareSize",
        "Type",
        "NeedToVerify",
        "FirmwareDesc",
    ] {
        request.push((name.to_owned(), String::new()));
    }
    let request: Vec<(&str, &str)> = request.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    scene.bench.call("CreateOTAFirmware", &request).await.success();
    scene.bench.call("GenerateOTAUploadURL", &[("FileSuffix", "")]).await.success();
}
