"""Which core a worker runs, and what it says about it."""

import logging
from pathlib import Path
from types import ModuleType

import pytest

from schemas.encoding.codec import MARKER
from schemas.errors import SettingsError
from streams.core import choose_core
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state import native_fold
from streams.journeys.state.fold import Fold
from streams.journeys.state.native_fold import NativeFold
from streams.journeys.timeline.timeline import Timeline
from streams.runtime import native_core
from tests.support.journeys import CATALOGUE, RULES, touchpoint
from tests.support.journeys_of import give
from tests.support.native import core, needs_native


def folds_by() -> type[object]:
    timeline = Timeline("default", "p1")
    give(timeline, touchpoint())
    return type(timeline.fold(CATALOGUE, RULES))


def test_python_folds_when_it_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    with core(native=True), caplog.at_level(logging.INFO):
        assert choose_core("python", CATALOGUE, RULES) == "python"
        assert folds_by() is Fold
    assert "core: python" in caplog.text


@needs_native
@pytest.mark.parametrize("wanted", ["auto", "native"])
def test_the_native_core_folds_where_it_is_installed(wanted: str, caplog: pytest.LogCaptureFixture) -> None:
    with core(native=False), caplog.at_level(logging.INFO):
        assert choose_core(wanted, CATALOGUE, RULES) == f"native {native_core.native_version()}"
        assert folds_by() is NativeFold
    assert "core: native" in caplog.text


def test_without_it_python_does_the_work_and_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(native_core, "touchline_native", None)
    with core(native=True), caplog.at_level(logging.INFO):
        assert choose_core("auto", CATALOGUE, RULES) == "python"
        assert folds_by() is Fold
    (line,) = caplog.messages
    assert "not installed" in line
    with pytest.raises(SettingsError, match=r"TOUCHLINE_CORE is native, but .* not installed"):
        choose_core("native", CATALOGUE, RULES)


@needs_native
def test_a_core_that_was_built_for_other_schemas_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_fold, "header", lambda name: MARKER + name[:8].encode())
    assert "built for another" in native_fold.why_not(CATALOGUE, RULES)


@needs_native
def test_the_installed_core_is_built_from_these_sources() -> None:
    assert native_core.why_foreign() == "", (
        "every other test of the native core tries another core than this one"
    )


@needs_native
@pytest.mark.parametrize("number", ["0" * 32, None])
def test_a_core_of_the_same_version_that_was_built_from_other_sources_does_not_run(
    number: str | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    other = ModuleType("touchline_native")
    other.__dict__.update(vars(native_core.touchline_native))
    other.SOURCES = number  # type: ignore[attr-defined]
    if number is None:
        del other.SOURCES  # type: ignore[attr-defined]
    monkeypatch.setattr(native_core, "touchline_native", other)
    with core(native=False), caplog.at_level(logging.INFO):
        assert choose_core("auto", CATALOGUE, RULES) == "python"
        assert folds_by() is Fold
        with pytest.raises(SettingsError, match=r"cannot run: it was built from other sources than these"):
            choose_core("native", CATALOGUE, RULES)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "other sources" in record.message


@needs_native
def test_without_the_sources_nobody_can_tell_and_it_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_core, "SOURCES", tmp_path)
    assert "are missing" in native_fold.why_not(CATALOGUE, RULES)


def test_any_change_of_the_sources_changes_their_number(tmp_path: Path) -> None:
    def number(**changed: str) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        for name, content in ({"lib": "one", "state/fold": "two"} | changed).items():
            file = folder / "src" / f"{name}.rs"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        return native_core.sources_digest(folder)

    assert number() == number()
    assert len({number(), number(lib="ones"), number(**{"state/fold": "to"}), number(state="")}) == 4


@needs_native
def test_more_rules_than_it_covers_are_pythons() -> None:
    rule = '[expectations.e{0}]\nopened_by = ["quote_sent"]\nmet_by = ["callback"]\nwithin_hours = 1\n'
    many = JourneyRules.parse("".join(map(rule.format, range(70))), "many.toml")
    assert native_fold.why_not(CATALOGUE, many) == "it does not cover these rules"
    with core(native=True):
        assert native_fold.native_fold(CATALOGUE, many) is None
