//! The journeys of a partition that the native core keeps, and a fetch of their touchpoints in one call
//! (`streams/journeys/native_journeys.py`).

use std::collections::HashMap;
use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use crate::assignment::{transfers, Moved, IDENTITY_ASSIGNMENT};
use crate::encoding::{Uncovered, HEADER_BYTES};
use crate::events::{event_key, Event};
use crate::journey::{Journey, Meant, PathDump};
use crate::keys::partition_of;
use crate::packing::{pack, unpack};
use crate::prediction::names::name_of;
use crate::prediction::recent_path::{Learning, RecentPath};
use crate::prediction::risk::Standing;
use crate::python::fold::{Core, Fold, Tables};
use crate::python::prediction::{Risk, Transitions};
use crate::signals::told::{News, Publication, Publishing, Told};
use crate::stitch::check::{is_name, is_uuid, is_valid, EARLIEST_MS, LATEST_MS};
use crate::timeline::entry::{id_of, Entry};
use crate::timeline::timeline::{is_named, put_resolved, Arrival, Pointer, Timeline};
use crate::touchpoint::{Owned, Touchpoint};

/// Above so many bytes Python counts the items of a record before it reads it (`codec.UNWALKED_BYTES`).
const UNWALKED_BYTES: usize = 4096;
const MAX_OWNER_BYTES: usize = 200;
/// Version of a touchpoint that was stitched while no assignment of its identifier was known.
const NO_VERSION: i64 = -1;
/// A model learns nothing from a touchpoint further ahead of the clock (`predictions.py`).
const MAX_AHEAD_MS: f64 = 86_400_000.0;
const ENTRY: &[u8] = b"/e/";
const POINTER: &[u8] = b"/p/";
const PUBLICATION: &[u8] = b"/s/";
/// The header of a tombstone with its version (`schemas/headers.py`).
const VERSION: &str = "version";

/// Why `take` stopped.
const DONE: u8 = 0;
/// Python must take the record.
const REFUSED: u8 = 1;
/// Python holds the journey.
const HELD: u8 = 2;

/// What `take` must know of the fetch and of the partition.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Fetch<'py> {
    /// The version of offset 0.
    base: i64,
    partition: u32,
    /// Of journey-inputs.
    partitions: u32,
    clock: f64,
    watermark: i64,
    meanings: i64,
    /// Tenant → the first version of an assignment that cannot exist yet.
    limit: Bound<'py, PyAny>,
    /// Tenant → its model, or None without predictions.
    model: Bound<'py, PyAny>,
    /// Keys of the journeys that Python holds, and of those that it must publish.
    objects: Bound<'py, PyDict>,
    compressed: Bound<'py, PyDict>,
    packer: Bound<'py, PyAny>,
    perhaps: Bound<'py, PyDict>,
}

/// A tenant of a fetch.
struct Tenant<'py> {
    name: String,
    limit: i64,
    counts: Option<(Bound<'py, Transitions>, Bound<'py, Risk>)>,
    learnt: i64,
}

struct Held {
    journey: Journey<Py<PyAny>>,
    /// Among the touched of the fetch.
    slot: Option<usize>,
    /// Number of the fetch that used it last.
    used: u64,
}

/// A changelog record; without a value its key is deleted.
type Change = (Py<PyBytes>, Option<Py<PyBytes>>);

/// A journey that the fetch has touched, and what that asks of the world (`effects.py`).
struct Touched {
    key: Py<PyBytes>,
    /// Changelog records of touchpoints, each key once.
    entries: Vec<Change>,
    /// Changelog records of assignments, each key once.
    pointers: Vec<Change>,
    /// Owner and ResolvedTouchpoint.
    forwards: Vec<(String, Vec<u8>)>,
    /// Receiver and Transfer.
    transfers: Vec<(String, Vec<u8>)>,
    /// Touchpoints that left, and to whom.
    gone: Vec<(Event, String)>,
    /// Whether the last touchpoint left.
    emptied: bool,
}

impl Touched {
    fn new(key: &Bound<'_, PyBytes>) -> Self {
        Touched {
            key: key.clone().unbind(),
            entries: Vec::new(),
            pointers: Vec::new(),
            forwards: Vec::new(),
            transfers: Vec::new(),
            gone: Vec::new(),
            emptied: false,
        }
    }
}

/// Sets a changelog record as a dict does: a key that is there keeps its place.
fn set_change(py: Python<'_>, changes: &mut Vec<Change>, name: &[u8], value: Option<Py<PyBytes>>) {
    match changes.iter_mut().find(|(known, _)| known.bind(py).as_bytes() == name) {
        Some(change) => change.1 = value,
        None => changes.push((PyBytes::new(py, name).unbind(), value)),
    }
}

