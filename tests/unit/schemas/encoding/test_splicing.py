"""What is spliced from encoded parts is what the codec would encode; a schema of another order is refused at import."""

import importlib.util
from collections.abc import Iterator
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.encoding import registry, splicing
from schemas.encoding.codec import HEADER_BYTES, encode, string_bytes, take_long
from schemas.encoding.record_types import (
    IDENTITY_ASSIGNMENT,
    JOURNEY_STATE,
    MOVE,
    RESOLVED_TOUCHPOINT,
    TOUCHPOINT,
)
from tests.support.examples import example

#: The machine may be busy: a law is about values, never about time.
law = settings(max_examples=40, deadline=None)

longs = st.integers(-(2**63), 2**63 - 1)
names = st.text(max_size=70)


@law
@given(names, names, names, longs)
def test_a_touchpoint_is_wrapped_with_its_owner_as_the_codec_would(
    type_: str, value: str, profile_id: str, version: int
) -> None:
    touchpoint = example("Touchpoint")
    resolved = {
        "identifier": {"type": type_, "value": value}, "profile_id": profile_id, "version": version,
        "touchpoint": touchpoint,
    }  # fmt: skip
    inner = TOUCHPOINT.encode(touchpoint)
    spliced = splicing.encode_resolved(resolved["identifier"], profile_id, version, inner)
    assert spliced == RESOLVED_TOUCHPOINT.encode(resolved)
    assert spliced[splicing.touchpoint_in(spliced) :] == inner[HEADER_BYTES:]
    beginning = splicing.resolved_beginning((type_, value), profile_id, version, touchpoint["tenant"])
    assert spliced.startswith(beginning)
    assert spliced[: len(beginning)].endswith(string_bytes(touchpoint["tenant"]))


@law
@given(names, names, longs)
def test_a_move_is_put_around_its_assignment_as_the_codec_would(
    profile_id: str, event_id: str, version: int
) -> None:
    move = example("Move")
    move = {
        **move,
        "profile_id": profile_id,
        "assignment": {**move["assignment"], "event_id": event_id, "version": version},
    }
    encoded = IDENTITY_ASSIGNMENT.encode(move["assignment"])
    assert splicing.encode_move(profile_id, encoded) == MOVE.encode(move)


@law
@given(names, longs, longs, names)
def test_event_time_and_source_are_read_without_the_rest(
    event_id: str, occurred_at: int, received_at: int, source: str
) -> None:
    named = {"event_id": event_id, "occurred_at": occurred_at, "received_at": received_at, "source": source}
    touchpoint = {**example("Touchpoint"), **named}
    rest = TOUCHPOINT.encode(touchpoint)[HEADER_BYTES + len(string_bytes(touchpoint["tenant"])) :]
    assert splicing.event_in(rest) == (event_id, occurred_at, source)


@pytest.mark.parametrize("name", ["JourneyState", "AccountState"])
@law
@given(tenant=names, version=longs, state_hash=st.text("0123456789abcdef", max_size=64))
def test_version_and_hash_are_put_into_a_state_as_the_codec_would(
    name: str, tenant: str, version: int, state_hash: str
) -> None:
    state = {**example(name), "tenant": tenant}
    bare = encode(name, {**state, "version": 0, "state_hash": ""})
    sealed = splicing.put_version_and_hash(name, bare, version, state_hash)
    assert sealed == encode(name, {**state, "version": version, "state_hash": state_hash})
    assert take_long(sealed, splicing.VERSION_IN[name](sealed))[0] == version


recent = st.fixed_dictionaries({"event_id": names, "occurred_at": longs, "channel": names, "type": names})
likely = st.fixed_dictionaries({"type": names, "probability": st.floats(0, 1)})


@law
@given(st.lists(recent, max_size=70), st.lists(likely, max_size=3), st.none() | st.floats(0, 1), names)
def test_recent_touchpoints_and_predictions_are_put_into_a_state_as_the_codec_would(
    items: list[dict[str, Any]], next_: list[Any], risk: float | None, model_version: str
) -> None:
    empty = {"recent": [], "likely_next": [], "issue_risk": None, "model_version": None}
    state = {**example("JourneyState"), **empty}
    encoded = [splicing.recent_item(i["event_id"], i["occurred_at"], i["channel"], i["type"]) for i in items]
    shown = splicing.put_recent(JOURNEY_STATE.encode(state), encoded)
    assert shown == JOURNEY_STATE.encode({**state, "recent": items})
    predicted = splicing.put_predictions(shown, splicing.encode_predictions(next_, risk, model_version))
    prediction = {"likely_next": next_, "issue_risk": risk, "model_version": model_version}
    assert predicted == JOURNEY_STATE.encode({**state, "recent": items, **prediction})


def test_predictions_are_not_put_over_others() -> None:
    predicted = splicing.encode_predictions([], 0.5, "1.0.200")
    state = {**example("JourneyState"), "likely_next": [], "issue_risk": None, "model_version": None}
    once = splicing.put_predictions(JOURNEY_STATE.encode(state), predicted)
    with pytest.raises(ValueError, match="the state has predictions already"):
        splicing.put_predictions(once, predicted)


# -- other orders of fields ------------------------------------------------------------------------------------------


def swapped(fields: list[dict[str, Any]], one: str, other: str) -> None:
    at = [field["name"] for field in fields]
    first, second = at.index(one), at.index(other)
    fields[first], fields[second] = fields[second], fields[first]


def changes() -> Iterator[Any]:
    """Schemas in which two fields that the splicing relies on have changed places."""
    for name, path, *order in (
        ("ResolvedTouchpoint", (), "identifier", "profile_id", "version", "touchpoint"),
        ("ResolvedTouchpoint", ("identifier",), "type", "value"),
        ("ResolvedTouchpoint", ("touchpoint",), "tenant", "event_id", "occurred_at", "received_at", "source"),
        ("JourneyState", (), "tenant", "profile_id", "version", "state_hash", "as_of"),
        ("JourneyState", (), "experiments", "recent", "likely_next", "issue_risk", "model_version"),
        ("JourneyState", ("recent",), "event_id", "occurred_at", "channel", "type"),
        ("AccountState", (), "tenant", "account_id", "version", "state_hash", "as_of"),
    ):  # fmt: skip
        for one, other in pairwise(order):
            yield pytest.param(name, path, one, other, id=".".join((name, *path, f"{one}-{other}")))


def loaded_with(schemas: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Import splicing.py anew, under another name, with other schemas."""
    monkeypatch.setattr(registry, "current", lambda: schemas)
    spec = importlib.util.spec_from_file_location("splicing_of_other_schemas", Path(splicing.__file__))
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


@pytest.mark.parametrize(("name", "path", "one", "other"), [*changes()])
def test_the_import_refuses_another_order_of_the_fields(
    name: str, path: tuple[str, ...], one: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    schemas = deepcopy(registry.current())
    fields = schemas[name]["fields"]
    for step in path:
        (type_,) = (field["type"] for field in fields if field["name"] == step)
        fields = type_.get("items", type_)["fields"]
    swapped(fields, one, other)
    with pytest.raises(ImportError, match="splicing"):
        loaded_with(schemas, monkeypatch)


def test_the_import_accepts_the_schemas_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded_with(deepcopy(registry.current()), monkeypatch)


def test_an_offset_before_which_a_field_cannot_be_skipped_is_refused() -> None:
    with pytest.raises(ImportError, match=r"JourneyState\.identifiers stands before account_id"):
        splicing.offset_of("JourneyState", "account_id")
    with pytest.raises(ImportError, match="Identifier has no field colour"):
        splicing.offset_of("Identifier", "colour")
