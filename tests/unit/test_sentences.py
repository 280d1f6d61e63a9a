"""Sentences of the documents are short enough to be read once."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*.md"))]
LONGEST = 45  #: words
MEAN = 20  #: words, over a document
#: Documents that may have longer ones, and why.
EXEMPT = {
    "questions.md": "made from the comments of the views, which define figures",
    "performance.md": "a sentence has the figures of one measurement and what it was measured beside",
}

#: What is no sentence: code, tables, headings, pictures, comments, quoted messages.
NO_PROSE = re.compile(r"^```.*?^```|<!--.*?-->|^\|.*?$|^#.*?$|^!\[.*?$|^> .*?$", re.DOTALL | re.MULTILINE)
ITEM = re.compile(r"^\s*(?:[-*]|\d+\.) ", re.MULTILINE)
#: A sentence ends with a full stop, a question or exclamation mark, or a colon before a list, code or table.
END = re.compile(r"(?<=[.!?])[)*\"”]*\s+(?=[A-Z`*(\[0-9“\"])|:\s*\n\s*\n|\n\s*\n")
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
CODE = re.compile(r"`[^`]*`")


def sentences(text: str) -> list[str]:
    """The sentences of a document; a name in code counts as one word."""
    prose = NO_PROSE.sub("\n\n", text)
    prose = ITEM.sub("\n\n", CODE.sub("Code", LINK.sub(r"\1", prose)))
    parts = (" ".join(part.split()) for part in END.split(prose))
    return [part for part in parts if words(part)]


def words(sentence: str) -> int:
    return len(re.findall(r"[\w'+%-]+", sentence))


@pytest.mark.parametrize(
    "path", [path for path in DOCUMENTS if path.name not in EXEMPT], ids=lambda path: path.name
)
def test_no_sentence_of_a_document_is_long(path: Path) -> None:
    found = sentences(path.read_text())
    assert [each for each in found if words(each) > LONGEST] == []
    assert sum(map(words, found)) / len(found) <= MEAN


def test_sentences_are_found_where_they_end() -> None:
    text = (
        "# A head\n\nOne. **Two** has `a.b c` in it, see [there](x.md)! 3 is:\n\n- four\n- five: six\n\n"
        "| no | row |\n\n```\nno code.\n```\n"
    )
    assert sentences(text) == ["One.", "**Two** has Code in it, see there!", "3 is", "four", "five: six"]
    assert words("One, two-three (four).") == 3