/// The encoded predictions of a model by standing, as of a renewal.
#[derive(Default)]
struct Encoded {
    renewed: i64,
    by_standing: HashMap<Standing, Vec<u8>>,
}

/// Where `take` stopped and why, the newest event time, and how many touchpoints each tenant's model has learnt.
type Taken = (usize, u8, i64, Vec<(String, i64)>);

/// Journeys by key, `tenant/profile`.
#[pyclass(module = "touchline_native")]
pub struct Journeys {
    tables: Arc<Tables>,
    horizon: usize,
    predict_next: bool,
    predict_risk: bool,
    held: HashMap<Box<[u8]>, Held>,
    /// The others, packed and compressed.
    packed: HashMap<Box<[u8]>, Box<[u8]>>,
    fetches: u64,
    touched: Vec<Option<Touched>>,
    predictions: HashMap<String, Encoded>,
}

#[pymethods]
impl Journeys {
    /// `horizon` is the number of touchpoints that an identifier keeps.
    #[new]
    fn new(core: &Core, horizon: usize, predict_next: bool, predict_risk: bool) -> Self {
        Journeys {
            tables: core.0.clone(),
            horizon,
            predict_next,
            predict_risk,
            held: HashMap::new(),
            packed: HashMap::new(),
            fetches: 1,
            touched: Vec::new(),
            predictions: HashMap::new(),
        }
    }

    fn __len__(&self) -> usize {
        self.held.len() + self.packed.len()
    }

