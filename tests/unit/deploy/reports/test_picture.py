"""The picture of a report in the terminal: a larger value has a longer bar, and no name moves the cursor."""

import pytest
from rich.cells import cell_len

from deploy.reports.figures import duration, figure, grouped, moment, per_cent, title
from deploy.reports.picture import FULL, PICTURED, label_of, picture
from deploy.reports.report import Drawing
from tests.support.report_rows import BARS, FLOW, HEAT, PARTED, ROWS, STACK, at


def test_a_bar_is_as_long_as_its_share_of_the_longest_in_eighths_of_a_character() -> None:
    rows = [
        {"name": "a", "value": 80},
        {"name": "b", "value": 40},
        {"name": "c", "value": 1},
        {"name": "d", "value": 0},
    ]
    lines = picture(Drawing("bars", ("name",), "value"), rows, 16)
    assert lines == ["a  ██████████ 80", "b  █████ 40", "c  ▏ 1", "d   0"]


@pytest.mark.parametrize("drawing", [BARS, FLOW, HEAT, STACK, PARTED])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(drawing: Drawing, width: int) -> None:
    assert max(map(cell_len, picture(drawing, ROWS[drawing], width))) <= width


def test_what_is_missing_negative_or_no_number_has_no_bar() -> None:
    rows = [{"name": n, "value": v} for n, v in (("a", None), ("b", -1), ("c", float("nan")), ("d", 2.5))]
    assert [line.count(FULL) > 0 for line in picture(Drawing("bars", ("name",), "value"), rows, 40)] == [
        False, False, False, True,
    ]  # fmt: skip


def test_each_part_has_its_own_heading_and_its_own_scale() -> None:
    lines = picture(PARTED, ROWS[PARTED], 60)
    assert [line for line in lines if ":" in line] == ["segment: web", "segment: (none)"]
    longest = [line.count(FULL) for line in lines if "1 · a" in line]
    assert min(longest) > 60 - 20


def test_an_empty_name_is_called_none_and_left_out_at_the_end() -> None:
    assert label_of(Drawing("bars", ("a", "b"), "v"), {"a": "x", "b": ""}) == "x"
    assert label_of(Drawing("bars", ("a", "b"), "v"), {"a": "", "b": "y"}) == "(none) · y", (
        "of which name, is clear"
    )
    assert label_of(Drawing("bars", ("a",), "v"), {"a": ""}) == "(none)"
    assert label_of(Drawing("flow", ("a", "b"), "v"), {"a": "x", "b": ""}) == "x → (none)"


def test_a_grid_has_a_column_for_each_name_and_a_shade_for_each_value() -> None:
    lines = picture(HEAT, ROWS[HEAT], 80)
    assert lines[0].split() == ["web", "app"]
    assert "██ 10" in lines[1]
    assert lines[2].split() == ["b", "░░", "2"]


def test_a_stack_is_divided_as_the_values_are() -> None:
    lines = picture(STACK, ROWS[STACK], 60)
    assert lines[0] == "█ web  ▓ app"
    assert lines[1].count("█") == 3 * lines[1].count("▓") > 0
    assert lines[1].startswith("2026-01-01 ")


def test_no_name_moves_the_cursor_or_colours_the_terminal() -> None:
    rows = [{"name": "a\x1b[31m\n\rb", "value": 1}]
    (line,) = picture(Drawing("bars", ("name",), "value"), rows, 40)
    assert line.isprintable()


def test_figures_are_what_a_person_reads() -> None:
    assert [grouped(n) for n in (1234567, 1234.5, 12.345, 1.2345, 2.0, float("inf"))] == [
        "1,234,567", "1,234", "12.3", "1.23", "2", "-",
    ]  # fmt: skip
    assert [duration(s) for s in (0.25, 45, 90, 7200, 129_600, None)] == [
        "0.250 s", "45 s", "1.5 min", "2.0 h", "1.5 d", "-",
    ]  # fmt: skip
    assert [per_cent(n) for n in (0.4567, 1, None)] == ["45.7%", "100.0%", "-"]
    assert [moment(at(n)) for n in (0, 3600, 3601, 0.25)] == [
        "2026-01-01", "2026-01-01 01:00", "2026-01-01 01:00:01", "2026-01-01 00:00:00.250",
    ]  # fmt: skip
    assert figure("ages_seconds", [90.0, 7200]) == "1.5 min, 2.0 h"
    assert figure("touches", ["ads", None]) == "ads, None"
    assert [title(name) for name in ("median_seconds", "reached_share")] == ["median", "reached share"]


def test_a_flow_says_after_how_many_steps_it_is_because_one_pair_comes_at_several() -> None:
    drawing = Drawing("flow", ("a", "b"), "v", layer="depth")
    assert label_of(drawing, {"a": "x", "b": "y", "v": 1, "depth": 2}) == "2 · x → y"


def test_a_share_that_is_a_rate_says_which() -> None:
    rows = [{"name": "a", "value": 8, "value_share": 0.5, "answer_rate": 0.25}]
    assert picture(Drawing("bars", ("name",), "value", share="value_share"), rows, 40)[0].endswith(
        "█ 8 · 50.0%"
    )
    assert picture(Drawing("bars", ("name",), "value", share="answer_rate"), rows, 40)[0].endswith(
        "answer rate 25.0%"
    )


def test_a_long_answer_is_drawn_in_part_and_says_so() -> None:
    rows = [{"name": f"n{number:03}", "series": "a", "value": 1.0} for number in range(100)]
    bars = picture(Drawing("bars", ("name",), "value"), rows, 40)
    assert (len(bars), bars[0].split()[0], bars[-1]) == (PICTURED + 1, "n000", "and 40 more")
    stack = picture(Drawing("stack", ("name", "series"), "value"), rows, 40)
    assert stack[1] == "the last 60 of 100:"
    assert [stack[2].split()[0], stack[-1].split()[0]] == ["n040", "n099"]


def test_a_part_without_any_amount_is_one_line() -> None:
    rows = [
        {"currency": c, "day": d, "net": n}
        for c, d, n in (("", 1, 0), ("", 2, None), ("EUR", 1, 5), ("EUR", 2, 0))
    ]
    lines = picture(Drawing("bars", ("day",), "net", parts=("currency",)), rows, 40)
    assert lines[:3] == ["currency: (none)", "0 in each of 2 rows", ""]
    assert len(lines) == 6


def test_a_grid_from_names_to_the_same_names_has_them_in_one_order_and_fits_a_narrow_terminal() -> None:
    names = [f"channel-{number}" for number in range(9)]
    rows = [{"a": a, "b": b, "v": 12_345} for a in names for b in reversed(names) if a != b]
    lines = picture(Drawing("heat", ("a", "b"), "v"), rows, 120)
    assert lines[0].split() == [name[: len(lines[0].split()[0])] for name in names]
    assert "12,345" not in "".join(picture(Drawing("heat", ("a", "b"), "v"), rows, 60))
    assert max(map(cell_len, picture(Drawing("heat", ("a", "b"), "v"), rows, 60))) <= 60
