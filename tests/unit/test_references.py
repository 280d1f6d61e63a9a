"""Comments, docstrings and documents name files, modules and sections that exist."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOPS = ("schemas", "streams", "sinks", "deploy", "tests", "docs")

#: A path of this project: it begins with a folder of the top level.
PATH = re.compile(rf"(?<![\w/.-])((?:{'|'.join(TOPS)})/[\w./*-]*[\w*/])")
#: A file of code or text without its folder, in this one or any other.
NAME = re.compile(r"(?<![\w/.*-])([\w-]+\.(?:py|md|avsc))(?![\w/-])")
#: A module, or something in it.
MODULE = re.compile(rf"(?<![\w/.-])((?:{'|'.join(TOPS[:-1])})(?:\.\w+)+)(?![\w/(])")
#: A section: docs/identity.md, "The policy".
SECTION = re.compile(r'([\w/-]+\.md), "([^"]+)"')
LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]*)(?:#([\w-]+))?\)")
#: Documents that were written before the project, and that nobody who has the project has.
OUTSIDE = re.compile(r"\b(DESIGN|RELIABILITY|PRODUCT|STYLE)(\.md\b|,? (section|chapter)\b)")

#: The table of docs/design.md that shows the tree as it was.
BEFORE = re.compile(r"^\| before: commit .*?\n\n", re.MULTILINE | re.DOTALL)

#: Files that a user or a run makes, in examples.
MADE = frozenset({"table.md"})


def files() -> list[str]:
    inside = [path for top in TOPS for path in (ROOT / top).rglob("*") if "__pycache__" not in path.parts]
    found = [path for path in (*inside, *ROOT.glob("*")) if path.is_file() and not path.name.startswith(".")]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


FILES = files()
NAMES = frozenset(Path(name).name for name in FILES)
#: The stored state of a release keeps the words of that release.
READ = [
    name
    for name in FILES
    if not name.startswith("tests/upgrade/") and name != "tests/unit/test_references.py"
]


def prose(name: str) -> str:
    """What a file says to people: comments and docstrings of code, all of a document."""
    text = (ROOT / name).read_text(encoding="utf-8")
    if name.endswith(".py"):
        return "\n".join((*comments(text), *docstrings(text)))
    if name.endswith((".toml", ".sql")):
        return "\n".join(line for line in text.splitlines() if line.lstrip().startswith(("#", "--")))
    return BEFORE.sub("", text)


def comments(code: str) -> Iterator[str]:
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def docstrings(code: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as a page of it has them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def headings(document: Path) -> set[str]:
    return set(re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE))


def exists(path: str) -> bool:
    return any(ROOT.glob(path.rstrip("/"))) if "*" in path else (ROOT / path).exists()


def importable(dotted: str) -> bool:
    """Whether a dotted name is a package, a module, or a name that stands in a module."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:length])
        module = path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__init__.py"
        if path.is_dir() or module.is_file():
            rest = parts[length:]
            return not rest or (
                module.is_file() and re.search(rf"\b{rest[0]}\b", module.read_text()) is not None
            )
    return False


def broken(text: str, folder: str = "") -> list[str]:
    """The references of a text, which stands in `folder`, to what does not exist."""
    found = [path for path in PATH.findall(text) if not exists(path)]
    found += [name for name in NAME.findall(text) if name not in NAMES | MADE]
    found += [dotted for dotted in MODULE.findall(text) if not importable(dotted)]
    found += [f"{match[1]}{match[2]}" for match in OUTSIDE.finditer(text)]
    for path, section in SECTION.findall(text):
        document = ROOT / path if (ROOT / path).is_file() else ROOT / "docs" / path
        if document.is_file() and section not in headings(document):
            found.append(f'{path}, "{section}"')
    return found


def broken_links(text: str, document: Path) -> list[str]:
    found = []
    for path, anchor in LINK.findall(text):
        target = document.parent / path if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(f"({path}#{anchor})" if anchor else f"({path})")
    return found


@pytest.mark.parametrize(
    "name", [name for name in READ if name.endswith((".py", ".md", ".toml", ".sql", ".avsc", "Makefile"))]
)
def test_what_a_comment_or_document_refers_to_exists(name: str) -> None:
    assert broken(prose(name)) == []


@pytest.mark.parametrize("name", [name for name in READ if name.endswith(".md")])
def test_the_links_of_a_document_lead_somewhere(name: str) -> None:
    assert broken_links((ROOT / name).read_text(encoding="utf-8"), ROOT / name) == []


@pytest.mark.parametrize(
    "text",
    [
        "see schemas/no_such_file.py",
        "see `streams/nowhere/`",
        "the tables in sinks/clickhouse/migrations/*.txt",
        "`no_such_module.py` explains it",
        "as streams.nowhere.load does",
        "as schemas.topics.NO_SUCH_TOPIC says",
        "the definition of DESIGN.md section 4",
        "see DESIGN section 4",
        'RELIABILITY.md, "Loader"',
        'docs/identity.md, "No such section"',
    ],
)
def test_a_reference_to_what_does_not_exist_is_found(text: str) -> None:
    assert broken(text)


@pytest.mark.parametrize(
    "text",
    [
        "see schemas/topics.py and docs/design.md.",
        "the tables in sinks/clickhouse/migrations/",
        "all of tests/integration/test_*.py",
        "`topics.py` lists them, schemas.topics.ALL holds them",
        'docs/identity.md, "The policy"',
        "a design section of the DESIGN team",
    ],
)
def test_a_reference_to_what_exists_is_left_alone(text: str) -> None:
    assert broken(text) == []


def test_a_link_to_a_section_that_does_not_exist_is_found() -> None:
    document = ROOT / "docs" / "identity.md"
    assert broken_links("[a](design.md) [b](design.md#keys-and-partitions)", document) == []
    assert broken_links("[a](nowhere.md) [b](design.md#no-such-section)", document) == [
        "(nowhere.md)", "(design.md#no-such-section)",
    ]  # fmt: skip


def test_only_comments_and_docstrings_of_code_are_read() -> None:
    code = '"""Of the module."""\n\nname = "nowhere.py"  # why\n\n\ndef function():\n    """Of the function."""\n'
    assert [*comments(code)] == ["# why"]
    assert {*docstrings(code)} == {"Of the module.", "Of the function."}


PACKAGES = sorted(
    path
    for folder in ("schemas", "streams", "sinks", "deploy")
    for path in (ROOT / folder).rglob("__init__.py")
)


@pytest.mark.parametrize("path", PACKAGES, ids=lambda path: str(path.parent.relative_to(ROOT)))
def test_a_package_names_only_parts_that_it_has(path: Path) -> None:
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    parts = {part.name.removesuffix(".py") for part in path.parent.iterdir()}
    assert set(re.findall(r"`([a-z_]+(?:\.toml)?)`", text)) - {"touchline"} <= parts  # that is the command