    fn __contains__(&self, key: &[u8]) -> bool {
        self.held.contains_key(key) || self.packed.contains_key(key)
    }

    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let keys: Vec<_> = self.held.keys().chain(self.packed.keys()).collect();
        PyList::new(py, keys.into_iter().map(|key| PyBytes::new(py, key)))
    }

    /// How many journeys are in use, and not packed.
    #[getter]
    fn in_use(&self) -> usize {
        self.held.len()
    }

    /// The journeys used least recently, so many of them, as `evict` compresses them. `packer` is Python's.
    fn samples<'py>(
        &self,
        py: Python<'py>,
        most: usize,
        packer: &Bound<'py, PyAny>,
    ) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let mut found = Vec::new();
        for key in self.oldest(most) {
            if let Some(packed) = self.pack(&key, packer)? {
                found.push(PyBytes::new(py, &packed));
            }
        }
        Ok(found)
    }

    /// Packs the journeys used least recently, so many of them.
    fn evict(&mut self, most: usize, packer: &Bound<'_, PyAny>) -> PyResult<()> {
        for key in self.oldest(most) {
            let Some(packed) = self.pack(&key, packer)? else { continue };
            let compressed = packer.call_method1("compress", (PyBytes::new(packer.py(), &packed),))?;
            self.packed.insert(key.clone(), compressed.downcast::<PyBytes>()?.as_bytes().into());
            self.held.remove(&key);
        }
        Ok(())
    }

    /// How many journeys the fetch has touched.
    #[getter]
    fn count(&self) -> usize {
        self.touched.len()
    }

    /// Takes the touchpoints of a fetch from `start` on, until `stop`, or until one that Python must take.
    fn take<'py>(
        &mut self,
        py: Python<'py>,
        records: &Bound<'py, PyList>,
        start: usize,
        stop: usize,
        mut fetch: Fetch<'py>,
    ) -> PyResult<Taken> {
        let mut tenants = Vec::new();
        let mut at = start;
        let mut why = DONE;
        while at < stop && why == DONE {
            why = self.take_one(py, &records.get_item(at)?, &mut fetch, &mut tenants)?;
            at += usize::from(why == DONE);
        }
        let learnt = tenants.into_iter().filter(|one| one.learnt > 0).map(|one| (one.name, one.learnt));
        Ok((at, why, fetch.watermark, learnt.collect()))
    }

    /// Publishes the touched journeys from one place to another, as of `now`.
    ///
    /// `model` gives a tenant's model, `encode` its predictions for a standing. Returns lists of records: for other
    /// profiles, states, signals, what to write ahead, changelog records of touchpoints and assignments, of publications,
    /// and each next deadline.
    #[expect(clippy::too_many_arguments)]
    fn publish<'py>(
        &mut self,
        py: Python<'py>,
        start: usize,
        stop: usize,
        now: i64,
        meanings: i64,
        model: &Bound<'py, PyAny>,
        encode: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let [inputs, states, signals, ahead, entries, publications, deadlines] =
            [(); 7].map(|()| PyList::empty(py));
        for slot in start..stop {
            let Some(touched) = self.touched[slot].as_mut() else { continue };
            let key = touched.key.clone_ref(py).into_bound(py);
            let (tenant, _) = parts(key.as_bytes())?;
            for (owner, value) in touched.forwards.drain(..).chain(touched.transfers.drain(..)) {
                let receiver = format!("{tenant}/{owner}");
                inputs.append((PyBytes::new(py, receiver.as_bytes()), PyBytes::new(py, &value)))?;
            }
            for change in touched.entries.drain(..).chain(touched.pointers.drain(..)) {
                entries.append(change)?;
            }
            let (gone, emptied) = (std::mem::take(&mut touched.gone), touched.emptied);
            let Some(held) = self.held.get(key.as_bytes()) else { continue };
            let (empty, version) = (held.journey.timeline.entries.is_empty(), held.journey.timeline.version);
            if !empty {
                let state = self.state(py, key.as_bytes(), model, encode)?;
                states.append((&key, state, py.None()))?;
            }
            let Some(held) = self.held.get_mut(key.as_bytes()) else { continue };
            if empty && !emptied {
                put_publication(py, &key, held, &publications)?;
                continue;
            }
            let now = if empty { 0 } else { now };
            let news = publish(&key, held, now, meanings, false, &gone, &self.tables.meant)?;
            put_news(py, &key, held, news, [&signals, &ahead, &publications, &deadlines])?;
            if empty {
                let header = (VERSION, PyBytes::new(py, version.to_string().as_bytes()));
                states.append((&key, py.None(), vec![header]))?;
            }
        }
        (inputs, states, signals, ahead, entries, publications, deadlines).into_pyobject(py)
    }

    /// Publishes a journey whose deadline has passed, as of `now`. Returns the lists of signals, of what to write ahead,
    /// of the changelog and of the next deadline; None if it is not here.
    fn fire<'py>(
        &mut self,
        py: Python<'py>,
        key: &Bound<'py, PyBytes>,
        now: i64,
        meanings: i64,
        packer: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        self.unpack(key.as_bytes(), packer)?;
        let Some(held) = self.held.get_mut(key.as_bytes()) else { return Ok(None) };
        let rules = &self.tables.meant.rules;
        if held.journey.told.signals.is_none() {
            held.journey.told.recall(held.journey.timeline.fold(rules), now, meanings, rules);
        }
        let news = publish(key, held, now, meanings, true, &[], &self.tables.meant)?;
        let lists = [(); 4].map(|()| PyList::empty(py));
        put_news(py, key, held, news, lists.each_ref())?;
        Ok(Some(lists.into_pyobject(py)?.downcast_into::<PyList>()?.to_tuple()))
    }

    /// Forgets which journeys the fetch has touched.
    fn finish(&mut self, py: Python<'_>) {
        self.fetches += 1;
        for touched in self.touched.drain(..).flatten() {
            if let Some(held) = self.held.get_mut(touched.key.bind(py).as_bytes()) {
                held.slot = None;
            }
        }
    }

    /// Gives a journey back to Python; None if it is not here.
    fn give<'py>(
        &mut self,
        py: Python<'py>,
        key: &[u8],
        packer: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.unpack(key, packer)?;
        let Some(held) = self.held.remove(key) else { return Ok(None) };
        let Held { journey: Journey { timeline, told, path }, slot, .. } = held;
        let given = PyDict::new(py);
        given.set_item("version", timeline.version)?;
        let entries = PyList::empty(py);
        for entry in &timeline.entries {
            let Ok(owned) = Owned::read_countable(&entry.value) else {
                return Err(PyValueError::new_err("a journey holds what the core does not cover"));
            };
            let value = PyBytes::new(py, &entry.value);
            entries.append((entry.at, &*entry.event, owned.owner, owned.version, value))?;
        }
        given.set_item("entries", entries)?;
        given
            .set_item("pointers", timeline.pointers.into_iter().map(|one| one.record).collect::<Vec<_>>())?;
        given.set_item("count", timeline.folded)?;
        if let Some(folded) = timeline.fold {
            given.set_item("fold", Fold { tables: self.tables.clone(), folded }.into_pyobject(py)?)?;
        }
        let last = told.last.as_ref();
        given.set_item("last", last.map(|last| (last.version, last.now, last.due, last.meanings)))?;
        given.set_item("unconfirmed", told.unconfirmed)?;
        // of a journey that the fetch has not touched they follow from its last publication
        if let (Some(signals), true) = (&told.signals, slot.is_some() || told.last.is_none()) {
            let objects = signals.iter().map(|signal| self.tables.object(py, signal));
            given.set_item("signals", objects.collect::<PyResult<Vec<_>>>()?)?;
        }
        given.set_item("path", path.map(|path| path.dump()))?;
        if let Some(touched) = slot.and_then(|slot| self.touched[slot].take()) {
            given.set_item("slot", slot)?;
            given.set_item("changes", touched.entries)?;
            given.set_item(
                "assigned",
                touched.pointers.into_iter().map(|(_, value)| value).collect::<Vec<_>>(),
            )?;
            let forwards = touched.forwards.iter().map(|(owner, value)| (owner, PyBytes::new(py, value)));
            given.set_item("forwards", forwards.collect::<Vec<_>>())?;
            let transfers = touched.transfers.iter().map(|(_, value)| PyBytes::new(py, value));
            given.set_item("transfers", transfers.collect::<Vec<_>>())?;
            let gone = PyDict::new(py);
            for (event, owner) in &touched.gone {
                gone.set_item(&**event, owner)?;
            }
            given.set_item("gone", gone)?;
            given.set_item("emptied", touched.emptied)?;
        }
        Ok(Some(given))
    }

    /// Takes a journey from Python, if it covers all of it; returns whether it did.
    fn receive(&mut self, key: &[u8], given: Received) -> PyResult<bool> {
        let (tenant, profile_id) = parts(key)?;
        let entries = given.values.iter().map(|value| entry(value.as_bytes(), tenant, profile_id));
        let Ok(entries) = entries.collect::<Result<Vec<_>, _>>() else { return Ok(false) };
        let fold = given.fold.filter(|_| given.count == entries.len());
        let fold = fold.map(|fold| std::mem::take(&mut fold.borrow_mut().folded));
        let (version, now, due, meanings) = given.last;
        let timeline = Timeline {
            size: entries.iter().map(|entry: &Entry| entry.value.len()).sum(),
            folded: if fold.is_some() { given.count } else { 0 },
            entries,
            pointers: given.pointers.into_iter().map(PointerOf::pointer).collect(),
            version: given.version,
            fold,
        };
        let told = Told {
            signals: None,
            unconfirmed: false,
            last: Some(Publication { version, now, due, meanings }),
        };
        let journey = Journey { timeline, told, path: given.path.map(RecentPath::load) };
        self.held.insert(key.into(), Held { journey, slot: None, used: 0 });
        Ok(true)
    }
}

