//! Bounded maps, for names that sources choose: `bounded.py`.

/// Entries of one map of a journey.
pub const MAX_NAMES: usize = 256;

/// A map of few names that keeps them in the order in which they came.
pub struct Bounded<V>(Vec<(Box<str>, V)>);

impl<V> Default for Bounded<V> {
    fn default() -> Self {
        Bounded(Vec::new())
    }
}

impl<V> Bounded<V> {
    pub fn get(&self, name: &str) -> Option<&V> {
        self.0.iter().find(|entry| &*entry.0 == name).map(|entry| &entry.1)
    }

    /// Sets an entry. A new one beyond MAX_NAMES evicts the oldest one.
    pub fn put(&mut self, name: &str, value: V) {
        match self.0.iter_mut().find(|entry| &*entry.0 == name) {
            Some(entry) => entry.1 = value,
            None => {
                self.push(name, value);
            }
        }
    }

    /// The entry of a name, a new one of `value` if there is none.
    pub fn entry(&mut self, name: &str, value: impl FnOnce() -> V) -> &mut V {
        let index = match self.0.iter().position(|entry| &*entry.0 == name) {
            Some(index) => index,
            None => self.push(name, value()),
        };
        &mut self.0[index].1
    }

    pub fn remove(&mut self, name: &str) {
        self.0.retain(|entry| &*entry.0 != name);
    }

    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &V)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    pub fn sorted(&self) -> Vec<(&str, &V)> {
        let mut entries: Vec<_> = self.iter().collect();
        entries.sort_unstable_by_key(|entry| entry.0);
        entries
    }

    fn push(&mut self, name: &str, value: V) -> usize {
        if self.0.len() >= MAX_NAMES {
            self.0.remove(0);
        }
        self.0.push((name.into(), value));
        self.0.len() - 1
    }
}
