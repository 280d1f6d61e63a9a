"""The SDK: typed touchpoints into Kafka, as `touchline publish` sends them; states, signals and changes out of it.

`deploy/sdk/pyproject.toml` makes it the distribution `touchline-sdk`, whose import name is `touchline`.
"""

from deploy.sdk.errors import QueueFullError, StoreFullError, UnreadableError
from deploy.sdk.outcomes import Delivered, Refused
from deploy.sdk.publisher import Publisher
from deploy.sdk.subscribe.changes import AccountChange, ProfileChange, SignalChange, StateChange
from deploy.sdk.subscribe.iterators import AccountStates, JourneyStates, ProfileChanges, Signals
from deploy.sdk.subscribe.table import JourneyTable
from deploy.sdk.touchpoint import Score, Touchpoint
from schemas.errors import ContractError, Reason, SettingsError, TouchlineError, UnavailableError
from schemas.settings import Settings

__all__ = [
    "AccountChange",
    "AccountStates",
    "ContractError",
    "Delivered",
    "JourneyStates",
    "JourneyTable",
    "ProfileChange",
    "ProfileChanges",
    "Publisher",
    "QueueFullError",
    "Reason",
    "Refused",
    "Score",
    "Settings",
    "SettingsError",
    "SignalChange",
    "Signals",
    "StateChange",
    "StoreFullError",
    "TouchlineError",
    "Touchpoint",
    "UnavailableError",
    "UnreadableError",
]