/// A journey of Python.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Received<'py> {
    version: i64,
    /// In the fold order.
    values: Vec<Bound<'py, PyBytes>>,
    pointers: Vec<PointerOf>,
    fold: Option<Bound<'py, Fold>>,
    count: usize,
    last: (i64, i64, Option<i64>, i64),
    path: Option<PathDump>,
}

/// Type, value, version, owner and record of an assignment.
#[derive(FromPyObject)]
struct PointerOf(String, String, i64, Option<String>, Py<PyAny>);

impl PointerOf {
    fn pointer(self) -> Pointer<Py<PyAny>> {
        let PointerOf(kind, name, version, owner, record) = self;
        Pointer { node: (kind.into(), name.into()), version, owner: owner.map(Into::into), record }
    }
}

impl Journeys {
    /// Takes a touchpoint. Returns DONE; or why it did not, and has changed nothing.
    fn take_one<'py>(
        &mut self,
        py: Python<'py>,
        record: &Bound<'py, PyAny>,
        fetch: &mut Fetch<'py>,
        tenants: &mut Vec<Tenant<'py>>,
    ) -> PyResult<u8> {
        let (key, value) = (record.getattr(intern!(py, "key"))?, record.getattr(intern!(py, "value"))?);
        let (Ok(key), Ok(value)) = (key.downcast::<PyBytes>(), value.downcast::<PyBytes>()) else {
            return Ok(REFUSED);
        };
        let bytes = value.as_bytes();
        if bytes.len() > UNWALKED_BYTES {
            return Ok(REFUSED);
        }
        let Ok(owned) = Owned::read_countable(bytes) else {
            return match Moved::read(bytes) {
                Ok(moved) => self.take_moved(py, (record, key), &moved, fetch, tenants),
                Err(_) => Ok(REFUSED),
            };
        };
        if !self.is_plain(&owned)
            || !is_in_its_place((owned.touchpoint.tenant, owned.profile_id), key.as_bytes(), fetch)
        {
            return Ok(REFUSED);
        }
        let tenant = tenant_of(owned.touchpoint.tenant, fetch, tenants)?;
        if owned.version >= tenant.limit {
            return Ok(REFUSED);
        }
        let why = self.why_not(key, fetch)?;
        if why != DONE {
            return Ok(why);
        }
        let empty = Timeline::default();
        let timeline = self.held.get(key.as_bytes()).map_or(&empty, |held| &held.journey.timeline);
        let Ok(arrival) = timeline.arrival(&owned, bytes, owned.profile_id, self.horizon) else {
            return Ok(REFUSED);
        };
        let slot = self.touch(record, key, fetch)?;
        let (Some(held), Some(touched)) = (self.held.get_mut(key.as_bytes()), &mut self.touched[slot]) else {
            return Err(PyValueError::new_err("a touched journey is not here"));
        };
        let Meant { rules, predicted } = &self.tables.meant;
        let Journey { timeline, path, .. } = &mut held.journey;
        let touchpoint = &owned.touchpoint;
        fetch.watermark = fetch.watermark.max(touchpoint.occurred_at.min(touchpoint.received_at));
        let (event, rewritten) = match arrival {
            Arrival::Known => return Ok(DONE),
            Arrival::Forward { owner, value } => {
                touched.forwards.push((owner, value));
                return Ok(DONE);
            }
            Arrival::New { event, rewritten } => (event, rewritten),
        };
        let name = [key.as_bytes(), ENTRY, id_of(&owned, &event).as_bytes()].concat();
        let kept = rewritten.as_deref().unwrap_or(bytes);
        let change = match &rewritten {
            None => value.clone().unbind(),
            Some(kept) => PyBytes::new(py, kept).unbind(),
        };
        set_change(py, &mut touched.entries, &name, Some(change));
        touched.emptied = false;
        let at = touchpoint.occurred_at;
        let is_last = timeline.insert(Entry { at, event: event.clone(), value: kept.into() });
        let Some((transitions, risk)) = &tenant.counts else { return Ok(DONE) };
        if !is_last || path.as_ref().is_some_and(|path| (at, &event) <= (path.last.0, &path.last.1)) {
            *path = None; // it is rebuilt when it is needed
            return Ok(DONE);
        }
        let path = path.get_or_insert_with(|| timeline.path(1, self.predict_risk, rules, predicted));
        let index = rules.meaning_index(touchpoint.kind);
        let meant = (&rules.meanings[index], &predicted[index]);
        if at as f64 > fetch.clock * 1000.0 + MAX_AHEAD_MS {
            path.advance(touchpoint, &event, meant, &mut Learning::default());
            return Ok(DONE);
        }
        let (mut transitions, mut risk) = (transitions.borrow_mut(), risk.borrow_mut());
        let mut learning = Learning {
            transitions: self.predict_next.then_some(&mut transitions.0),
            risk: self.predict_risk.then_some(&mut risk.0),
        };
        path.advance(touchpoint, &event, meant, &mut learning);
        tenant.learnt += 1;
        Ok(DONE)
    }

    /// The keys of so many journeys that were used least recently and that no fetch touches.
    fn oldest(&self, most: usize) -> Vec<Box<[u8]>> {
        let idle = self.held.iter().filter(|(_, held)| held.slot.is_none());
        let mut found: Vec<_> = idle.map(|(key, held)| (held.used, key)).collect();
        if most < found.len() {
            found.select_nth_unstable(most);
            found.truncate(most);
        }
        found.into_iter().map(|(_, key)| key.clone()).collect()
    }

    fn pack(&self, key: &[u8], packer: &Bound<'_, PyAny>) -> PyResult<Option<Vec<u8>>> {
        let (tenant, profile_id) = parts(key)?;
        let Some(held) = self.held.get(key) else { return Ok(None) };
        Ok(pack(&held.journey, tenant, profile_id, |record| {
            Some(encoded(record, packer).ok()?.as_bytes().to_vec())
        }))
    }

    /// Unpacks a journey, if it is packed. Returns whether it was.
    fn unpack(&mut self, key: &[u8], packer: &Bound<'_, PyAny>) -> PyResult<bool> {
        let Some(compressed) = self.packed.remove(key) else { return Ok(false) };
        let (tenant, profile_id) = parts(key)?;
        let py = packer.py();
        let packed = packer.call_method1("decompress", (PyBytes::new(py, &compressed),))?;
        let record = |encoded: &[u8]| PyBytes::new(py, encoded).into_any().unbind();
        let journey = unpack(packed.downcast::<PyBytes>()?.as_bytes(), tenant, profile_id, record)
            .map_err(|_| PyValueError::new_err("a packed journey cannot be read"))?;
        self.held.insert(key.into(), Held { journey, slot: None, used: self.fetches });
        Ok(true)
    }

    /// Why Python must take an input of a profile, whatever it is; DONE if it must not.
    fn why_not(&mut self, key: &Bound<'_, PyBytes>, fetch: &Fetch) -> PyResult<u8> {
        let here = self.held.contains_key(key.as_bytes()) || self.unpack(key.as_bytes(), &fetch.packer)?;
        if !here && (fetch.objects.contains(key)? || fetch.compressed.contains(key)?) {
            return Ok(HELD);
        }
        let perhaps = !fetch.perhaps.is_empty() && fetch.perhaps.contains(key)?;
        Ok(if perhaps { REFUSED } else { DONE })
    }

    /// Notes that an input touches a journey, which is a new one if it is not here. Returns its place among the touched.
    fn touch(
        &mut self,
        record: &Bound<'_, PyAny>,
        key: &Bound<'_, PyBytes>,
        fetch: &Fetch,
    ) -> PyResult<usize> {
        let offset: i64 = record.getattr(intern!(key.py(), "offset"))?.extract()?;
        if !self.held.contains_key(key.as_bytes()) {
            let held = Held { journey: Journey::default(), slot: None, used: 0 };
            self.held.insert(key.as_bytes().into(), held);
        }
        let Some(held) = self.held.get_mut(key.as_bytes()) else {
            return Err(PyValueError::new_err("a touched journey is not here"));
        };
        held.used = self.fetches;
        let Journey { timeline, told, .. } = &mut held.journey;
        timeline.version = fetch.base + offset;
        if let Some(slot) = held.slot {
            return Ok(slot);
        }
        if told.signals.is_none() {
            let (rules, now) = (&self.tables.meant.rules, fetch.watermark.min((fetch.clock * 1000.0) as i64));
            told.recall(timeline.fold(rules), now, fetch.meanings, rules);
        }
        self.touched.push(Some(Touched::new(key)));
        Ok(*held.slot.insert(self.touched.len() - 1))
    }

    /// Takes a Move or a Transfer (`Timeline.move` and `receive`). Returns DONE; or why it did not.
    fn take_moved<'py>(
        &mut self,
        py: Python<'py>,
        (record, key): (&Bound<'py, PyAny>, &Bound<'py, PyBytes>),
        moved: &Moved,
        fetch: &mut Fetch<'py>,
        tenants: &mut Vec<Tenant<'py>>,
    ) -> PyResult<u8> {
        let assignment = &moved.assignment;
        let plain = is_plain_assignment(moved)
            && moved.touchpoints.iter().all(|(touchpoint, _)| self.is_plain_touchpoint(touchpoint))
            && moved.touchpoints.iter().all(|(touchpoint, _)| touchpoint.tenant == assignment.tenant)
            && is_in_its_place((assignment.tenant, moved.profile_id), key.as_bytes(), fetch);
        if !plain || !(0..tenant_of(assignment.tenant, fetch, tenants)?.limit).contains(&assignment.version) {
            return Ok(REFUSED);
        }
        let why = self.why_not(key, fetch)?;
        if why != DONE {
            return Ok(why);
        }
        let empty = Timeline::default();
        let timeline = self.held.get(key.as_bytes()).map_or(&empty, |held| &held.journey.timeline);
        let known = timeline.pointers.iter().position(|one| (&*one.node.0, &*one.node.1) == assignment.node);
        let newer = known.is_none_or(|index| timeline.pointers[index].version < assignment.version);
        // of the newest assignment known: version, owner, and the encoded datum
        let (version, owner, datum) = match known {
            Some(index) if !newer => {
                let pointer = &timeline.pointers[index];
                let Some(owner) = &pointer.owner else { return Ok(REFUSED) };
                let encoded = encoded(&pointer.record, &fetch.packer)?;
                (pointer.version, owner.to_string(), encoded.as_bytes()[HEADER_BYTES..].to_vec())
            }
            _ => (assignment.version, assignment.profile_id.to_owned(), assignment.datum.to_vec()),
        };
        let Some(brought) = brought(moved, timeline, version, &owner, self.horizon) else {
            return Ok(REFUSED);
        };
        let slot = self.touch(record, key, fetch)?;
        let (Some(held), Some(touched)) = (self.held.get_mut(key.as_bytes()), &mut self.touched[slot]) else {
            return Err(PyValueError::new_err("a touched journey is not here"));
        };
        let Journey { timeline, path, .. } = &mut held.journey;
        *path = None; // it is rebuilt when it is needed
        if newer {
            let (kind, value) = assignment.node;
            let record =
                PyBytes::new(py, &[b"\xc3\x01", &IDENTITY_ASSIGNMENT[..], assignment.datum].concat());
            let name = [key.as_bytes(), POINTER, kind.as_bytes(), b":", value.as_bytes()].concat();
            set_change(py, &mut touched.pointers, &name, Some(record.clone().unbind()));
            let pointer = Pointer {
                node: (kind.into(), value.into()),
                version,
                owner: Some(owner.as_str().into()),
                record: record.into_any().unbind(),
            };
            match known {
                Some(index) => timeline.pointers[index] = pointer,
                None => timeline.pointers.push(pointer),
            }
        }
        if owner != moved.profile_id {
            let mut leaving = Vec::new();
            for entry in timeline.remove(assignment.node, version) {
                let Ok(owned) = Owned::read_countable(&entry.value) else { continue };
                let name = [key.as_bytes(), ENTRY, id_of(&owned, &entry.event).as_bytes()].concat();
                set_change(py, &mut touched.entries, &name, None);
                leaving.push((entry.value.len(), entry.value[owned.touchpoint_at..].to_vec()));
                touched.gone.push((entry.event.clone(), owner.clone()));
                touched.emptied = timeline.entries.is_empty();
            }
            for transfer in transfers(&owner, moved.profile_id, &datum, &leaving) {
                touched.transfers.push((owner.clone(), transfer));
            }
        }
        for arrived in brought {
            match arrived {
                Brought::Forward(value) => touched.forwards.push((owner.clone(), value)),
                Brought::Entry { name, entry } => {
                    let name = [key.as_bytes(), ENTRY, name.as_bytes()].concat();
                    let value = PyBytes::new(py, &entry.value).unbind();
                    set_change(py, &mut touched.entries, &name, Some(value));
                    touched.emptied = false;
                    timeline.insert(entry);
                }
            }
        }
        Ok(DONE)
    }

    fn is_plain_touchpoint(&self, touchpoint: &Touchpoint) -> bool {
        is_valid(touchpoint)
            && touchpoint.is_countable()
            && touchpoint.account_id.is_none()
            && is_named(touchpoint.kind, &self.tables.meant.rules)
    }

    /// Whether nothing about the touchpoint needs Python (`schemas/internal.py`).
    fn is_plain(&self, owned: &Owned) -> bool {
        self.is_plain_touchpoint(&owned.touchpoint)
            && is_plain_node(owned.owner)
            && is_uuid(owned.profile_id)
            && owned.version >= NO_VERSION
    }

    /// The encoded state of a journey, with predictions if its model has learnt enough.
    fn state<'py>(
        &mut self,
        py: Python<'py>,
        key: &[u8],
        model: &Bound<'py, PyAny>,
        encode: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (tenant, profile_id) = parts(key)?;
        let Some(held) = self.held.get_mut(key) else {
            return Err(PyValueError::new_err("the journey is not here"));
        };
        let Meant { rules, predicted } = &self.tables.meant;
        let Journey { timeline, path, .. } = &mut held.journey;
        let version = timeline.version;
        let mut state = timeline.fold(rules).sealed(tenant, profile_id, version, 0, rules);
        let model = model.call1((tenant,))?;
        if model.is_none() {
            return Ok(PyBytes::new(py, &state));
        }
        let renewed: i64 = model.getattr(intern!(py, "renewed"))?.extract()?;
        if renewed == 0 {
            return Ok(PyBytes::new(py, &state));
        }
        let path = path.get_or_insert_with(|| timeline.path(0, self.predict_risk, rules, predicted));
        let standing = path.standing();
        if !self.predictions.contains_key(tenant) {
            self.predictions.insert(tenant.to_owned(), Encoded::default());
        }
        let Some(known) = self.predictions.get_mut(tenant) else { return Ok(PyBytes::new(py, &state)) };
        if known.renewed != renewed {
            *known = Encoded { renewed, by_standing: HashMap::new() };
        }
        let encoded = match known.by_standing.get(&standing) {
            Some(encoded) => encoded,
            None => {
                let found: Vec<u8> = encode.call1((&model, standing_of(&standing)))?.extract()?;
                known.by_standing.entry(standing).or_insert(found)
            }
        };
        state.truncate(state.len() - 3); // the predictions that the fold leaves out
        state.extend_from_slice(encoded);
        Ok(PyBytes::new(py, &state))
    }
}

