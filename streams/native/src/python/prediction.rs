//! What models count: the methods are those of `transitions.py` and `risk.py` in `streams/journeys/prediction/`.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::prediction::names::{name_of, number_of, Name};
use crate::prediction::risk::{Risk as Risks, Standing};
use crate::prediction::transitions::{Origin, Transitions as Counted};

/// Decayed counts of origin → type of the next inbound touchpoint.
#[pyclass(module = "touchline_native")]
pub struct Transitions(pub Counted);

#[pymethods]
impl Transitions {
    #[new]
    fn new(half_life: i64) -> Self {
        Transitions(Counted::new(half_life))
    }

    #[getter]
    fn newest(&self) -> i64 {
        self.0.newest
    }

    fn add(&mut self, origin: (String, String), following: &str, at: i64) {
        self.0.add(numbers(&origin), number_of(following), at);
    }

    fn distribution<'py>(&self, py: Python<'py>, origin: (String, String)) -> PyResult<Bound<'py, PyDict>> {
        let shares = PyDict::new(py);
        for (name, share) in self.0.distribution(numbers(&origin)) {
            shares.set_item(&*name_of(name), share)?;
        }
        Ok(shares)
    }

    fn prune(&mut self) {
        self.0.prune();
    }

    fn dump<'py>(&self, py: Python<'py>, number: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let (rows, now) = (PyList::empty(py), self.0.now());
        for ((stage, kind), row) in self.0.rows() {
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
        self.0.newest = newest;
        let now = self.0.now();
        let known = Known(&names);
        for row in rows {
            let origin = (known.number(row.stage)?, known.number(row.kind)?);
            for item in row.next {
                self.0.put(origin, known.number(item.kind)?, item.count * now);
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
pub struct Risk(pub Risks);

#[pymethods]
impl Risk {
    #[new]
    fn new(half_life: i64) -> Self {
        Risk(Risks::new(half_life))
    }

    #[getter]
    fn newest(&self) -> i64 {
        self.0.newest
    }

    fn observe(&mut self, standing: Stands, at: i64) {
        self.0.observe(standing.numbers(), at);
    }

    fn hit(&mut self, standing: Stands, at: i64) {
        self.0.hit(standing.numbers(), at);
    }

    fn probability(&self, standing: Stands) -> Option<f64> {
        self.0.probability(standing.numbers())
    }

    fn prune(&mut self) {
        self.0.prune();
    }

    fn dump<'py>(&self, py: Python<'py>, number: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let (cells, now) = (PyList::empty(py), self.0.now());
        for (day, standing, (observed, hits)) in self.0.cells() {
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
        self.0.newest = newest;
        let now = self.0.now();
        let known = Known(&names);
        for cell in cells {
            let factor = if cell.day.is_none() { now } else { 1.0 };
            let standing = Standing {
                stage: known.number(cell.stage)?,
                kind: known.number(cell.kind)?,
                friction: cell.friction,
                open_issue: cell.open_issue,
            };
            self.0.put((cell.day, standing, (cell.observed * factor, cell.hits * factor)));
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
