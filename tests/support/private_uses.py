"""How a library uses one of its own private names: a digest that changes when any statement about the name does."""

import ast
from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path

_DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def digest_of(module: str, name: str) -> str:
    """The digest of what a module says about a name; "" if it says nothing or is not there."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return ""
    said = list(_said(_parsed(spec.origin), name))
    return blake2b("\n".join(said).encode(), digest_size=8).hexdigest() if said else ""


@cache
def _parsed(path: str) -> ast.Module:
    return ast.parse(Path(path).read_text(encoding="utf-8"))


def _said(tree: ast.AST, name: str) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, _DEFINITIONS) and node.name == name:
            yield from map(ast.unparse, _without_docstring(node))
        elif (isinstance(node, ast.stmt) and not hasattr(node, "body")) or isinstance(
            node, ast.expr | ast.withitem
        ):
            if _names(node, name):
                yield ast.unparse(node)
        else:
            yield from _said(node, name)


def _without_docstring(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> list[ast.AST]:
    signature = node.bases if isinstance(node, ast.ClassDef) else [node.args, *filter(None, [node.returns])]
    body = node.body if ast.get_docstring(node) is None else node.body[1:]
    return [*node.decorator_list, *signature, *body]


def _names(node: ast.AST, name: str) -> bool:
    return any(
        (isinstance(one, ast.Attribute) and one.attr == name)
        or (isinstance(one, ast.Name) and one.id == name)
        for one in ast.walk(node)
    )