fn standing_of(standing: &Standing) -> (String, String, u8, bool) {
    let text = |number| name_of(number).to_string();
    (text(standing.stage), text(standing.kind), standing.friction, standing.open_issue)
}

fn is_plain_node((kind, value): (&str, &str)) -> bool {
    is_name(kind) && (1..=MAX_OWNER_BYTES).contains(&value.len()) && !value.contains('\x1f')
}

/// Whether an assignment could be identity's, but for its version (`internal.check_assignment`).
fn is_plain_assignment(moved: &Moved) -> bool {
    let assignment = &moved.assignment;
    is_name(assignment.tenant)
        && is_plain_node(assignment.node)
        && is_uuid(assignment.profile_id)
        && is_uuid(moved.profile_id)
        && moved.from_profile_id.is_none_or(is_uuid)
        && (EARLIEST_MS..=LATEST_MS).contains(&assignment.occurred_at)
}

/// What a touchpoint of a Transfer becomes.
enum Brought {
    Forward(Vec<u8>),
    Entry { name: String, entry: Entry },
}

/// What the touchpoints of a Transfer become, under the newest assignment known; None if Python must say.
fn brought<R>(
    moved: &Moved,
    timeline: &Timeline<R>,
    version: i64,
    owner: &str,
    horizon: usize,
) -> Option<Vec<Brought>> {
    let mut found = Vec::new();
    let mut events: Vec<Event> = Vec::new();
    let mut size = 0;
    for (touchpoint, datum) in &moved.touchpoints {
        let event = event_key(touchpoint);
        let mut value = Vec::with_capacity(datum.len() + 128);
        if version > moved.assignment.version && owner != moved.profile_id {
            put_resolved(&mut value, moved.assignment.node, owner, version);
            value.extend_from_slice(datum);
            found.push(Brought::Forward(value));
            continue;
        }
        put_resolved(&mut value, moved.assignment.node, moved.profile_id, version);
        value.extend_from_slice(datum);
        if events.contains(&event) || timeline.entries.iter().any(|entry| entry.event == event) {
            return None; // a copy
        }
        size += value.len();
        let name = id_of(&Owned::read_countable(&value).ok()?, &event);
        events.push(event.clone());
        let entry = Entry { at: touchpoint.occurred_at, event, value: value.into() };
        found.push(Brought::Entry { name, entry });
    }
    timeline.has_room(events.len(), size, horizon).then_some(found)
}

