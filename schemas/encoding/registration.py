"""Register the schemas of the public topics in a Confluent-compatible registry, every committed version in its order.

The subject is the topic's name with `-value` behind it (Confluent's TopicNameStrategy), since every public topic
carries one record type.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from schemas.encoding.compatibility import is_committed, mode_of
from schemas.encoding.registry import committed, current
from schemas.encoding.registry_http import RegistryHttp, printable
from schemas.errors import TouchlineError, UnavailableError
from schemas.settings import Settings
from schemas.topics import ALL
from schemas.touchpoint.strict_json import shown

#: What registries answer: not found; a clash with what is registered; not valid.
_UNKNOWN: Final = 404
_REFUSED: Final = (409, 422)
#: Confluent framing has four bytes for an id.
_MAX_ID: Final = 2**32 - 1


class Action(StrEnum):
    """What became, or with a dry run would become, of one version."""

    UNCHANGED = "unchanged"  #: it was there
    REGISTERED = "registered"
    WOULD_REGISTER = "would be registered"
    REFUSED = "refused"


@dataclass(frozen=True)
class Registration:
    """One version of one subject. `problem` is a sentence if it was refused."""

    subject: str
    record: str
    version: int  #: of the contract, from 1
    action: Action
    id: int | None = None  #: in the registry; None if it is not there
    problem: str | None = None


def subjects(settings: Settings) -> dict[str, str]:
    """Subject → record, for each public topic of the deployment."""
    return {f"{settings.topic(topic.name)}-value": topic.values[0] for topic in ALL if topic.public}


def register(settings: Settings, registry: RegistryHttp, *, dry_run: bool) -> Iterator[Registration]:
    """Register what is missing. Registering again changes nothing; with `dry_run` the registry is only asked.

    Yields one item a version. Raises TouchlineError for a schema that is not committed, UnavailableError.
    """
    wanted = subjects(settings)
    for record in wanted.values():
        if not is_committed(current()[record], committed(record)):
            raise TouchlineError(
                f"{record} differs from its committed versions: run `touchline schemas freeze`"
            )
    for subject, record in wanted.items():
        results = [
            _register(registry, subject, record, number, schema, dry_run=dry_run)
            for number, schema in enumerate(committed(record), start=1)
        ]
        if not dry_run and any(result.id is not None for result in results):
            _set_mode(registry, subject, mode_of(record).value)
        yield from results


def _register(
    registry: RegistryHttp, subject: str, record: str, version: int, schema: dict[str, Any], *, dry_run: bool
) -> Registration:
    body = {"schema": json.dumps(schema, ensure_ascii=False), "schemaType": "AVRO"}
    status, answer = registry.ask("POST", "subjects", subject, body=body, expected=(_UNKNOWN, *_REFUSED))
    if status == 200:
        return Registration(subject, record, version, Action.UNCHANGED, _id(registry, answer))
    if dry_run:
        problem = _clash(registry, subject, body)
        action = Action.WOULD_REGISTER if problem is None else Action.REFUSED
        return Registration(subject, record, version, action, problem=problem)
    status, answer = registry.ask("POST", "subjects", subject, "versions", body=body, expected=_REFUSED)
    if status != 200:
        return Registration(
            subject, record, version, Action.REFUSED, problem=_sentence(subject, version, answer)
        )
    return Registration(subject, record, version, Action.REGISTERED, _id(registry, answer))


def _clash(registry: RegistryHttp, subject: str, body: object) -> str | None:
    """Why the registry would refuse a schema; None if it would not."""
    path = ("compatibility", "subjects", subject, "versions", "latest")
    status, answer = registry.ask("POST", *path, body=body, expected=(_UNKNOWN, *_REFUSED))
    if status == _UNKNOWN or (isinstance(answer, dict) and answer.get("is_compatible") is True):
        return None
    return f"{subject} has a version in the registry that is not compatible with it: use another registry or subject"


def _set_mode(registry: RegistryHttp, subject: str, mode: str) -> None:
    """Have the registry refuse, for this subject, what `touchline schemas check` refuses."""
    registry.ask("PUT", "config", subject, body={"compatibility": mode})


def _id(registry: RegistryHttp, answer: Any) -> int:
    found = answer.get("id") if isinstance(answer, dict) else None
    if not isinstance(found, int) or isinstance(found, bool):
        raise registry.strange()
    if not 0 <= found <= _MAX_ID:
        raise UnavailableError(
            f"{registry.url} answered the schema id {shown(found)}, which does not fit the four bytes that a record has"
            " for it: use another registry"
        )
    return found


def _sentence(subject: str, version: int, answer: Any) -> str:
    said = answer.get("message") if isinstance(answer, dict) else None
    return f"the registry refuses version {version} for {subject}: {printable(said or 'it gives no reason')}"
