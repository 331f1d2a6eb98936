//! So many at once, by key: connections of an address, requests of a tenant.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// How many are inside, by key.
type Counts<K> = Arc<Mutex<HashMap<K, usize>>>;

/// Lets at most so many in under each key. Cheap to clone; clones count together.
#[derive(Debug)]
pub struct Gate<K: Hash + Eq> {
    most: usize,
    inside: Counts<K>,
}

impl<K: Hash + Eq> Clone for Gate<K> {
    fn clone(&self) -> Gate<K> {
        Gate { most: self.most, inside: Arc::clone(&self.inside) }
    }
}

impl<K: Hash + Eq + Clone> Gate<K> {
    /// At most `most` under one key at once; 0 for any number.
    pub fn new(most: usize) -> Gate<K> {
        Gate { most, inside: Arc::default() }
    }

    /// Lets one in until the guard is dropped; none if there is no place under this key.
    pub fn enter(&self, key: &K) -> Option<Inside<K>> {
        if self.most == 0 {
            return Some(Inside { left: None });
        }
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        match inside.get_mut(key) {
            Some(count) if *count >= self.most => return None,
            Some(count) => *count += 1,
            None => {
                inside.insert(key.clone(), 1);
            }
        }
        Some(Inside { left: Some((Arc::clone(&self.inside), key.clone())) })
    }
}

/// One that was let in.
#[derive(Debug)]
pub struct Inside<K: Hash + Eq> {
    /// Where it is counted; nothing where nobody counts.
    left: Option<(Counts<K>, K)>,
}

impl<K: Hash + Eq> Drop for Inside<K> {
    fn drop(&mut self) {
        let Some((inside, key)) = self.left.take() else { return };
        let mut inside = inside.lock().unwrap_or_else(PoisonError::into_inner);
        // The last one takes the key along, so that the map is as large as who is there now.
        if let Some(count) = inside.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                inside.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_places_of_its_own_and_gets_them_back() {
        let gate = Gate::new(2);
        let first = gate.enter(&"a").unwrap();
        let _second = gate.enter(&"a").unwrap();
        assert!(gate.enter(&"a").is_none());
        assert!(gate.clone().enter(&"a").is_none(), "clones count together");
        let other = gate.enter(&"b").unwrap();
        drop((first, other));
        assert!(gate.enter(&"a").is_some());
        assert_eq!(gate.inside.lock().unwrap().len(), 1, "who left leaves nothing behind");
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let gate = Gate::new(0);
        let all: Vec<_> = (0..1000).map(|_| gate.enter(&1).unwrap()).collect();
        assert!(gate.inside.lock().unwrap().is_empty());
        drop(all);
    }
}