/// The record of an assignment, encoded.
fn encoded<'py>(record: &Py<PyAny>, packer: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let record = record.bind(packer.py());
    match record.downcast::<PyBytes>() {
        Ok(encoded) => Ok(encoded.clone()), // as it came, or was unpacked
        Err(_) => Ok(packer.call_method1("encode", (record,))?.downcast_into()?),
    }
}

/// Whether the record has the key of its value and is on the partition of that key (`internal.check_place`).
fn is_in_its_place((tenant, profile_id): (&str, &str), key: &[u8], fetch: &Fetch) -> bool {
    let rest = key.strip_prefix(tenant.as_bytes()).and_then(|rest| rest.strip_prefix(b"/"));
    rest == Some(profile_id.as_bytes())
        && fetch.partitions > 0
        && partition_of(key, fetch.partitions) == fetch.partition
}

fn tenant_of<'py, 'a>(
    name: &str,
    fetch: &Fetch<'py>,
    tenants: &'a mut Vec<Tenant<'py>>,
) -> PyResult<&'a mut Tenant<'py>> {
    if let Some(index) = tenants.iter().position(|one| one.name == name) {
        return Ok(&mut tenants[index]);
    }
    let model = fetch.model.call1((name,))?;
    let counts = if model.is_none() {
        None
    } else {
        let transitions = model.getattr("transitions")?.downcast_into::<Transitions>()?;
        Some((transitions, model.getattr("risk")?.downcast_into::<Risk>()?))
    };
    let limit = fetch.limit.call1((name,))?.extract()?;
    tenants.push(Tenant { name: name.to_owned(), limit, counts, learnt: 0 });
    let index = tenants.len() - 1;
    Ok(&mut tenants[index])
}

/// Tenant and profile of a key.
fn parts(key: &[u8]) -> PyResult<(&str, &str)> {
    let text = std::str::from_utf8(key).map_err(|_| PyValueError::new_err("a key is not text"))?;
    text.split_once('/').ok_or_else(|| PyValueError::new_err("a key names no profile"))
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
    let raised = PyList::empty(py);
    for (event, value) in news.signals {
        let value = PyBytes::new(py, &value);
        if let Some(event) = event {
            raised.append((&*event, &value))?;
        }
        signals.append((key, value, py.None()))?;
    }
    if !raised.is_empty() {
        ahead.append(((key, news.version), (news.now, raised)))?;
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
    publications.append((PyBytes::new(py, &name), last))
}

/// An entry of a value that the core covers.
fn entry(value: &[u8], tenant: &str, profile_id: &str) -> Result<Entry, Uncovered> {
    let owned = Owned::read_countable(value)?;
    let touchpoint = &owned.touchpoint;
    if touchpoint.account_id.is_some() || touchpoint.tenant != tenant || owned.profile_id != profile_id {
        return Err(Uncovered);
    }
    Ok(Entry { at: touchpoint.occurred_at, event: event_key(touchpoint), value: value.into() })
}
