//! What models count: the methods are those of `transitions.py` and `risk.py` in `streams/journeys/prediction/`.

use std::collections::HashMap;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::numbers::round;
use crate::prediction::names::{name_of, number_of, Name, NOTHING};
use crate::prediction::risk::{Risk as Risks, Standing};
use crate::prediction::transitions::{Origin, Transitions as Counted};

/// Decayed counts of origin → type of the next inbound touchpoint.
#[pyclass(module = "touchline_native")]
pub struct Transitions {
    pub counts: Counted,
    /// What is likely next, as of the last renewal.
    likely: HashMap<Origin, Vec<(Name, f64)>>,
}

/// Types that a state names (`predictions.py`).
const LIKELY: usize = 3;

impl Transitions {
    /// The most probable types of the next inbound touchpoint (`Model.likely_next`), the same until `prune`.
    pub fn likely_next(&mut self, origin: Origin) -> &[(Name, f64)] {
        self.likely.entry(origin).or_insert_with(|| {
            let named = |(name, _): &(Name, f64)| *name != NOTHING;
            let mut shares: Vec<_> = self.counts.distribution(origin).into_iter().filter(named).collect();
            shares.sort_by(|one, other| {
                other.1.total_cmp(&one.1).then_with(|| name_of(one.0).cmp(&name_of(other.0)))
            });
            shares.truncate(LIKELY);
            shares.iter().map(|(name, share)| (*name, round(*share, 4))).collect()
        })
    }
}

#[pymethods]
impl Transitions {
    #[new]
    fn new(half_life: i64) -> Self {
        Transitions { counts: Counted::new(half_life), likely: HashMap::new() }
    }

    #[getter]
    fn newest(&self) -> i64 {
        self.counts.newest
    }

    fn add(&mut self, origin: (String, String), following: &str, at: i64) {
        self.counts.add(numbers(&origin), number_of(following), at);
    }

    /// The most probable types and their probabilities, the same until `prune`.
    fn likely(&mut self, origin: (String, String)) -> Vec<(String, f64)> {
        let found = self.likely_next(numbers(&origin));
        found.iter().map(|(name, share)| (name_of(*name).to_string(), *share)).collect()
    }

    fn distribution<'py>(&self, py: Python<'py>, origin: (String, String)) -> PyResult<Bound<'py, PyDict>> {
        let shares = PyDict::new(py);
        for (name, share) in self.counts.distribution(numbers(&origin)) {
            shares.set_item(&*name_of(name), share)?;
        }
        Ok(shares)
    }

    fn prune(&mut self) {
        self.counts.prune();
        self.likely.clear();
    }

    fn dump<'py>(&self, py: Python<'py>, number: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let (rows, now) = (PyList::empty(py), self.counts.now());
        for ((stage, kind), row) in self.counts.rows() {
            let record = PyDict::new(py);
            record.set_item(intern!(py, "stage"), number.call1((&*name_of(stage),))?)?;
            record.set_item(intern!(py, "type"), number.call1((&*name_of(kind),))?)?;
            let next = PyList::empty(py);
            for (name, amount) in row.iter() {
                let item = PyDict::new(py);
                item.set_item(intern!(py, "type"), number.call1((&*name_of(name),))?)?;
                item.set_item(intern!(py, "count"), amount / now)?;
                next.append(item)?;
            }
            record.set_item(intern!(py, "next"), next)?;
            rows.append(record)?;
        }
        Ok(rows)
    }

    fn load(&mut self, newest: i64, rows: Vec<TransitionRow>, names: Vec<String>) -> PyResult<()> {
        self.counts.newest = newest;
        let now = self.counts.now();
        let known = Known(&names);
        for row in rows {
            let origin = (known.number(row.stage)?, known.number(row.kind)?);
            for item in row.next {
                self.counts.put(origin, known.number(item.kind)?, item.count * now);
            }
        }
        Ok(())
    }
}

#[derive(FromPyObject)]
struct TransitionRow {
    #[pyo3(item)]
    stage: usize,
    #[pyo3(item("type"))]
    kind: usize,
    #[pyo3(item)]
    next: Vec<Next>,
}

#[derive(FromPyObject)]
struct Next {
    #[pyo3(item("type"))]
    kind: usize,
    #[pyo3(item)]
    count: f64,
}

