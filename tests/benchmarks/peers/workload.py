"""The events that every system gets: a pure function of how many, of how many people and which dice.

The simulated population, made to have one right answer for pipelines that do not resolve identity over history:
every person has one cookie, which says from their first touchpoint on whether they are a customer. Each event
occurs once, in order, a person does one thing in a millisecond, and nobody asks to be forgotten.
"""

from random import Random
from typing import Final

from deploy.simulation.people import Person, draw_people
from deploy.simulation.population import Population, simulate
from schemas.records import Identifier, Touchpoint
from schemas.touchpoint.erasure_names import ERASURE_REQUESTED

EVENTS_A_PERSON: Final = 20
#: Of five people three are customers: every touchpoint of theirs says so.
CUSTOMERS: Final = 3, 5
#: The simulation repeats some events, which are left out here: so many more are drawn.
SPARE: Final = 1.15


def touchpoints(events: int, people: int, seed: int = 1) -> list[Touchpoint]:
    """Exactly `events` touchpoints in the order of (occurred_at, event_id)."""
    population = Population(people=people, events=int(events * SPARE) + 100, seed=seed)
    owners = _owners(population)
    chosen: dict[str, Touchpoint] = {}
    instants: set[tuple[str, int]] = set()
    for event in simulate(population):
        if event["type"] == ERASURE_REQUESTED or event["event_id"] in chosen:
            continue
        simplified = _simplified(event, owners)
        # the systems order what one person did in one millisecond differently
        instant = profile_of(simplified), simplified["occurred_at"]
        if instant not in instants:
            instants.add(instant)
            chosen[event["event_id"]] = simplified
            if len(chosen) == events:
                break
    return sorted(chosen.values(), key=lambda event: (event["occurred_at"], event["event_id"]))


def profile_of(touchpoint: Touchpoint) -> str:
    """Who it is: the customer if there is one, else the cookie."""
    return touchpoint["identifiers"][0]["value"]


def cookie_of(touchpoint: Touchpoint) -> str:
    """The cookie, which every touchpoint carries."""
    return touchpoint["identifiers"][-1]["value"]


def _owners(population: Population) -> dict[tuple[str, str], Person]:
    """Whose each identifier of the population is; a shared tablet is its first user's."""
    random = Random(f"touchline:{population.seed}")  # as simulate draws them
    found: dict[tuple[str, str], Person] = {}
    for person in draw_people(population.people, population.seed, random):
        own = [("customer_id", person.customer_id), ("email", person.email), ("phone", person.phone)]
        own += [("device_id", person.device_id), *(("cookie", cookie) for cookie in person.cookies)]
        for identifier in own:
            found.setdefault(identifier, person)
    return found


def _simplified(event: Touchpoint, owners: dict[tuple[str, str], Person]) -> Touchpoint:
    carried = [(identifier["type"], identifier["value"]) for identifier in event["identifiers"]]
    person = next(owners[identifier] for identifier in carried if identifier in owners)
    cookie = Identifier(type="cookie", value=person.cookies[0])
    customers, of = CUSTOMERS
    known = (
        [Identifier(type="customer_id", value=person.customer_id)] if person.number % of < customers else []
    )
    simplified = event.copy()
    simplified["identifiers"] = [*known, cookie]  # strongest first, so that nobody has to sort them
    simplified["link"] = "OBSERVED"
    simplified["received_at"] = event["occurred_at"]
    return simplified
