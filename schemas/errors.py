"""The one error hierarchy: a class names the response (reject, retry, stop), a message names the fix."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a record became a dead letter: a closed list, part of the dead-letters contract."""

    UNDECODABLE = "UNDECODABLE"  #: not Avro of a known schema, truncated, or with bytes left over
    TOO_LARGE = "TOO_LARGE"  #: beyond a limit: bytes, identifiers, attributes, characters
    INVALID = "INVALID"  #: decoded, but breaks a rule of the contract
    NO_IDENTIFIER = "NO_IDENTIFIER"  #: no identifier, or only blocked ones
    FUTURE_TIME = "FUTURE_TIME"  #: occurred more than a day after it was received
    UNEXPECTED = "UNEXPECTED"  #: processing failed on a bug of Touchline


class TouchlineError(Exception):
    """Base of every error that Touchline raises on purpose; its text is one sentence for the user."""


class ContractError(TouchlineError):
    """A record breaks its contract. Response: reject it into dead-letters with `reason`, go on."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class SettingsError(TouchlineError):
    """A setting or policy file is wrong. Response: stop at start; the text names setting and fix."""


class UnseenError(TouchlineError):
    """Nothing is known of an identifier. Response: one sentence, exit code 1."""


class SinkError(TouchlineError):
    """The store cannot take data now. Response: retry, never dead-letter: an outage is no fault of the record."""


class UnavailableError(TouchlineError):
    """A broker, server or needed program is not there. Response: tell the user what to start or install."""
