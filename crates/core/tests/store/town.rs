//! Two copies of the server on one database, and what they do at the same time.
//!
//! On SQLite one writer takes verbs in turn; on PostgreSQL their statements interleave.

use std::sync::Arc;

use futures::future::BoxFuture;
use otaru_core::app::{
    App, Caller, Claim, CreationRules, Error, FileSource, NewFile, NewModule, NewObject, NewPackage, NewProduct, Noun,
    PackageQuery, ProductRef,
};
use otaru_model::{DeviceKind, ModuleName, Package, PackageKind, Page, ProductDraft, Verification};

use crate::place::Place;

/// How often a race is run: an interleaving that goes wrong shows within a few.
pub const ROUNDS: usize = 15;

/// Runs everything at the same time and answers with every outcome.
pub async fn together<T: Send + 'static>(tasks: Vec<BoxFuture<'static, T>>) -> Vec<T> {
    let start = Arc::new(tokio::sync::Barrier::new(tasks.len()));
    let running: Vec<_> = tasks
        .into_iter()
        .map(|task| {
            let start = start.clone();
            tokio::spawn(async move {
                start.wait().await;
                task.await
            })
        })
        .collect();
    let mut outcomes = Vec::new();
    for task in running {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

/// Two things at the same time, of different kinds.
pub async fn both<A, B>(
    first: impl Future<Output = A> + Send + 'static,
    second: impl Future<Output = B> + Send + 'static,
) -> (A, B)
where
    A: Send + 'static,
    B: Send + 'static,
{
    let (first, second) = (tokio::spawn(first), tokio::spawn(second));
    (first.await.unwrap(), second.await.unwrap())
}

pub struct Town {
    pub copies: [App; 2],
    pub owner: Caller,
}

impl Town {
    /// A town with the object `k` in the bucket `abc`, of which every package here is made.
    pub async fn open(place: &Place) -> Town {
        let (copies, owner) = place.copies().await;
        let town = Town { copies, owner };
        let app = &town.copies[0];
        app.create_bucket(&town.owner, "abc", "").await.unwrap();
        let mut writing = app.begin_writing(&town.owner, "abc").await.unwrap();
        writing.write(bytes::Bytes::from_static(b"firmware")).await.unwrap();
        let new = NewObject { bucket: "abc".to_owned(), key: "k".to_owned(), ..NewObject::default() };
        writing.finish_object(new).await.unwrap();
        town
    }

    pub async fn product(&self, name: &str) -> ProductRef {
        let product = create_product(self.copies[0].clone(), self.owner.clone(), name, None, false).await.unwrap();
        ProductRef::Code(product.code)
    }

    /// One task for each turn, on both copies in turn.
    pub fn on_copies<T, F>(&self, count: usize, task: impl Fn(App, Caller, usize) -> F) -> Vec<BoxFuture<'static, T>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let one = |turn: usize| -> BoxFuture<'static, T> {
            Box::pin(task(self.copies[turn % 2].clone(), self.owner.clone(), turn))
        };
        (0..count).map(one).collect()
    }

    pub async fn packages(&self) -> Vec<Package> {
        let page = self.copies[1].list_packages(&self.owner, PackageQuery::all(Page::first(1000))).await.unwrap();
        assert_eq!(page.items.len() as u64, page.total, "the total is exact");
        page.items
    }
}

pub async fn create_product(
    app: App,
    owner: Caller,
    name: &str,
    space_code: Option<String>,
    unique_name: bool,
) -> Result<otaru_model::Product, Error> {
    let draft = ProductDraft { name: name.to_owned(), ..ProductDraft::default() };
    app.create_product(&owner, NewProduct { space_code, draft, door: "test", unique_name, ..NewProduct::default() })
        .await
}

pub fn new_package(product: &ProductRef, module: &str, version: &str) -> NewPackage {
    let source = FileSource::Object { region: String::new(), bucket: "abc".to_owned(), key: "k".to_owned() };
    NewPackage {
        space_code: None,
        product: product.clone(),
        module: ModuleName::new(module).unwrap(),
        version: version.to_owned(),
        name: None,
        description: None,
        custom_info: None,
        kind: PackageKind::Full,
        source_versions: Vec::new(),
        verification: Verification::NotNeeded,
        device_kind: DeviceKind::default(),
        extra: serde_json::Map::new(),
        door: "test",
        files: vec![NewFile { source, name: None, declared_bytes: None, declared_md5: None, declared_sign: None }],
        rules: CreationRules { claims: Vec::new(), max_packages: None, max_file_bytes: 100, refuse_wrong_bytes: true },
    }
}

pub fn with_claim(mut new: NewPackage, name: &str) -> NewPackage {
    new.name = Some(name.to_owned());
    new.rules.claims = vec![Claim::of_name("name", name)];
    new
}

pub fn new_module(product: &ProductRef, name: &str) -> NewModule {
    NewModule {
        space_code: None,
        product: product.clone(),
        name: ModuleName::new(name).unwrap(),
        alias: None,
        description: None,
        max_per_product: None,
    }
}

pub fn is_not_found<T: std::fmt::Debug>(outcome: &Result<T, Error>, wanted: Noun) -> bool {
    matches!(outcome, Err(Error::NotFound { noun, .. }) if *noun == wanted)
}

pub fn is_in_use<T: std::fmt::Debug>(outcome: &Result<T, Error>, wanted: Noun) -> bool {
    matches!(outcome, Err(Error::InUse { noun, .. }) if *noun == wanted)
}
