"""What a simulated run is a function of."""

from dataclasses import dataclass

from schemas.records import Touchpoint


@dataclass(frozen=True)
class Plan:
    """Touchpoints, and the numbers that decide about everything that happens to them."""

    events: tuple[Touchpoint | None, ...]  #: None is a record that cannot be read
    choices: tuple[int, ...]
    ticking: bool = False  #: the clock goes on, a second a record; else it stands still and events decide
