//! A map that keeps its entries in the order in which they came, as a dict of Python does.

use std::collections::HashMap;
use std::hash::Hash;

pub struct Ordered<K, V> {
    entries: Vec<(K, V)>,
    index: HashMap<K, usize>,
}

impl<K, V> Default for Ordered<K, V> {
    fn default() -> Self {
        Ordered { entries: Vec::new(), index: HashMap::new() }
    }
}

impl<K: Copy + Eq + Hash, V: Default> Ordered<K, V> {
    pub fn get(&self, key: &K) -> Option<&V> {
        self.index.get(key).map(|index| &self.entries[*index].1)
    }

    /// The value of a key, a new one if there is none.
    pub fn entry(&mut self, key: K) -> &mut V {
        let index = *self.index.entry(key).or_insert_with(|| {
            self.entries.push((key, V::default()));
            self.entries.len() - 1
        });
        &mut self.entries[index].1
    }

    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.entries.iter().map(|(key, value)| (*key, value))
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }
}
