"""`touchline export`: everything that is stored about a person, for whoever asks what that is (GDPR article 15)."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.context import Context
from deploy.cli.output import remark
from deploy.ingest.key_check import unseen_by_this_key
from deploy.screens.export import document, text_of
from schemas.errors import TouchlineError
from sinks.clickhouse.read.subject import Subject


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
    policy = context.policy
    now = datetime.fromtimestamp(context.started, UTC)
    with (
        unseen_by_this_key(context.settings, policy),
        Subject(context.settings.clickhouse(), tenant) as subject,
    ):
        exported = document(subject, policy, tenant, who, now)
    text = text_of(exported)
    if out is None:
        sys.stdout.write(text)
        return
    _write(out, text)
    touchpoints, profile = exported["touchpoints"], exported["profile_id"]
    remark(f"{len(touchpoints):,} touchpoints of {profile} written to {out}")


def _write(out: Path, text: str) -> None:
    try:
        # an existing file would keep its permissions, which may let others read it
        out.unlink(missing_ok=True)
        with os.fdopen(
            os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(text)
    except OSError as error:
        raise TouchlineError(
            f"{out} cannot be written ({error.strerror}): name another with --out"
        ) from error
