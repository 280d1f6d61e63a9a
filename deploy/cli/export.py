"""`touchline export`: everything that is stored about a person, for whoever asks what that is (GDPR article 15)."""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.context import Context
from deploy.cli.output import remarks
from deploy.ingest.corrections import UnseenError, identifier, require_seen
from deploy.screens.journey.lookup import PROFILE
from schemas.errors import TouchlineError
from sinks.clickhouse.read.subject import Subject
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.resolution.definition import own_profile
from streams.identity.resolution.ownership import node_of


def command(
    who: Annotated[
        str, typer.Argument(help="An identifier as the person says it, or profile:ID.", metavar="TYPE:VALUE")
    ],
    tenant: Annotated[str, typer.Option(help="Whose customer it is.")] = "default",
    out: Annotated[
        Path | None,
        typer.Option(help="File to write, which only its owner may read; default: standard output."),
    ] = None,
) -> None:
    """Write everything that is stored about a person as one JSON object.

    Their identifiers, the evidence that unites them, corrections, touchpoints, journey state, signals, consent and what
    became of their profile, as ClickHouse holds them. Exit code 1 if nothing is known of the identifier.

    Example: touchline export email:ann@shop.de --out ann.json
    """
    context = Context.from_env()
    with Subject(context.settings.clickhouse(), tenant) as subject:
        profile, nodes = _person(subject, context.policy, tenant, who)
        found = subject.everything(profile, sorted(nodes))
    journey = found.pop("journey")
    document = {
        "asked": who,
        "tenant": tenant,
        "profile_id": profile,
        "exported_at": datetime.now(UTC),
        "known_as": [{"type": kind, "value": value} for kind, value in sorted(nodes)],
        "consent": journey[0]["consent"] if journey else {},
        "journey": journey[0] if journey else None,
        **found,
    }
    text = json.dumps(document, ensure_ascii=False, indent=2, default=_plain) + "\n"
    if out is None:
        sys.stdout.write(text)
        return
    _write(out, text)
    remarks.print(f"{len(found['touchpoints']):,} touchpoints of {profile} written to {out}", markup=False)


def _person(
    subject: Subject, policy: IdentityPolicy, tenant: str, who: str
) -> tuple[str, set[tuple[str, str]]]:
    """The profile, and its identifiers as they are stored."""
    kind, _, value = who.partition(":")
    if kind == PROFILE:
        present = subject.present_profile(value)
        if present is None:
            raise UnseenError(f"no person has the profile {value} in tenant {tenant!r}")
        return present, {(one.type, one.value) for one in subject.held_by(present)}
    asked = identifier(who, tenant, policy)
    require_seen(subject, who, tenant, asked)
    profile = subject.owner(node_of(asked)) or own_profile(tenant, node_of(asked))
    return profile, {node_of(asked), *((one.type, one.value) for one in subject.held_by(profile))}


def _write(out: Path, text: str) -> None:
    try:
        out.unlink(
            missing_ok=True
        )  # an existing file would keep its permissions, which may let others read it
        with os.fdopen(
            os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(text)
    except OSError as error:
        raise TouchlineError(
            f"{out} cannot be written ({error.strerror}): name another with --out"
        ) from error


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        aware = value.replace(tzinfo=value.tzinfo or UTC)
        return aware.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(value)
