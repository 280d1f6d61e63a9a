"""What a worker keeps of one profile."""

from dataclasses import dataclass, field

from streams.journeys.prediction.recent_path import RecentPath
from streams.journeys.signals.told import Told
from streams.journeys.timeline.timeline import Timeline


@dataclass(slots=True)
class Journey:
    """A profile's timeline, what the subscribers of its signals have been told, and its recent path."""

    timeline: Timeline
    told: Told = field(default_factory=Told)
    #: for predictions; None: it is rebuilt from the touchpoints when it is needed
    path: RecentPath | None = None
