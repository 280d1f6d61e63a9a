"""A population's touchpoints in the order of their arrival: a pure function of its arguments."""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random
from typing import Final
from zlib import crc32

from deploy.simulation.episodes import DAY, EPISODES, HOUR, MINUTE, Step
from deploy.simulation.people import PEOPLE, SEEDS, Person, draw_people
from schemas.records import Touchpoint

DEFAULT_START_MS: Final = 1_767_225_600_000  #: 2026-01-01T00:00:00Z
DUPLICATES: Final = 0.01  #: of the touchpoints arrive twice, exactly alike
LATE: Final = 0.02  #: of them arrive hours after they occurred, the others within seconds
SOURCES: Final = {
    "web": "web-shop", "app": "mobile-app", "email": "mail-service", "ads": "ad-server", "store": "till",
    "phone": "call-centre", "chat": "contact-centre", "chatbot": "contact-centre", "backoffice": "erp",
}  # fmt: skip


@dataclass(frozen=True)
class Population:
    """Parameters: people, lines of events, seed, time span, start, tenant.

    The seed alone decides who the people are; with all the other fields it decides what they do.
    """

    people: int
    events: int
    seed: int
    days: float = 30.0
    start_ms: int = DEFAULT_START_MS
    tenant: str = "default"

    def __post_init__(self) -> None:
        if not (0 <= self.seed < SEEDS and 0 < self.people <= PEOPLE):
            raise ValueError(f"seeds go from 0 to {SEEDS - 1:,} and people from 1 to {PEOPLE:,}")

    def salt(self) -> int:
        """32 bits that another plan of the same seed does not have: they keep its event ids apart."""
        plan = (self.people, self.events, float(self.days), self.start_ms, self.tenant)
        return crc32(repr(plan).encode())


def simulate(population: Population) -> Iterator[Touchpoint]:
    """Exactly `events` touchpoints, exact duplicates among them, in the order of their arrival:
    that of `received_at`, but for the duplicates, which come up to two hours after their original.

    The same arguments give the same touchpoints on every machine. Episodes begin within `days`; what follows
    from the last ones (a delivery, a case) may lie beyond.
    """
    random = Random(f"touchline:{population.seed}")  # noqa: S311 (a reproducible game, no secret)
    people = draw_people(population.people, population.seed, random)
    salt = population.salt()
    span = population.days * DAY
    # an episode has about six touchpoints; episodes added beyond the plan keep its density
    gap = span / max(population.events / 6, 1)
    waiting: list[tuple[int, int, Touchpoint]] = []
    clock, made, sent = float(population.start_ms), 0, 0
    while sent < population.events:
        clock += random.expovariate(1.0) * gap
        while waiting and waiting[0][0] <= clock:
            yield heappop(waiting)[2]
            sent += 1
            if sent == population.events:
                return
        if made >= population.events:
            clock = max(clock, float(waiting[0][0]))
            continue
        for step in _episode(people, int(clock), random):
            touchpoint = _touchpoint(population, step, made, salt, random)
            made += 1
            heappush(waiting, (touchpoint["received_at"], made, touchpoint))
            if random.random() < DUPLICATES:
                made += 1
                heappush(waiting, (touchpoint["received_at"] + random.randint(0, 2 * HOUR), made, touchpoint))


def _episode(people: list[Person], at: int, random: Random) -> Iterator[Step]:
    # squaring makes some people far busier than others
    person = people[int(len(people) * random.random() ** 2)]
    episode = random.choices(*_WEIGHTED)[0]
    return episode(person, at, random)


_WEIGHTED: Final = ([episode for episode, _ in EPISODES], [weight for _, weight in EPISODES])


def _touchpoint(population: Population, step: Step, number: int, salt: int, random: Random) -> Touchpoint:
    delay = random.randint(5 * MINUTE, 20 * HOUR) if random.random() < LATE else random.randint(20, 5000)
    extra = step.extra.get
    return {
        "tenant": population.tenant,
        "event_id": f"sim-{population.seed}-{number:08x}-{random.getrandbits(32) ^ salt:08x}",
        "occurred_at": step.at,
        "received_at": step.at + delay,
        "source": SOURCES[step.channel],
        "channel": step.channel,
        "type": step.type,
        "identifiers": [{"type": kind, "value": value} for kind, value in step.identifiers],
        "account_id": extra("account_id"),
        "session_id": extra("session_id"),
        "issue_id": extra("issue_id"),
        "order_id": extra("order_id"),
        "campaign": extra("campaign"),
        "amount_minor": extra("amount_minor"),
        "currency": extra("currency"),
        "sentiment": extra("sentiment"),
        "score": extra("score"),
        "consent": extra("consent", {}),
        "experiments": {},
        "link": extra("link", "OBSERVED"),
        "attributes": {},
    }
