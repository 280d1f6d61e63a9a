"""Which Python module is written a second time, in Rust, and whether it has changed since both were made equal.

`streams/native/mirrors.toml` has a digest of each Python module: of its code, without comments, docstrings and what the
native core leaves to Python. After a change of both, `python -m tests.support.mirrors --accept` writes it anew.
"""

import ast
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FILE: Final = ROOT / "streams/native/mirrors.toml"
#: Summaries are written, read and merged by Python alone.
PYTHON_ONLY: Final = {"dump", "load", "absorb", "dump_marked", "load_marked", "sound"}
_LAYOUT: Final = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING,
}  # fmt: skip

#: Python module → the Rust module that mirrors it.
MIRRORS: Final = {
    "schemas/encoding/signal_encoders.py": "signals/told.rs",
    "schemas/internal_fields.py": "stitch/check.rs",
    "schemas/internal.py": "python/journeys/moving.rs",
    "schemas/murmur2.py": "keys.rs",
    "schemas/touchpoint/events.py": "events.rs",
    "schemas/touchpoint/rules.py": "stitch/check.rs",
    "streams/identity/policy/prepare.py": "stitch/prepared.rs",
    "streams/identity/resolution/links.py": "python/stitch.rs",
    "schemas/profile_ids.py": "profile_id.rs",
    **{
        f"streams/journeys/prediction/{name}.py": f"prediction/{name}.rs"
        for name in ("forward_decay", "recent_path", "risk", "transitions")
    },
    "streams/journeys/partition.py": "python/journeys/restoring.rs",
    "streams/journeys/prediction/predictions.py": "python/journeys/taking.rs",
    "streams/journeys/publication.py": "python/journeys/publishing.rs",
    "streams/journeys/rules/meaning.py": "rules.rs",
    "streams/journeys/signals/published.py": "signals/told.rs",
    "streams/journeys/signals/told.py": "signals/told.rs",
    **{
        f"streams/journeys/state/{name}.py": f"state/{name}.rs"
        for name in (
            "channels", "consent", "counting", "expectations", "facts", "feedback", "fold", "friction", "instants",
            "issues", "orders", "owners", "recent", "sessions", "signals", "stages", "values/bounded", "values/decay",
            "values/windows",
        )
    },
    "streams/journeys/state/state_hash.py": "state/record.rs",
    "streams/journeys/timeline/block_ends.py": "timeline/timeline.rs",
    "streams/journeys/timeline/entry.py": "timeline/entry.rs",
    "streams/journeys/timeline/timeline.py": "timeline/timeline.rs",
    "streams/journeys/timeline/touchpoint_set.py": "timeline/timeline.rs",
    "streams/stitch/compact_assignment.py": "python/stitch.rs",
    "streams/stitch/stitching.py": "python/stitch.rs",
}  # fmt: skip


def digest(code: str) -> str:
    """Of what a module does: another layout, comment or docstring does not change it."""
    skipped = set(_skipped_lines(ast.parse(code)))
    lines = iter(code.splitlines(keepends=True))
    tokens = tokenize.generate_tokens(lambda: next(lines, ""))
    kept = [one.string for one in tokens if one.type not in _LAYOUT and one.start[0] not in skipped]
    return blake2b("".join(kept).encode(), digest_size=8).hexdigest()


def _skipped_lines(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and _is_skipped(node):
            yield from range(node.lineno, (node.end_lineno or 0) + 1)


def _is_skipped(node: ast.stmt) -> bool:
    if isinstance(node, ast.FunctionDef):
        return node.name in PYTHON_ONLY
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return docstring or isinstance(node, ast.Import | ast.ImportFrom)


def digests() -> dict[str, str]:
    return {name: digest((ROOT / name).read_text(encoding="utf-8")) for name in MIRRORS}


def accepted() -> dict[str, str]:
    return dict(tomllib.loads(FILE.read_text(encoding="utf-8")))


def accept() -> None:
    lines = [
        "# Digests of the Python modules that src/ mirrors: see tests/support/mirrors.py. `--accept` writes this.\n"
    ]
    lines += [f'"{name}" = "{found}"\n' for name, found in sorted(digests().items())]
    FILE.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] != ["--accept"]:
        sys.exit("usage: python -m tests.support.mirrors --accept")
    accept()
