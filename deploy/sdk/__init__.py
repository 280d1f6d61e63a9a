"""The SDK of a source: typed touchpoints into Kafka, with the verdict, key and pseudonyms of `touchline publish`.

`deploy/sdk/pyproject.toml` makes it the distribution `touchline-sdk`, whose import name is `touchline`.
"""

from deploy.sdk.errors import QueueFullError
from deploy.sdk.outcomes import Delivered, Refused
from deploy.sdk.publisher import Publisher
from deploy.sdk.touchpoint import Score, Touchpoint
from schemas.errors import ContractError, Reason, SettingsError, TouchlineError, UnavailableError
from schemas.settings import Settings

__all__ = [
    "ContractError",
    "Delivered",
    "Publisher",
    "QueueFullError",
    "Reason",
    "Refused",
    "Score",
    "Settings",
    "SettingsError",
    "TouchlineError",
    "Touchpoint",
    "UnavailableError",
]
