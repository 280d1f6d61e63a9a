"""Attributes that Touchline adds to Faust's classes must not hide Faust's own: a crash would go unheard."""

import inspect

import faust
import pytest
from faust.tables.table import Table

from schemas.settings import Settings
from streams.runtime.app import WorkerApp
from streams.runtime.state import ChangelogState
from streams.stitch.stitching import StitchState


def worker() -> WorkerApp:
    return WorkerApp(Settings())


def state() -> ChangelogState[StitchState]:
    return ChangelogState(worker(), "stitch", lambda _: StitchState())


@pytest.mark.parametrize(("made", "theirs"), [(worker, faust.App), (state, Table)], ids=["app", "state"])
def test_no_attribute_of_ours_hides_a_method_of_theirs(made, theirs) -> None:
    hidden = [name for name in vars(made()) if inspect.isfunction(getattr(theirs, name, None))]
    assert hidden == []
