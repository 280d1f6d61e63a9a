"""The record types of `schemas/avro`: each encodes and decodes its own Python type, so a type checker sees mix-ups."""

from collections.abc import Callable
from functools import partial
from typing import Final, Generic, TypeVar, cast

from schemas import records
from schemas.encoding.codec import decode_as, decode_own, encode, header, is_a
from schemas.records import Record

R = TypeVar("R")


class RecordType(Generic[R]):
    """One schema of `schemas/avro`; R is its Python type in schemas/records.py."""

    __slots__ = ("decode", "decode_trusted", "encode", "header", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.header = header(name)  #: the first 10 bytes of every record of the current schema
        # Bound once: as methods they would cost every record a call more.
        #: Encode a record as an Avro single object. Raises ContractError (INVALID) if it does not fit the schema.
        self.encode = cast(Callable[[R], bytes], partial(encode, name))
        #: Decode a single object of this type, of any released version. Raises ContractError for anything else.
        self.decode = cast(Callable[[bytes | None], R], partial(decode_as, name))
        #: Decode bytes that this process encoded or has decoded before, without the checks against hostile bytes.
        self.decode_trusted = cast(Callable[[bytes], R], partial(decode_own, name))

    def recognises(self, data: bytes) -> bool:
        """Whether the header of `data` names any released version of this type. The datum is not read."""
        return is_a(self.name, data)


ACCOUNT_CONTRIBUTION: Final = RecordType[records.AccountContribution]("AccountContribution")
ACCOUNT_STATE: Final = RecordType[records.AccountState]("AccountState")
DECIDED_UNDER: Final = RecordType[Record]("DecidedUnder")
DEAD_LETTER: Final = RecordType[records.DeadLetter]("DeadLetter")
ERASE: Final = RecordType[records.Erase]("Erase")
FOLD_SUMMARY: Final = RecordType[Record]("FoldSummary")
FROZEN_SUMMARY: Final = RecordType[records.FrozenSummary]("FrozenSummary")
IDENTITY_ASSIGNMENT: Final = RecordType[records.IdentityAssignment]("IdentityAssignment")
IDENTITY_CORRECTION: Final = RecordType[records.IdentityCorrection]("IdentityCorrection")
IDENTITY_LINK: Final = RecordType[records.IdentityLink]("IdentityLink")
JOURNEY_SIGNAL: Final = RecordType[records.JourneySignal]("JourneySignal")
JOURNEY_STATE: Final = RecordType[records.JourneyState]("JourneyState")
MOVE: Final = RecordType[records.Move]("Move")
PREDICTION_MODEL: Final = RecordType[Record]("PredictionModel")
PROFILE_CHANGED: Final = RecordType[records.ProfileChanged]("ProfileChanged")
RESOLVED_TOUCHPOINT: Final = RecordType[records.ResolvedTouchpoint]("ResolvedTouchpoint")
SIGNALS_PUBLISHED: Final = RecordType[records.SignalsPublished]("SignalsPublished")
SIGNALS_WRITTEN_AHEAD: Final = RecordType[records.SignalsWrittenAhead]("SignalsWrittenAhead")
TOUCHPOINT: Final = RecordType[records.Touchpoint]("Touchpoint")
TRANSFER: Final = RecordType[records.Transfer]("Transfer")
WEBHOOK_DELIVERY: Final = RecordType[records.WebhookDelivery]("WebhookDelivery")
WEBHOOK_MESSAGE: Final = RecordType[records.WebhookMessage]("WebhookMessage")
WEBHOOK_REQUEST: Final = RecordType[records.WebhookRequest]("WebhookRequest")
