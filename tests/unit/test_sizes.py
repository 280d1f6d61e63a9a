"""Files and functions are short enough to read at one go, but for those whose reason stands here."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOPS = ("schemas", "streams", "sinks", "deploy")
FILE_LINES = 300
FUNCTION_LINES = 60

#: Longer files, and why each is one.
FILES: Mapping[str, str] = {
    "schemas/records.py": "one class a contract, nothing else: a field a line, in one place to look it up",
    "streams/journeys/state/fold.py": "the steps of the fold in their order, and the state they end in",
    "streams/journeys/state/issues.py": "one state machine: opening, contacts, solving and deadlines of an issue",
    "streams/collect/openapi.py": "the OpenAPI document: one literal",
    "sinks/clickhouse/write/encoding/tables.py": "one table: every column of every ClickHouse table, a line each",
}

#: Longer functions, and why each is one.
FUNCTIONS: Mapping[str, str] = {
    "streams/collect/openapi.py: _schemas": "one literal: the schemas of the OpenAPI document",
    "streams/journeys/state/fold.py: sealed": "one record literal: a field of JourneyState a line",
}


def modules() -> Iterator[tuple[str, str]]:
    for top in TOPS:
        for path in sorted((ROOT / top).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def long_functions(name: str, code: str, limit: int = FUNCTION_LINES) -> dict[str, int]:
    """Functions of a module, nested ones and methods too, with more lines than the limit."""
    found = {}
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > limit:
                found[f"{name}: {node.name}"] = lines
    return found


def test_no_file_is_long_without_a_reason() -> None:
    long = {name: len(code.splitlines()) for name, code in modules() if len(code.splitlines()) > FILE_LINES}
    assert {name: lines for name, lines in long.items() if name not in FILES} == {}


def test_no_function_is_long_without_a_reason() -> None:
    long = {place: lines for name, code in modules() for place, lines in long_functions(name, code).items()}
    assert {place: lines for place, lines in long.items() if place not in FUNCTIONS} == {}


def test_every_reason_is_still_needed() -> None:
    files = {name for name, code in modules() if len(code.splitlines()) > FILE_LINES}
    functions = {place for name, code in modules() for place in long_functions(name, code)}
    assert FILES.keys() - files == set()
    assert FUNCTIONS.keys() - functions == set()


def test_methods_nested_and_asynchronous_functions_are_measured() -> None:
    code = """
class Box:
    def method(self):
        pass
        async def nested():
            pass
            pass
"""
    assert long_functions("m.py", code, limit=2) == {"m.py: method": 5, "m.py: nested": 3}
    assert long_functions("m.py", code, limit=5) == {}
