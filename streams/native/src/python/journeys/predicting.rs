//! What a journey's state says of the future: its last fields (`Predictions.encoded`).

use std::collections::HashMap;

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::{parts, Journeys};
use crate::encoding::{put_double, put_items, put_optional, put_text};
use crate::journey::{Journey, Meant};
use crate::prediction::names::name_of;
use crate::prediction::risk::Standing;
use crate::python::prediction::{Risk, Transitions};

/// The encoded predictions of a model by standing, as of a renewal.
#[derive(Default)]
pub(super) struct Encoded {
    renewed: i64,
    by_standing: HashMap<Standing, Vec<u8>>,
}

/// A tenant's model that has learnt enough.
struct Model<'py> {
    renewed: i64,
    transitions: Bound<'py, Transitions>,
    risk: Bound<'py, Risk>,
}

/// The models of the tenants, as far as one publication has asked for them.
pub(super) struct Models<'a, 'py> {
    /// Tenant → its model, or None without predictions.
    model: &'a Bound<'py, PyAny>,
    /// How the versions of models begin.
    form: &'a str,
    known: Vec<(String, Option<Model<'py>>)>,
}

impl<'a, 'py> Models<'a, 'py> {
    pub(super) fn new(model: &'a Bound<'py, PyAny>, form: &'a str) -> Self {
        Models { model, form, known: Vec::new() }
    }

    /// The model of a tenant; None if it predicts nothing.
    fn of(&mut self, py: Python<'py>, tenant: &str) -> PyResult<Option<&Model<'py>>> {
        let place = match self.known.iter().position(|(name, _)| name == tenant) {
            Some(place) => place,
            None => {
                self.known.push((tenant.to_owned(), self.ask(py, tenant)?));
                self.known.len() - 1
            }
        };
        Ok(self.known[place].1.as_ref())
    }

    fn ask(&self, py: Python<'py>, tenant: &str) -> PyResult<Option<Model<'py>>> {
        let model = self.model.call1((tenant,))?;
        if model.is_none() {
            return Ok(None);
        }
        let renewed: i64 = model.getattr(intern!(py, "renewed"))?.extract()?;
        if renewed == 0 {
            return Ok(None);
        }
        let transitions = model.getattr(intern!(py, "transitions"))?.downcast_into::<Transitions>()?;
        let risk = model.getattr(intern!(py, "risk"))?.downcast_into::<Risk>()?;
        Ok(Some(Model { renewed, transitions, risk }))
    }
}

impl Journeys {
    /// The encoded state of a journey, with predictions if its model has learnt enough.
    pub(super) fn state<'py>(
        &mut self,
        py: Python<'py>,
        key: &[u8],
        models: &mut Models<'_, 'py>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (tenant, profile_id) = parts(key)?;
        let Some(held) = self.held.get_mut(key) else {
            return Err(PyValueError::new_err("the journey is not here"));
        };
        let Meant { rules, predicted } = &self.tables.meant;
        let Journey { timeline, path, .. } = &mut held.journey;
        let version = timeline.version;
        let mut state = timeline.fold(rules).sealed(tenant, profile_id, version, 0, rules);
        let form = models.form;
        let Some(model) = models.of(py, tenant)? else { return Ok(PyBytes::new(py, &state)) };
        let path = path.get_or_insert_with(|| timeline.path(0, self.predict_risk, rules, predicted));
        let standing = path.standing();
        if !self.predictions.contains_key(tenant) {
            self.predictions.insert(tenant.to_owned(), Encoded::default());
        }
        let Some(known) = self.predictions.get_mut(tenant) else { return Ok(PyBytes::new(py, &state)) };
        if known.renewed != model.renewed {
            *known = Encoded { renewed: model.renewed, by_standing: HashMap::new() };
        }
        let (next, risk) = (self.predict_next, self.predict_risk);
        let encoded = known
            .by_standing
            .entry(standing)
            .or_insert_with(|| predictions(model, standing, form, next, risk));
        state.truncate(state.len() - 3); // the predictions that the fold leaves out
        state.extend_from_slice(encoded);
        Ok(PyBytes::new(py, &state))
    }
}

/// The last fields of a JourneyState (`splicing.encode_predictions`).
fn predictions(model: &Model, standing: Standing, form: &str, next: bool, risk: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(160);
    let mut transitions = model.transitions.borrow_mut();
    let likely = if next { transitions.likely_next((standing.stage, standing.kind)) } else { &[] };
    put_items(&mut out, likely.iter(), |out, (name, share)| {
        put_text(out, &name_of(*name));
        put_double(out, *share);
    });
    let chance = if risk { model.risk.borrow_mut().issue_risk(standing) } else { None };
    put_optional(&mut out, chance, put_double);
    put_optional(&mut out, Some(format!("{form}{}", model.renewed)), |out, text| put_text(out, &text));
    out
}
