//! The suite calls every public function of the store: one that it does not call fails here, by name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::{ImplItem, Item, Visibility};

fn sources(folder: &str) -> Vec<(String, String)> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let rust = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(&path).unwrap())
    };
    rust.map(read).collect()
}

/// `module::function` for every public function, `Type::method` for every public method.
fn public_functions() -> BTreeSet<String> {
    let mut functions = BTreeSet::new();
    for (module, text) in sources("src/store") {
        for item in syn::parse_file(&text).unwrap().items {
            match item {
                Item::Fn(function) if matches!(function.vis, Visibility::Public(_)) => {
                    functions.insert(format!("{module}::{}", function.sig.ident));
                }
                Item::Impl(block) if block.trait_.is_none() => {
                    let syn::Type::Path(owner) = *block.self_ty else { continue };
                    let owner = &owner.path.segments.last().unwrap().ident;
                    for member in block.items {
                        if let ImplItem::Fn(method) = member
                            && matches!(method.vis, Visibility::Public(_))
                        {
                            functions.insert(format!("{owner}::{}", method.sig.ident));
                        }
                    }
                }
                _ => {}
            }
        }
    }
    functions
}

/// The words of a source, what stands inside of macros included.
fn words(text: &str) -> Vec<String> {
    fn collect(tokens: TokenStream, words: &mut Vec<String>) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => {
                    words.push("(".to_owned());
                    collect(group.stream(), words);
                    words.push(")".to_owned());
                }
                other => words.push(other.to_string()),
            }
        }
    }
    let mut words = Vec::new();
    collect(text.parse().unwrap(), &mut words);
    words
}

#[test]
fn every_public_function_of_the_store_is_called() {
    let mut called = BTreeSet::new();
    for (file, text) in sources("tests/store") {
        if file == "coverage" {
            continue;
        }
        for window in words(&text).windows(5) {
            match window {
                [owner, first, second, name, open] if first == ":" && second == ":" && open == "(" => {
                    called.insert(format!("{owner}::{name}"));
                }
                // A turbofish stands between a method's name and its parentheses.
                [.., dot, name, open] if dot == "." && (open == "(" || open == ":") => {
                    called.insert(format!(".{name}"));
                }
                _ => {}
            }
        }
    }
    let functions = public_functions();
    assert!(functions.len() > 100, "only {} functions were found", functions.len());
    let is_called = |function: &&String| {
        let (owner, name) = function.split_once("::").unwrap();
        let is_method = owner.starts_with(char::is_uppercase);
        called.contains(*function) || is_method && called.contains(&format!(".{name}"))
    };
    let missing: Vec<&String> = functions.iter().filter(|function| !is_called(function)).collect();
    assert!(missing.is_empty(), "no test calls {missing:#?}");
}
