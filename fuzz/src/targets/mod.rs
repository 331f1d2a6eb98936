//! One target for each parser: what it is fed with, and what has to hold whatever comes.

mod chunks;
mod doors;
mod files;
mod signatures;
mod texts;
mod xml;

use std::error::Error;

use crate::corpus::{self, Place};
use crate::house::House;
use crate::request::Request;

/// What an input came to, as far as one outcome differs from another: inputs with a new one join the corpus.
pub type Outcome = String;
/// An outcome, or what did not hold.
pub type Verdict = Result<Outcome, String>;

/// Inputs to begin with.
pub type Seeds = Result<Vec<Vec<u8>>, Box<dyn Error>>;

/// What targets need beside their input.
#[derive(Default)]
pub struct Ground {
    house: Option<House>,
    files: Option<files::Files>,
}

impl Ground {
    pub fn house(&mut self) -> Result<&mut House, String> {
        if self.house.is_none() {
            self.house = Some(House::open().map_err(|error| format!("the doors cannot be opened: {error}"))?);
        }
        self.house.as_mut().ok_or_else(|| "there is no house".to_owned())
    }
}

/// How inputs are mutated: as bytes, or as requests, part by part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Bytes,
    Request,
}

pub struct Target {
    pub name: &'static str,
    /// What it feeds.
    pub about: &'static str,
    pub kind: Kind,
    pub seeds: fn(&mut Ground) -> Seeds,
    pub check: fn(&mut Ground, &[u8]) -> Verdict,
}

/// Every target.
pub fn all() -> Vec<Target> {
    [signatures::TARGETS, texts::TARGETS, chunks::TARGETS, files::TARGETS, xml::TARGETS, doors::TARGETS]
        .into_iter()
        .flat_map(|targets| targets.iter().map(|target| Target { ..*target }))
        .collect()
}

/// The requests of the corpus that a target takes, for the house if there is one and for nobody otherwise.
fn seeds(place: &Place, wanted: impl Fn(&Request) -> bool) -> Vec<Vec<u8>> {
    corpus::requests(place).iter().filter(|request| wanted(request)).map(Request::write).collect()
}

fn lines(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// An error if something does not hold.
fn holds(condition: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if condition { Ok(()) } else { Err(what()) }
}

/// What an error is like without what it repeats of the input.
fn kind_of(error: &impl std::fmt::Debug) -> String {
    let text = format!("{error:?}");
    text.split(['{', '(', '"']).next().unwrap_or_default().trim().to_owned()
}
