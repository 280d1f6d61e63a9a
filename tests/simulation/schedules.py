"""Runs by seed: draw a plan, run it, judge it, and cut a plan that fails down to what it takes."""

from dataclasses import dataclass, replace
from random import Random

from schemas.records import Touchpoint
from tests.simulation.oracle import problems
from tests.simulation.plan import Plan
from tests.simulation.worker import Without
from tests.simulation.world import World
from tests.support.touchpoints import START, touchpoint

IDENTIFIERS = [
    ("cookie", "a"), ("cookie", "b"), ("cookie", "c"), ("email", "x@y.org"), ("customer_id", "1"), ("customer_id", "2"),
]  # fmt: skip
TYPES = ("product_view", "add_to_cart", "order_placed", "support_call", "payment_error")
CHOICES = 260


@dataclass(frozen=True)
class Failure:
    """A run that went wrong."""

    plan: Plan
    problems: tuple[str, ...]
    trace: tuple[str, ...]

    def __str__(self) -> str:
        events = [
            f"  {event['event_id']} at {event['occurred_at']}: {[tuple(i.values()) for i in event['identifiers']]}"
            f" {event['link']}" if event is not None else "  a record that cannot be read"
            for event in self.plan.events
        ]  # fmt: skip
        return "\n".join(
            ["events:", *events, "what happened:", *(f"  {line}" for line in self.trace), *self.problems]
        )


def drawn(seed: int) -> Plan:
    """The plan of a seed."""
    random = Random(seed)
    events: list[Touchpoint | None] = [_event(number, random) for number in range(random.randint(2, 9))]
    if random.random() < 0.2:
        events.insert(random.randint(0, len(events)), None)
    choices = tuple(random.randrange(1 << 16) for _ in range(random.randint(40, CHOICES)))
    return Plan(tuple(events), choices, ticking=seed % 2 == 1)


def judge(plan: Plan, without: Without = Without.NOTHING) -> Failure | None:
    """Run a plan; None if it ends as it must."""
    world = World(plan, without)
    try:
        found = problems(world.run(), plan.events)
    except AssertionError as error:
        found = [str(error)]
    return Failure(plan, tuple(found), tuple(world.trace)) if found else None


def shrunk(failure: Failure, without: Without = Without.NOTHING, tries: int = 3_000) -> Failure:
    """A failure of the same kind with as few events and choices as can be found."""
    size = max(len(failure.plan.choices) // 2, 1)
    while tries > 0:
        smaller = None
        for plan in _smaller(failure.plan, size):
            tries -= 1
            smaller = judge(plan, without)
            if smaller is not None or tries <= 0:
                break
        if smaller is not None:
            failure = smaller
        elif size == 1:
            break
        else:
            size = max(size // 2, 1)
    return failure


def _smaller(plan: Plan, size: int):
    for number in range(len(plan.events)):
        yield replace(plan, events=plan.events[:number] + plan.events[number + 1 :])
    for start in range(0, len(plan.choices), size):
        yield replace(plan, choices=plan.choices[:start] + plan.choices[start + size :])
    if size == 1:
        for number, choice in enumerate(plan.choices):
            if choice:
                yield replace(plan, choices=(*plan.choices[:number], 0, *plan.choices[number + 1 :]))


def _event(number: int, random: Random) -> Touchpoint:
    fields = {"account_id": random.choice(("A1", "A2"))} if random.random() < 0.3 else {}
    # some are copies of an event before, and of some the id is another source's, too
    if random.random() < 0.3:
        number = random.randrange(number + 1)
    minute = random.randrange(10)
    return touchpoint(
        f"e{number}",
        minute=minute,
        received_at=START + (minute + random.choice((-1, 0, 0, 1, 2))) * 60_000,
        source=random.choice(("test", "test", "test", "crm")),
        type=random.choice(TYPES),
        ids=random.sample(IDENTIFIERS, random.randint(1, 3)),
        link="ASSERTED" if random.random() < 0.15 else "OBSERVED",
        **fields,
    )
