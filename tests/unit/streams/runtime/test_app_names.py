"""A worker's own attributes leave Faust's alone: Faust would use what has another meaning."""

import ast
import inspect
import textwrap

import faust

from streams.runtime.app import WorkerApp

NAMES = {
    node.attr
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(WorkerApp.__init__))))
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
}


def test_no_attribute_of_a_worker_has_a_name_that_faust_uses() -> None:
    fausts = set(dir(faust.App)).union(*(getattr(kind, "__annotations__", {}) for kind in faust.App.__mro__))

    assert {"publisher", "touchpoint_tracer"} <= NAMES
    assert "tracer" in fausts
    assert NAMES & fausts == set()
