"""What is written twice, in Python and in Rust, is changed twice."""

import sys
from dataclasses import fields

import pytest

from schemas.encoding.codec import MARKER, header
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state import native_fold
from streams.runtime.native_core import installed_core
from tests.support import mirrors
from tests.support.mirrors import MIRRORS, ROOT
from tests.support.native import needs_native

#: Fields of JourneyRules that no fold reads as they are: the others are Python's, or in meanings and tables.
UNREAD = {
    "horizon_touchpoints", "horizon_ms", "horizon_most", "horizon_text", "prediction_half_life_ms", "predict_next",
    "predict_risk",
    "bad_friction", "expectations", "counts",
}  # fmt: skip


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="from 3.12 on f-strings are other tokens")
@pytest.mark.parametrize("module", MIRRORS)
def test_a_change_of_the_python_is_made_in_the_rust_too(module: str) -> None:
    rust = f"streams/native/src/{MIRRORS[module]}"
    assert (ROOT / rust).exists()
    found = mirrors.digest((ROOT / module).read_text(encoding="utf-8"))
    assert found == mirrors.accepted().get(module), (
        f"{module} has changed, and {rust} does the same work: change it too until tests/unit/streams/native passes"
        " (make install builds it), then run `python -m tests.support.mirrors --accept`"
    )


def test_only_what_a_module_does_is_in_its_digest() -> None:
    code = 'def f(x: int) -> int:\n    """Says."""\n    return x  # so\n'
    assert mirrors.digest(code) == mirrors.digest("def f(x: int) -> int:\n\n    return x\n")
    assert mirrors.digest(code) != mirrors.digest(code.replace("return x", "return -x"))
    summary = "class A:\n    def dump(self):\n        return {}\n"
    assert mirrors.digest(summary) == mirrors.digest(summary.replace("{}", "None"))


def test_every_rule_is_known_to_the_native_fold() -> None:
    known = {field.name for field in fields(JourneyRules)}
    assert known == {*native_fold.READ, *UNREAD}, (
        "a field of JourneyRules is new or gone: add it to READ in streams/journeys/state/native_fold.py and to Rules"
        " in streams/native/src/rules.rs, or to UNREAD here if no fold reads it"
    )


@needs_native
def test_the_native_core_reads_and_writes_the_current_schemas() -> None:
    for name, fingerprint in installed_core().Core.SCHEMAS.items():
        assert header(name) == MARKER + fingerprint, (
            f"{name}.avsc has changed: touchpoint.rs or state/record.rs in streams/native/src/ handles its fields and"
            f" names its fingerprint; change both, the fingerprint from {fingerprint.hex()} to {header(name)[2:].hex()}"
        )
