//! What preparing changes nothing about: answers of the policy and the catalogue, which Python gives once
//! (`streams/identity/policy/prepare.py`).

use std::collections::HashMap;

use pyo3::prelude::*;

use crate::stitch::check::references;
use crate::touchpoint::Touchpoint;

/// Answers of one kind that are remembered: then all are forgotten, and asked for again.
const MOST_ANSWERS: usize = 65_536;
/// Between the parts of a question; no text of one has it, or it is only asked in vain.
const SEPARATOR: char = '\x1f';

/// A question to Python and its answers.
struct Answers<T> {
    ask: Py<PyAny>,
    known: HashMap<Box<str>, T>,
}

impl<T: Copy + for<'py> FromPyObject<'py>> Answers<T> {
    fn new(ask: Py<PyAny>) -> Self {
        Answers { ask, known: HashMap::new() }
    }

    /// The answer to a question in so many texts; `buffer` is overwritten.
    fn answer<const N: usize>(
        &mut self,
        py: Python<'_>,
        question: [&str; N],
        buffer: &mut String,
    ) -> PyResult<T> {
        buffer.clear();
        for text in question {
            buffer.push_str(text);
            buffer.push(SEPARATOR);
        }
        if let Some(answer) = self.known.get(buffer.as_str()) {
            return Ok(*answer);
        }
        let answer = self.ask.bind(py).call1(pyo3::types::PyTuple::new(py, question)?)?.extract()?;
        if self.known.len() >= MOST_ANSWERS {
            self.known.clear();
        }
        self.known.insert(buffer.as_str().into(), answer);
        Ok(answer)
    }
}

pub struct Prepared {
    /// (tenant, type, value) of an identifier to its priority; None if preparing changes it.
    priority: Answers<Option<i64>>,
    /// (tenant, text) of a reference: whether it means something.
    means: Answers<bool>,
    /// (type, channel): whether both have the catalogue's names, and the type asks for no erasure.
    named: Answers<bool>,
    buffer: String,
}

impl Prepared {
    pub fn new(priority: Py<PyAny>, means: Py<PyAny>, named: Py<PyAny>) -> Self {
        Prepared {
            priority: Answers::new(priority),
            means: Answers::new(means),
            named: Answers::new(named),
            buffer: String::new(),
        }
    }

    /// Whether preparing a valid touchpoint changes nothing, and it is no request for erasure.
    pub fn is_prepared(&mut self, py: Python<'_>, touchpoint: &Touchpoint) -> PyResult<bool> {
        let buffer = &mut self.buffer;
        if !self.named.answer(py, [touchpoint.kind, touchpoint.channel], buffer)? {
            return Ok(false);
        }
        let mut before: Option<(i64, &str, &str)> = None;
        for (kind, value) in &touchpoint.identifiers {
            if kind.contains(SEPARATOR) || value.contains(SEPARATOR) {
                return Ok(false);
            }
            let Some(priority) = self.priority.answer(py, [touchpoint.tenant, kind, value], buffer)? else {
                return Ok(false);
            };
            // strongest first, each once
            let place = (priority, *kind, *value);
            if before.is_some_and(|before| before >= place) {
                return Ok(false);
            }
            before = Some(place);
        }
        for text in references(touchpoint) {
            if text.contains(SEPARATOR) || !self.means.answer(py, [touchpoint.tenant, text], buffer)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
