//! The house rules that the compiler cannot keep: which room may speak of what.

use std::path::{Path, PathBuf};

use syn::visit::Visit;

struct Source {
    path: String,
    file: syn::File,
    lines: usize,
}

/// Every source file below `folder`, parsed.
fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pending: Vec<PathBuf> = vec![root.join(folder)];
    let mut found = Vec::new();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let path = path.strip_prefix(root).unwrap().display().to_string();
            found.push(Source { path, file, lines: text.lines().count() });
        }
    }
    assert!(!found.is_empty(), "{folder} has no sources");
    found
}

/// The paths, names and texts of a file, comments and tests left out.
#[derive(Default)]
struct Spoken {
    paths: Vec<String>,
    names: Vec<String>,
    texts: Vec<String>,
}

impl<'ast> Visit<'ast> for Spoken {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            _ => &Vec::new(),
        };
        let is_test = attributes.iter().any(|attribute| {
            attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|name| name == "test")
        });
        if !is_test {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.paths.push(segments.join("::"));
        syn::visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        flatten(&item.tree, String::new(), &mut self.paths);
    }

    fn visit_ident(&mut self, name: &'ast proc_macro2::Ident) {
        self.names.push(name.to_string());
    }

    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.texts.push(text.value());
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.texts.push(item.tokens.to_string());
        syn::visit::visit_macro(self, item);
    }
}

fn flatten(tree: &syn::UseTree, before: String, into: &mut Vec<String>) {
    match tree {
        syn::UseTree::Path(path) => flatten(&path.tree, format!("{before}{}::", path.ident), into),
        syn::UseTree::Name(name) => into.push(format!("{before}{}", name.ident)),
        syn::UseTree::Rename(name) => into.push(format!("{before}{}", name.ident)),
        syn::UseTree::Glob(_) => into.push(format!("{before}*")),
        syn::UseTree::Group(group) => {
            group.items.iter().for_each(|tree| flatten(tree, before.clone(), into));
        }
    }
}

fn spoken(source: &Source) -> Spoken {
    let mut spoken = Spoken::default();
    spoken.visit_file(&source.file);
    spoken
}

fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.ends_with("_tests.rs")
}

/// Every folder of `northbound` but the one that all dialects share.
fn dialects() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/northbound/src");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    folders.map(|entry| entry.file_name().into_string().unwrap()).filter(|name| name != "wire").collect()
}

#[test]
fn no_dialect_uses_another() {
    let dialects = dialects();
    for dialect in &dialects {
        let folder = format!("crates/northbound/src/{dialect}");
        for source in sources(&folder) {
            for other in dialects.iter().filter(|other| *other != dialect) {
                let paths = spoken(&source).paths;
                let foreign = paths.iter().find(|path| {
                    path.starts_with(&format!("crate::{other}")) || path.starts_with(&format!("super::super::{other}"))
                });
                assert_eq!(foreign, None, "{} uses the dialect {other}", source.path);
            }
        }
    }
}

#[test]
fn doors_touch_neither_store_nor_blobs() {
    for folder in ["crates/northbound/src", "crates/southbound/src"] {
        for source in sources(folder).iter().filter(|source| !is_test_file(&source.path)) {
            let paths = spoken(source).paths;
            let foreign = paths
                .iter()
                .find(|path| path.starts_with("otaru_core::store") || path.starts_with("otaru_core::blobs::Blobs"));
            assert_eq!(foreign, None, "{} goes past the verbs", source.path);
        }
    }
}

#[test]
fn sql_is_in_the_store_only() {
    let looks_like_sql = |text: &str| {
        let begins = ["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "CREATE TABLE "];
        let middles = [" FROM ", " SET ", " VALUES", " WHERE ", "("];
        begins.iter().any(|word| text.starts_with(word)) && middles.iter().any(|word| text.contains(word))
    };
    for folder in ["crates", "src"] {
        for source in sources(folder) {
            if source.path.starts_with("crates/core/src/store/") || source.path.contains("/tests/") {
                continue;
            }
            let texts = spoken(&source).texts;
            assert_eq!(texts.iter().find(|text| looks_like_sql(text)), None, "{} has SQL", source.path);
        }
    }
}

#[test]
fn vendor_words_stay_at_the_edge() {
    const VENDOR_WORDS: [&str; 12] = [
        "iotda",
        "oceanconnect",
        "aliyun",
        "alibaba",
        "huawei",
        "productkey",
        "product_key_id",
        "firmwareid",
        "app_id",
        "obs_location",
        "$oc/",
        "hawkbit",
    ];
    for folder in ["crates/model/src", "crates/core/src"] {
        for source in sources(folder) {
            // Which object stores there are at the far end of a URL is the blob room's business.
            if is_test_file(&source.path) || source.path.starts_with("crates/core/src/blobs/") {
                continue;
            }
            let spoken = spoken(&source);
            for word in spoken.names.iter().chain(&spoken.texts) {
                let lower = word.to_lowercase();
                let vendor = VENDOR_WORDS.iter().find(|vendor| lower.contains(**vendor));
                assert_eq!(vendor, None, "{} says {word}", source.path);
            }
        }
    }
}

#[test]
fn the_model_has_no_io_and_no_clock() {
    for source in sources("crates/model/src") {
        let paths = spoken(&source).paths;
        let foreign = paths.iter().find(|path| {
            ["std::fs", "std::time", "std::thread", "tokio", "std::process"].iter().any(|room| path.starts_with(room))
        });
        assert_eq!(foreign, None, "{}", source.path);
    }
}

#[test]
fn time_is_an_argument() {
    for folder in ["crates/core/src", "crates/northbound/src", "crates/southbound/src"] {
        for source in sources(folder) {
            // The clock itself, and the blob room, whose files are dated by the file system.
            let may = ["crates/core/src/clock.rs", "crates/core/src/blobs/"];
            if is_test_file(&source.path) || may.iter().any(|path| source.path.starts_with(path)) {
                continue;
            }
            let paths = spoken(&source).paths;
            let now = paths.iter().find(|path| {
                path.ends_with("SystemTime::now") || path.ends_with("Timestamp::now") || path.ends_with("Zoned::now")
            });
            assert_eq!(now, None, "{}", source.path);
        }
    }
}

#[test]
fn every_room_has_a_sign_on_its_door_and_files_stay_readable() {
    for folder in ["crates", "src"] {
        for source in sources(folder) {
            let name = source.path.rsplit('/').next().unwrap();
            if (name == "mod.rs" || name == "lib.rs") && !is_test_file(&source.path) {
                let has_sign = source.file.attrs.iter().any(|attribute| attribute.path().is_ident("doc"));
                assert!(has_sign, "{} has no head comment", source.path);
            }
            assert!(source.lines <= 600, "{} has {} lines: is it still one room?", source.path, source.lines);
        }
    }
}
