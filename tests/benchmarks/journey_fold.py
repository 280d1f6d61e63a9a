"""What a touchpoint costs the journeys processor, and what a profile weighs: `python tests/benchmarks/journey_fold.py`.

CPU time of this process, the best of several rounds; memory as tracemalloc counts it, per profile of a hundred.
"""

import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from schemas.encoding.record_types import FOLD_SUMMARY, RESOLVED_TOUCHPOINT
from schemas.records import Identifier, IdentityAssignment, ResolvedTouchpoint, Touchpoint
from streams.identity.resolution.ownership import NO_VERSION
from streams.journeys.state.fold import Fold
from streams.journeys.timeline.effects import Effects
from streams.journeys.timeline.timeline import Timeline
from tests.support.built_in import CATALOGUE, RULES
from tests.support.touchpoints import touchpoint

ROUNDS = 7
#: How often the types of a shop's visitors come, roughly as in the ecom log, with some service among them.
TYPES = {
    "home": 5,
    "product_view": 9,
    "search": 5,
    "add_to_cart": 2,
    "purchase": 1,
    "support_chat": 1,
    "error_page": 1,
}


def journey(
    length: int, owner: str = "c1", seed: int = 1, pauses: Sequence[int] = (1, 2, 3, 60)
) -> list[Touchpoint]:
    """So many touchpoints of one visitor, by default a quarter of an hour apart on average; `pauses` in minutes."""
    random = Random(seed)
    minute, items = 0, []
    for number in range(length):
        minute += random.choice(pauses)
        (kind,) = random.choices(list(TYPES), list(TYPES.values()))
        items.append(
            touchpoint(
                f"{owner}-{number:05}", minute=minute, type=kind, ids=[("cookie", owner)],
                channel=random.choice(["web", "web", "app"]),
                issue_id="i1" if kind == "support_chat" else None,
                amount_minor=4990 if kind == "purchase" else None, currency="EUR" if kind == "purchase" else None,
                attributes={"page": "/p/4711", "referrer": "https://example.org/"},
            )
        )  # fmt: skip
    return items


def resolved(item: Touchpoint, profile: str) -> tuple[ResolvedTouchpoint, bytes]:
    """As stitch sends it."""
    record = ResolvedTouchpoint(
        identifier=item["identifiers"][0], profile_id=profile, version=NO_VERSION, touchpoint=item
    )
    return record, RESOLVED_TOUCHPOINT.encode(record)


def timeline_of(items: list[Touchpoint], profile: str = "p1") -> Timeline:
    """A timeline with its fold."""
    timeline = Timeline("default", profile)
    for item in items:
        timeline.accept(*resolved(item, profile), Effects())
    timeline.summarise(CATALOGUE, RULES, Effects())
    timeline.fold(CATALOGUE, RULES)
    return timeline


def best(prepare: Callable[[], object], run: Callable[[object], object], count: int = 1) -> float:
    """Microseconds of CPU for one of `count`, in the best round."""
    fastest = float("inf")
    for _ in range(ROUNDS):
        given = prepare()
        start = time.process_time()
        run(given)
        fastest = min(fastest, time.process_time() - start)
    return fastest / count * 1e6


def advance(items: list[Touchpoint]) -> Fold:
    """The fold alone."""
    fold = Fold(CATALOGUE, RULES)
    owner = Identifier(type="cookie", value="c1")
    for item in items:
        fold.advance(item, owner)
    return fold


def accept_each(items: list[tuple[ResolvedTouchpoint, bytes]], timeline: Timeline) -> None:
    """Each touchpoint a fetch of its own, without the publication."""
    for record, value in items:
        effects = Effects()
        timeline.accept(record, value, effects)
        timeline.summarise(CATALOGUE, RULES, effects)
        timeline.fold(CATALOGUE, RULES)


def merge(both: tuple[Timeline, Timeline]) -> None:
    """One profile's 256 touchpoints move to another's 256."""
    giver, taker = both
    assignment = IdentityAssignment(
        tenant="default", identifier={"type": "cookie", "value": "c2"}, profile_id="p1", contested_from=None,
        contested_profile_id=None, version=1, event_id="link", occurred_at=0, correction=None,
    )  # fmt: skip
    effects = Effects()
    giver.move(assignment, effects)
    for transfer in effects.transfers:
        taker.receive(transfer, Effects())
    taker.sealed(CATALOGUE, RULES)


def bytes_of(length: int) -> tuple[int, int, int]:
    """Of a profile of so many touchpoints: memory, changelog, published state."""
    items = [[resolved(item, f"p{n}") for item in journey(length, f"c{n}", n)] for n in range(100)]
    tracemalloc.start()
    timelines = []
    for number, given in enumerate(items):
        timeline = Timeline("default", f"p{number}")
        for record, value in given:
            timeline.accept(record, bytes(bytearray(value)), Effects())
        timeline.fold(CATALOGUE, RULES)
        timelines.append(timeline)
    memory = tracemalloc.get_traced_memory()[0] // len(timelines)
    tracemalloc.stop()
    changelog = sum(len(value) for given in items for _, value in given) // len(items)
    return memory, changelog, len(timelines[0].sealed(CATALOGUE, RULES)[1])


def main() -> None:
    """Print the table."""
    items = journey(256)
    folded, timeline = advance(items), timeline_of(items)
    late = resolved(items[128] | {"event_id": "late"}, "p1")
    tied = resolved(items[-1] | {"event_id": "tied"}, "p1")
    ordered = [resolved(item, "p1") for item in items]
    bot = [resolved(item, "p1") for item in journey(5000)]
    rows = [
        ("fold, per touchpoint", best(lambda: None, lambda _: advance(items), 256)),
        (
            "timeline and fold, append",
            best(lambda: Timeline("default", "p1"), lambda given: accept_each(ordered, given), 256),  # type: ignore[arg-type]
        ),
        (
            "the same for 5,000 of one bot",
            best(lambda: Timeline("default", "p1"), lambda given: accept_each(bot, given), 5000),  # type: ignore[arg-type]
        ),
        (
            "timeline and fold, append at the same time",
            best(lambda: timeline_of(items), lambda given: accept_each([tied], given)),  # type: ignore[arg-type]
        ),
        (
            "timeline and fold, into the middle of 256",
            best(lambda: timeline_of(items), lambda given: accept_each([late], given)),  # type: ignore[arg-type]
        ),
        (
            "merge of 2 x 256, with the new state",
            best(lambda: (timeline_of(journey(256, "c2", 2), "p2"), timeline_of(items)), merge),  # type: ignore[arg-type]
        ),
        ("state, hash and encoding", best(lambda: None, lambda _: folded.sealed("default", "p1", 1))),
        ("signals", best(lambda: None, lambda _: folded.signals(0))),
        ("fold written down and read back", best(lambda: None, lambda _: copy(folded))),
    ]
    print(f"{'microseconds':44}")
    for name, value in rows:
        print(f"  {name:42}{value:12,.1f}")
    print(f"{'bytes per profile':44}{'memory':>12}{'changelog':>12}{'state':>12}")
    for length in (10, 100, 256):
        memory, changelog, state = bytes_of(length)
        print(f"  {f'{length} touchpoints':42}{memory:12,}{changelog:12,}{state:12,}")
    assert timeline.entries


def copy(fold: Fold) -> Fold:
    """By way of its summary."""

    return Fold.load(FOLD_SUMMARY.decode(FOLD_SUMMARY.encode(fold.dump())), "default", CATALOGUE, RULES)


if __name__ == "__main__":
    assert Path("schemas").exists(), "run it in the checkout"
    main()
