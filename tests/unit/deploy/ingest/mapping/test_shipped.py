"""Every shipped mapping makes of a sample in its system's published layout the touchpoints of its golden file.

To write the golden files anew: WRITE_GOLDENS=1 .venv/bin/pytest tests/unit/deploy/ingest/mapping/test_shipped.py
"""

import json
import os
from pathlib import Path

import pytest

from deploy.ingest.mapping.file import load_mapping, mapping_text, shipped
from deploy.ingest.touchpoint_files import TouchpointFiles
from schemas.errors import SettingsError
from schemas.records import Touchpoint
from schemas.touchpoint.json_form import to_json
from tests.support.built_in import CATALOGUE
from tests.support.exports import EXPORTS, sample

#: When the samples are read: after all of their events.
READ_AT = 1_775_000_000_000


def touchpoints(name: str) -> tuple[TouchpointFiles, list[Touchpoint]]:
    files = TouchpointFiles([str(sample(name))], load_mapping(name), clock=lambda: READ_AT)
    found = []
    for sourced in files:
        assert sourced.touchpoint is not None, sourced.entry.error
        found.append(sourced.touchpoint)
    return files, found


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_mapping_makes_the_golden_touchpoints_of_its_sample(name: str) -> None:
    files, found = touchpoints(name)
    golden = EXPORTS / f"{name}.golden.jsonl"
    lines = "".join(json.dumps(to_json(one), ensure_ascii=False) + "\n" for one in found)
    if "WRITE_GOLDENS" in os.environ:
        golden.write_text(lines, encoding="utf-8")
    assert lines == golden.read_text(encoding="utf-8")
    assert files.unseen() == []


@pytest.mark.parametrize("name", shipped())
def test_the_event_ids_of_a_sample_are_all_different_and_the_same_each_time(name: str) -> None:
    _, first = touchpoints(name)
    _, again = touchpoints(name)
    ids = [one["event_id"] for one in first]
    assert len(set(ids)) == len(ids)
    assert ids == [one["event_id"] for one in again]


@pytest.mark.parametrize("name", shipped())
def test_a_sample_has_the_channels_of_the_catalogue_and_no_address_or_user_agent(name: str) -> None:
    _, found = touchpoints(name)
    assert {CATALOGUE.channel_name(one["channel"]) for one in found} <= CATALOGUE.channels
    assert not [one for one in found if "203.0.113" in str(one) or "Mozilla" in str(one)]


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_mapping_says_how_to_publish_with_it(name: str) -> None:
    command = "touchline follow " if name.startswith("debezium") else "touchline publish "
    assert command in mapping_text(name)


def test_what_is_left_out_is_counted() -> None:
    assert touchpoints("snowplow")[0].left_out == 1  # a page ping
    assert touchpoints("debezium-customers")[0].left_out == 3  # a new first name, a tombstone, another table


def test_a_file_of_that_name_goes_before_a_shipped_mapping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ga4").write_text("delimiter = 1")
    with pytest.raises(SettingsError, match="delimiter is 1"):
        load_mapping("ga4")
    with pytest.raises(SettingsError, match="shipped are debezium-customers, debezium-orders, ga4"):
        load_mapping("ga5")
