"""Tests use what the code offers: none reads or replaces a private member of it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = [
    path for folder in ("schemas", "streams", "sinks", "deploy") for path in (ROOT / folder).rglob("*.py")
]
TESTS = [path for path in sorted((ROOT / "tests").rglob("*.py")) if path.name != "test_private.py"]
#: A named tuple's own methods.
NAMED_TUPLE = {"_asdict", "_fields", "_make", "_replace"}
#: Objects whose own private members a class may use.
OWN = {"self", "cls"}
#: On a line that reads a private member of that library: ours may have the same name.
OF_A_LIBRARY = "# aiokafka's"


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def defined(tree: ast.AST) -> Iterator[str]:
    """The private names that a module defines: functions, constants, attributes, slots."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.id if isinstance(node, ast.Name) else node.attr


def used(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The private names that a test reads or replaces in something else, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not _of_its_own(node.value) and node.attr not in NAMED_TUPLE:
            yield node.lineno, node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.Call) and "setattr" in ast.unparse(node.func):
            yield from (
                (node.lineno, argument.value.rpartition(".")[2])
                for argument in node.args
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            )


def _of_its_own(owner: ast.expr) -> bool:
    return (isinstance(owner, ast.Name) and owner.id in OWN) or ast.unparse(owner) == "super()"


PRIVATE = {name for path in CODE for name in defined(ast.parse(path.read_text())) if is_private(name)}


def found(source: str) -> list[str]:
    lines = source.splitlines()
    return [
        f"line {line}: {name}"
        for line, name in used(ast.parse(source))
        if name == "__code__" or (is_private(name) and name in PRIVATE)
        if not lines[line - 1].endswith(OF_A_LIBRARY)
    ]


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_test_leaves_private_members_alone(path: Path) -> None:
    assert found(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "timeline._entries = 1",
        "from streams.identity.policy.policy import _PRIVATE_NORMALISERS",
        "monkeypatch.setattr(agent, '_apply', None)",
        "agent.take.__code__",
    ],
)
def test_it_is_noticed(source: str) -> None:
    assert found(source.replace("_entries", "_apply")) != []


def test_the_members_of_a_tests_own_class_and_of_libraries_are_its_own_affair() -> None:
    assert found("self._apply\nsuper()._apply()\nconsumer._no_such_name_in_touchline") == []
