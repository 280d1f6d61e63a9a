"""Every `touchline` command in the documents exists, with its options; error sentences are those of the code."""

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli.main import build

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*.md"))]
TROUBLESHOOTING = ROOT / "docs" / "troubleshooting.md"
#: What runs a command of Touchline in a container or from its place in the system.
RUNNERS = re.compile(r"^(?:docker compose .*? run --rm -T tools |/opt/touchline/bin/touchline )")
ENDS = {"|", "||", "&&", ";", ">", ">>", "<", "&"}


def commands(text: str) -> Iterator[str]:
    """The command lines of a document's blocks that run touchline, without comments and what follows in a pipe."""
    for block in re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"\s\|\s|\s&&\s", re.split(r"\s{2,}#|\s# ", line)[0]):
                part = re.sub(r"^(?:\w+=(?:'[^']*'|\S+) )+", "", part.strip())
                part = RUNNERS.sub("touchline ", part)
                if part.startswith("touchline "):
                    yield part


def arguments(line: str) -> list[str]:
    words = shlex.split(line)[1:]
    end = next((place for place, word in enumerate(words) if word in ENDS), len(words))
    return words[:end]


FOUND = sorted({(path.name, line) for path in DOCUMENTS for line in commands(path.read_text())})


@pytest.mark.parametrize(("document", "line"), FOUND)
def test_a_documented_command_is_one(document: str, line: str) -> None:
    # with --help a command reads its options and does nothing
    result = CliRunner().invoke(touchline(), [*arguments(line), "--help"])
    assert result.exit_code == 0, f"{document}: {line}\n{result.output}"


def test_documents_have_commands_and_a_wrong_one_would_be_found() -> None:
    assert len(FOUND) > 60
    (line,) = commands("```\nX=1 touchline status --chek | cat  # a probe\n```\n")
    assert line == "touchline status --chek"
    assert CliRunner().invoke(touchline(), [*arguments(line), "--help"]).exit_code == 2


@cache
def touchline() -> object:
    return build()


@cache
def sentences() -> tuple[tuple[str, ...], ...]:
    """All texts of the code with more than two words, each parted where something is put in at run time."""
    found = set()
    for top in ("deploy", "schemas", "sinks", "streams"):
        for path in (ROOT / top).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                parts = parts_of(node)
                if len(" ".join(parts).split()) > 2:
                    found.add(parts)
    return tuple(found)


def parts_of(node: ast.AST) -> tuple[str, ...]:
    """The fixed parts of a text; between two of them stands what is put in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return (node.value,)
    if not isinstance(node, ast.JoinedStr):
        return ()
    parts = [""]
    for each in node.values:
        if isinstance(each, ast.Constant):
            parts[-1] += str(each.value)
        else:
            parts.append("")
    return tuple(parts)


def quoted() -> list[str]:
    return re.findall(r"^> (.*)$", TROUBLESHOOTING.read_text(), re.MULTILINE)


def is_said(sentence: str) -> bool:
    """Whether the code says it; where the sentence has … at its end, anything may follow."""
    start = sentence.removesuffix("…").rstrip(" (")
    for parts in sentences():
        if not start.startswith(parts[0]) and not (start != sentence and parts[0].startswith(start)):
            continue
        if start == sentence:
            lengths = [len(parts)]
        else:  # as many parts as are needed for the beginning
            lengths = [
                count for count in range(1, len(parts) + 1) if len(" ".join(parts[:count]).split()) > 2
            ]
        for count in lengths:
            pattern = ".+".join(map(re.escape, parts[:count])) + (".*" if start != sentence else "")
            if re.fullmatch(pattern, start, re.DOTALL):
                return True
    return False


@pytest.mark.parametrize("sentence", quoted())
def test_troubleshooting_quotes_what_the_code_says(sentence: str) -> None:
    assert is_said(sentence)


def test_a_sentence_that_nothing_says_is_found() -> None:
    assert len(quoted()) > 12
    assert not is_said("the worker has the hiccups: give it water")
    assert not is_said(
        "no Kafka broker answers at kafka:9092: start one with `touchline down` or set TOUCHLINE_X"
    )
