//! Numbers by their labels, found again without putting the labels together: every request records into several.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Label, counter, gauge, histogram};

/// The numbers of one name, by labels whose values are words of this program.
pub struct Numbers<H, const LABELS: usize> {
    name: &'static str,
    labels: [&'static str; LABELS],
    find: fn(&'static str, Vec<Label>) -> H,
    known: RwLock<BTreeMap<[Place; LABELS], H>>,
}

/// Where a word of this program lies. One that lies in two places has two handles for one number.
type Place = (usize, usize);

impl<const LABELS: usize> Numbers<Histogram, LABELS> {
    pub const fn histograms(name: &'static str, labels: [&'static str; LABELS]) -> Self {
        Self { name, labels, find: |name, labels| histogram!(name, labels), known: RwLock::new(BTreeMap::new()) }
    }

    /// Records a time under the labels' values.
    pub fn record(&self, values: [&'static str; LABELS], took: Duration) {
        self.with(values, |histogram| histogram.record(took));
    }
}

impl<const LABELS: usize> Numbers<Counter, LABELS> {
    pub const fn counters(name: &'static str, labels: [&'static str; LABELS]) -> Self {
        Self { name, labels, find: |name, labels| counter!(name, labels), known: RwLock::new(BTreeMap::new()) }
    }

    pub fn add(&self, values: [&'static str; LABELS], count: u64) {
        self.with(values, |counter| counter.increment(count));
    }
}

impl<const LABELS: usize> Numbers<Gauge, LABELS> {
    pub const fn gauges(name: &'static str, labels: [&'static str; LABELS]) -> Self {
        Self { name, labels, find: |name, labels| gauge!(name, labels), known: RwLock::new(BTreeMap::new()) }
    }

    /// Adds `change`, which may be below zero.
    pub fn change(&self, values: [&'static str; LABELS], change: f64) {
        self.with(values, |gauge| gauge.increment(change));
    }
}

impl<H, const LABELS: usize> Numbers<H, LABELS> {
    fn with(&self, values: [&'static str; LABELS], work: impl FnOnce(&H)) {
        let places = values.map(|word| (word.as_ptr().addr(), word.len()));
        if let Some(known) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&places) {
            return work(known);
        }
        let labels = self.labels.into_iter().zip(values).map(|(label, value)| Label::new(label, value));
        let new = (self.find)(self.name, labels.collect());
        work(&new);
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(places, new);
    }
}
