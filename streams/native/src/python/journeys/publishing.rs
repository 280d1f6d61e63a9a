//! What a changed journey, or a deadline of one, makes go out (`streams/journeys/publication.py`).

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use super::predicting::Models;
use super::{guarded, parts, Held, Journeys, PUBLICATION, VERSION, WRITE_AHEAD};
use crate::events::Event;
use crate::journey::{Journey, Meant};
use crate::signals::told::{written_ahead, News, Publishing};

/// Lists of records, as `Journeys.publish` returns them.
struct Outputs<'py> {
    inputs: Bound<'py, PyList>,
    states: Bound<'py, PyList>,
    signals: Bound<'py, PyList>,
    ahead: Bound<'py, PyList>,
    entries: Bound<'py, PyList>,
    publications: Bound<'py, PyList>,
    deadlines: Bound<'py, PyList>,
}

impl<'py> Outputs<'py> {
    fn new(py: Python<'py>) -> Self {
        let [inputs, states, signals, ahead, entries, publications, deadlines] =
            [(); 7].map(|()| PyList::empty(py));
        Outputs { inputs, states, signals, ahead, entries, publications, deadlines }
    }
}

impl Journeys {
    /// `Journeys.publish`, of the touched journeys in `slots`, at a time and under a fingerprint of the meanings.
    pub(super) fn publish_touched<'py>(
        &mut self,
        py: Python<'py>,
        slots: (usize, usize),
        at: (i64, i64),
        models: &mut Models<'_, 'py>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let out = Outputs::new(py);
        let failures = PyList::empty(py);
        for slot in slots.0..slots.1 {
            let Err(error) = guarded(|| self.publish_one(py, slot, at, models, &out)) else { continue };
            let Some(touched) = &self.touched[slot] else { continue };
            failures.append((&touched.cause, error.value(py)))?;
            let key = touched.key.bind(py);
            let Some(held) = self.held.get_mut(key.as_bytes()) else { continue };
            held.journey.doubt();
            put_publication(py, key, held, &out.publications)?;
        }
        let Outputs { inputs, states, signals, ahead, entries, publications, deadlines } = out;
        (inputs, states, signals, ahead, entries, publications, deadlines, failures).into_pyobject(py)
    }

    fn publish_one<'py>(
        &mut self,
        py: Python<'py>,
        slot: usize,
        (now, meanings): (i64, i64),
        models: &mut Models<'_, 'py>,
        out: &Outputs<'py>,
    ) -> PyResult<()> {
        let Some(touched) = self.touched[slot].as_mut() else { return Ok(()) };
        let key = touched.key.clone_ref(py).into_bound(py);
        let (tenant, _) = parts(key.as_bytes())?;
        for (owner, value) in touched.forwards.drain(..).chain(touched.transfers.drain(..)) {
            let receiver = format!("{tenant}/{owner}");
            out.inputs.append((PyBytes::new(py, receiver.as_bytes()), PyBytes::new(py, &value)))?;
        }
        for (name, value) in touched.entries.drain(..).chain(touched.pointers.drain(..)) {
            out.entries.append((name, value, py.None()))?;
        }
        let (gone, emptied) = (std::mem::take(&mut touched.gone), touched.emptied);
        let Some(held) = self.held.get(key.as_bytes()) else { return Ok(()) };
        let (empty, version) = (held.journey.timeline.entries.is_empty(), held.journey.timeline.version);
        if !empty {
            let state = self.state(py, key.as_bytes(), models)?;
            out.states.append((&key, state, py.None()))?;
        }
        let Some(held) = self.held.get_mut(key.as_bytes()) else { return Ok(()) };
        if empty && !emptied {
            return put_publication(py, &key, held, &out.publications);
        }
        let now = if empty { 0 } else { now };
        let news = publish(&key, held, now, meanings, false, &gone, &self.tables.meant)?;
        put_news(py, &key, held, news, [&out.signals, &out.ahead, &out.publications, &out.deadlines])?;
        if empty {
            let header = (VERSION, PyBytes::new(py, version.to_string().as_bytes()));
            out.states.append((&key, py.None(), vec![header]))?;
        }
        Ok(())
    }

    /// `Journeys.fire`, at a time and under a fingerprint of the meanings.
    pub(super) fn publish_due<'py>(
        &mut self,
        py: Python<'py>,
        key: &Bound<'py, PyBytes>,
        (now, meanings): (i64, i64),
        packer: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        self.unpack(key.as_bytes(), packer)?;
        let Some(held) = self.held.get_mut(key.as_bytes()) else { return Ok(None) };
        if held.journey.timeline.unsettled {
            return Ok(None);
        }
        let meant = &self.tables.meant;
        let lists = [(); 4].map(|()| PyList::empty(py));
        let work = || {
            let (Journey { timeline, told, .. }, rules) = (&mut held.journey, &meant.rules);
            if told.signals.is_none() {
                told.recall(timeline.fold(rules), now, meanings, rules);
            }
            let news = publish(key, held, now, meanings, true, &[], meant)?;
            put_news(py, key, held, news, lists.each_ref())
        };
        if let Err(error) = guarded(work) {
            held.journey.doubt();
            return Err(error);
        }
        Ok(Some(lists.into_pyobject(py)?.downcast_into::<PyList>()?.to_tuple()))
    }
}

fn publish(
    key: &Bound<'_, PyBytes>,
    held: &mut Held,
    now: i64,
    meanings: i64,
    by_deadline: bool,
    gone: &[(Event, String)],
    meant: &Meant,
) -> PyResult<News> {
    let (tenant, profile_id) = parts(key.as_bytes())?;
    let Journey { timeline, told, .. } = &mut held.journey;
    let (version, empty) = (timeline.version, timeline.entries.is_empty());
    let about = Publishing { tenant, profile_id, version, meanings, by_deadline, gone, empty };
    Ok(told.publish(&about, timeline.fold(&meant.rules), now, &meant.rules))
}

/// Puts what a publication makes into lists: signals, what to write ahead, publications, deadlines.
fn put_news<'py>(
    py: Python<'py>,
    key: &Bound<'py, PyBytes>,
    held: &Held,
    news: News,
    [signals, ahead, publications, deadlines]: [&Bound<'py, PyList>; 4],
) -> PyResult<()> {
    if let Some(value) = written_ahead(&news) {
        let name = [key.as_bytes(), WRITE_AHEAD, news.version.to_string().as_bytes()].concat();
        ahead.append((PyBytes::new(py, &name), PyBytes::new(py, &value), py.None()))?;
    }
    for (_, value) in news.signals {
        signals.append((key, PyBytes::new(py, &value), py.None()))?;
    }
    deadlines.append((key, held.journey.told.last.as_ref().and_then(|last| last.due)))?;
    put_publication(py, key, held, publications)
}

/// Puts the changelog record of when a profile was published last into a list; gone with the profile.
fn put_publication<'py>(
    py: Python<'py>,
    key: &Bound<'py, PyBytes>,
    held: &Held,
    publications: &Bound<'py, PyList>,
) -> PyResult<()> {
    let name = [key.as_bytes(), PUBLICATION].concat();
    let last = held.journey.told.last.as_ref().map(|last| PyBytes::new(py, &last.encode()));
    publications.append((PyBytes::new(py, &name), last, py.None()))
}
