"""What Faust, mode and aiokafka do with their private members is what this project relies on."""

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from streams.runtime.private_members import PRIVATE_MEMBERS, PrivateMember
from tests.support.private_uses import digest_of

ROOT = Path(__file__).parents[4]
LIBRARIES = ("aiokafka", "faust", "mode")
LISTED = {member.name for member in PRIVATE_MEMBERS}


@pytest.mark.parametrize("member", PRIVATE_MEMBERS, ids=lambda member: f"{member.module}.{member.name}")
def test_a_private_member_is_what_it_was_when_its_use_was_written(member: PrivateMember) -> None:
    found = digest_of(member.module, member.name)
    assert found == member.digest, (
        f"{member.module} says something else about {member.name} ({member.use}): read it, mend its uses,"
        f' and write "{found}" into streams/runtime/private_members.py'
    )


def modules() -> list[Path]:
    """Modules that import one of the libraries."""
    found = []
    for half in ("schemas", "streams", "sinks", "deploy"):
        for path in sorted((ROOT / half).rglob("*.py")):
            lines = path.read_text(encoding="utf-8").splitlines()
            if any(
                line.split()[1].split(".")[0] in LIBRARIES
                for line in lines
                if line.startswith(("from ", "import "))
            ):
                found.append(path)
    return found


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def foreign_uses(tree: ast.Module) -> Iterator[str]:
    """Private attributes that a module takes from objects, and does not define itself."""
    own = {"_exit", "_fields", "_replace"}  # of os, and of named tuples
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            own.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id == "self":
                own.add(node.attr)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            own.add(node.target.id)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in own:
            yield node.attr


def test_every_private_member_that_is_used_is_listed() -> None:
    paths = modules()
    assert ROOT / "streams/runtime/fetches.py" in paths
    own = {"_counted"}  # of a class of this project, set by its constructor method
    found = {
        (str(path.relative_to(ROOT)), name)
        for path in paths
        for name in foreign_uses(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert {(path, name) for path, name in found if name not in LISTED | own} == set()


def has_subclass_with_private_methods(path: Path) -> bool:
    return any(
        isinstance(node, ast.ClassDef)
        and node.bases
        and any(
            isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and is_private(one.name)
            for one in node.body
        )
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    )


def test_every_private_member_that_a_class_of_ours_replaces_is_listed() -> None:
    replaced = set()
    for path in filter(has_subclass_with_private_methods, modules()):
        module = import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for _, one in inspect.getmembers(module, inspect.isclass):
            theirs = [base for base in one.__mro__[1:] if base.__module__.split(".")[0] in LIBRARIES]
            if one.__module__ == module.__name__:
                replaced |= {
                    name
                    for name in vars(one)
                    if is_private(name) and any(name in vars(base) for base in theirs)
                }
    assert "_commit_offsets" in replaced
    assert {name for name in replaced if not name.startswith("_abc_")} - LISTED == set()