/// Decayed counts of standing → outcome.
#[pyclass(module = "touchline_native")]
pub struct Risk {
    pub counts: Risks,
    /// The probabilities, as of the last renewal.
    chances: HashMap<Standing, Option<f64>>,
}

impl Risk {
    /// The probability of a contact, rounded (`Model.issue_risk`), the same until `prune`.
    pub fn issue_risk(&mut self, standing: Standing) -> Option<f64> {
        let known = self.chances.entry(standing);
        *known.or_insert_with(|| self.counts.probability(standing).map(|chance| round(chance, 4)))
    }
}

#[pymethods]
impl Risk {
    #[new]
    fn new(half_life: i64) -> Self {
        Risk { counts: Risks::new(half_life), chances: HashMap::new() }
    }

    #[getter]
    fn newest(&self) -> i64 {
        self.counts.newest
    }

    fn observe(&mut self, standing: Stands, at: i64) {
        self.counts.observe(standing.numbers(), at);
    }

    fn hit(&mut self, standing: Stands, at: i64) {
        self.counts.hit(standing.numbers(), at);
    }

    fn probability(&self, standing: Stands) -> Option<f64> {
        self.counts.probability(standing.numbers())
    }

    /// The rounded probability, the same until `prune`.
    fn chance(&mut self, standing: Stands) -> Option<f64> {
        self.issue_risk(standing.numbers())
    }

    fn prune(&mut self) {
        self.counts.prune();
        self.chances.clear();
    }

    fn dump<'py>(&self, py: Python<'py>, number: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let (cells, now) = (PyList::empty(py), self.counts.now());
        for (day, standing, (observed, hits)) in self.counts.cells() {
            let factor = if day.is_none() { now } else { 1.0 };
            let record = PyDict::new(py);
            record.set_item(intern!(py, "day"), day)?;
            record.set_item(intern!(py, "stage"), number.call1((&*name_of(standing.stage),))?)?;
            record.set_item(intern!(py, "type"), number.call1((&*name_of(standing.kind),))?)?;
            record.set_item(intern!(py, "friction"), standing.friction)?;
            record.set_item(intern!(py, "open_issue"), standing.open_issue)?;
            record.set_item(intern!(py, "observed"), observed / factor)?;
            record.set_item(intern!(py, "hits"), hits / factor)?;
            cells.append(record)?;
        }
        Ok(cells)
    }

    fn load(&mut self, newest: i64, cells: Vec<RiskCell>, names: Vec<String>) -> PyResult<()> {
        self.counts.newest = newest;
        let now = self.counts.now();
        let known = Known(&names);
        for cell in cells {
            let factor = if cell.day.is_none() { now } else { 1.0 };
            let standing = Standing {
                stage: known.number(cell.stage)?,
                kind: known.number(cell.kind)?,
                friction: cell.friction,
                open_issue: cell.open_issue,
            };
            self.counts.put((cell.day, standing, (cell.observed * factor, cell.hits * factor)));
        }
        Ok(())
    }
}

#[derive(FromPyObject)]
struct RiskCell {
    #[pyo3(item)]
    day: Option<i64>,
    #[pyo3(item)]
    stage: usize,
    #[pyo3(item("type"))]
    kind: usize,
    #[pyo3(item)]
    friction: u8,
    #[pyo3(item)]
    open_issue: bool,
    #[pyo3(item)]
    observed: f64,
    #[pyo3(item)]
    hits: f64,
}

/// A Standing of Python.
#[derive(FromPyObject)]
pub struct Stands(String, String, u8, bool);

impl Stands {
    pub fn numbers(&self) -> Standing {
        Standing { stage: number_of(&self.0), kind: number_of(&self.1), friction: self.2, open_issue: self.3 }
    }
}

fn numbers(origin: &(String, String)) -> Origin {
    (number_of(&origin.0), number_of(&origin.1))
}

/// The names that a stored model numbers.
struct Known<'a>(&'a [String]);

impl Known<'_> {
    fn number(&self, index: usize) -> PyResult<Name> {
        let name = self.0.get(index).ok_or_else(|| pyo3::exceptions::PyIndexError::new_err(index))?;
        Ok(number_of(name))
    }
}
