"""Every record has an example and a committed version; nothing else lies in their folders."""

import pytest
from fastavro import validate

from schemas.encoding.codec import decode, encode
from schemas.encoding.datum import parsed
from schemas.encoding.registry import AVRO, NAMES, VERSIONS, committed, current
from schemas.touchpoint.rules import check
from tests.support.examples import FOLDER, example


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_valid_and_comes_back_from_the_codec_as_it_was(name: str) -> None:
    record = example(name)
    validate(record, parsed(current()[name]))
    assert decode(encode(name, record)) == (name, record)


def test_the_example_touchpoint_keeps_the_rules_of_the_contract() -> None:
    check(example("Touchpoint"))


def test_no_example_schema_or_version_belongs_to_no_record() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.json" for name in NAMES}
    assert {path.name for path in AVRO.iterdir()} == {f"{name}.avsc" for name in NAMES}
    assert {path.name for path in VERSIONS.iterdir()} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_committed_versions_count_from_one_without_a_gap(name: str) -> None:
    names = {path.name for path in (VERSIONS / name).iterdir()}
    assert names == {f"{number}.json" for number in range(1, len(names) + 1)}


@pytest.mark.parametrize("name", NAMES)
def test_a_committed_version_stands_on_its_own(name: str) -> None:
    for version in committed(name):
        assert version["name"] == name
        assert version["namespace"] == current()[name]["namespace"]
