"""docs/questions.md says what the comments of the views say."""

from deploy.reports.document import DOCUMENT, document
from deploy.reports.registry import REPORTS
from sinks.clickhouse.read.questions import questions, reads


def test_the_document_is_made_from_the_comments_of_the_views() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run python -m deploy.reports.document"


def test_every_question_is_explained_with_its_parameters_sources_and_example() -> None:
    text = document()
    for question in questions().values():
        part = text.split(f"\n## {question.name}\n")[1].split("\n## ")[0]
        assert question.example in part
        assert all(f"| `{item.name}` | {item.type} |" in part for item in question.parameters)
        assert reads()[question.name]
        assert question.name not in reads()[question.name]


def test_every_report_reads_a_question_and_draws_it_by_parameters_that_exist() -> None:
    for report in REPORTS.values():
        names = {item.name for item in questions()[report.view].parameters}
        assert report.words is None or report.words in names, report.name
    assert len({report.view for report in REPORTS.values()}) == len(REPORTS)
