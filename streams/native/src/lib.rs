//! Touchline's compiled core. Each module is named as the Python module that it mirrors and that defines it:
//! `streams/journeys/state/issues.py` is `state/issues.rs`. A change of one is a change of the other; the tests in
//! `tests/unit/streams/native/` compare their results byte by byte. docs/native-core.md has the boundary.

mod assignment;
mod batches;
mod encoding;
mod events;
mod journey;
mod keys;
mod numbers;
mod packing;
mod prediction;
mod profile_id;
mod python;
mod rules;
mod signals;
mod state;
mod stitch;
mod timeline;
mod touchpoint;

use pyo3::prelude::*;

#[pymodule]
fn touchline_native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("SOURCES", env!("TOUCHLINE_SOURCES"))?;
    module.add_function(wrap_pyfunction!(python::records::read_record, module)?)?;
    module.add_function(wrap_pyfunction!(python::stitch_restoring::restore_stitch, module)?)?;
    module.add_function(wrap_pyfunction!(python::stitch_learning::learn_assignments, module)?)?;
    module.add_function(wrap_pyfunction!(python::identity::read_link, module)?)?;
    module.add_function(wrap_pyfunction!(python::identity::decision_records, module)?)?;
    module.add_function(wrap_pyfunction!(python::naming::partition_of, module)?)?;
    module.add_function(wrap_pyfunction!(python::naming::uuid5_text, module)?)?;
    module.add_function(wrap_pyfunction!(python::batches::fetched::has_batch, module)?)?;
    module.add_function(wrap_pyfunction!(python::batches::fetched::is_current_format, module)?)?;
    module.add_function(wrap_pyfunction!(python::batches::record::value_bytes, module)?)?;
    module.add_class::<python::batches::fetched::FetchedBatches>()?;
    module.add_class::<python::batches::record::Record>()?;
    module.add_class::<python::batches::building::BatchBuilder>()?;
    module.add_class::<python::stitch::Stitch>()?;
    module.add_class::<python::stitch::Stitched>()?;
    module.add_class::<python::prediction::Transitions>()?;
    module.add_class::<python::prediction::Risk>()?;
    module.add_class::<python::journeys::Journeys>()?;
    module.add_class::<python::fold::Core>()?;
    module.add_class::<python::fold::Fold>()
}
