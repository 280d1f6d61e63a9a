"""What analysts wait for: `make bench-analytics`, or `python -m tests.benchmarks.analytics [touchpoints [people]]`.

It fills a ClickHouse of its own by SQL (fill.py) and asks the questions of wanted.py, each beside the plain way, and
every question view (views.py). With `--keep FOLDER` it fills once and asks often.
"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Final

from tests.benchmarks.analytics import following, sizes, views, wanted
from tests.benchmarks.analytics.server import filled

TOUCHPOINTS: Final = 1_000_000
PER_PERSON: Final = 10


def main() -> None:
    """Fill, unless the folder is full, and ask."""
    parser = ArgumentParser(prog="python -m tests.benchmarks.analytics", description=__doc__)
    parser.add_argument("touchpoints", nargs="?", type=int, default=TOUCHPOINTS)
    parser.add_argument("people", nargs="?", type=int, help="a tenth of the touchpoints")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the tables there for the next run")
    parser.add_argument("--only", default="", metavar="WORD", help="the questions whose name has this word")
    given = parser.parse_args()
    people = given.people or given.touchpoints // PER_PERSON
    with filled(given.touchpoints, people, given.keep) as tables:
        sizes.show(tables.client)
        wanted.show(tables, given.only)
        views.show(tables, given.only)
        if not given.keep:  # it loads more
            following.show(tables)


if __name__ == "__main__":
    main()
