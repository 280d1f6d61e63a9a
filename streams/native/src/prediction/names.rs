//! Names of stages and types as numbers: models and recent paths hold many, and few are different.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

/// The number of a name in this process.
pub type Name = u32;

/// The number of "".
pub const NOTHING: Name = 0;

#[derive(Default)]
struct Names {
    numbers: HashMap<Arc<str>, Name>,
    names: Vec<Arc<str>>,
}

static NAMES: LazyLock<RwLock<Names>> = LazyLock::new(|| {
    let nothing: Arc<str> = "".into();
    RwLock::new(Names { numbers: HashMap::from([(nothing.clone(), NOTHING)]), names: vec![nothing] })
});

/// The number of a name. All names come from a catalogue, or from a model that was learnt under one.
pub fn number_of(name: &str) -> Name {
    if let Some(number) = NAMES.read().unwrap_or_else(PoisonError::into_inner).numbers.get(name) {
        return *number;
    }
    let mut names = NAMES.write().unwrap_or_else(PoisonError::into_inner);
    if let Some(number) = names.numbers.get(name) {
        return *number;
    }
    let (number, name): (Name, Arc<str>) = (names.names.len() as Name, name.into());
    names.numbers.insert(name.clone(), number);
    names.names.push(name);
    number
}

/// The name of a number.
pub fn name_of(number: Name) -> Arc<str> {
    NAMES.read().unwrap_or_else(PoisonError::into_inner).names[number as usize].clone()
}
