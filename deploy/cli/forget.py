"""`touchline forget`: erase what is known about an identifier, everywhere, and show the receipt."""

import logging
import time
from typing import Annotated, Any, Final

import typer

from deploy.cli.output import print_json, print_mapping, print_table, remarks
from deploy.cli.times import moment
from deploy.ingest.corrections import erasure, identifier, publish_correction, require_seen
from deploy.ingest.key_check import require_same_key
from schemas.errors import SettingsError, UnavailableError
from schemas.records import Identifier
from schemas.settings import Settings
from schemas.touchpoint.json_form import to_iso
from sinks.clickhouse.erasure.erasure import Receipt, receipt_of
from sinks.clickhouse.read.subject import Subject
from streams.identity.policy.load import load
from streams.identity.resolution.definition import own_profile
from streams.identity.resolution.ownership import node_of

POLL_SECONDS: Final = 0.5


def command(
    text: Annotated[
        str, typer.Argument(help="The identifier as the source writes it.", metavar="TYPE:VALUE")
    ],
    tenant: Annotated[str, typer.Option(help="Whose customer it is.")] = "default",
    until: Annotated[
        str | None, typer.Option(help="Up to this time: ISO, or like 2h ago; default: now.")
    ] = None,
    person: Annotated[
        bool, typer.Option("--person", help="Erase all identifiers of the person whose it is.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be erased, and erase nothing.")
    ] = False,
    unseen: Annotated[
        bool,
        typer.Option("--unseen", help="Also if nothing is known of it, so that nothing late of it counts."),
    ] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the receipt.")] = True,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the receipt.", min=1)] = 120.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the receipt as JSON.")] = False,
) -> None:
    """Erase an identifier: its links, the touchpoints it owns, its rows; profiles that it held together split.

    What it does later counts again, as a new person. --person erases all identifiers of a person; what a shared device
    did after it became shared stays, since it may be somebody else's. Exit code 1 if nothing is known of it.

    Example: touchline forget email:ann@shop.de --person --dry-run
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    settings = Settings.from_env()
    if unseen and (person or dry_run):
        raise SettingsError("--unseen asks ClickHouse nothing, so it goes without --person and --dry-run")
    policy = load(settings.identity_policy, settings.pseudonym_secret(), settings.pseudonym_key_id)
    asked, at = identifier(text, tenant, policy), _time(until)
    if unseen:
        targets = [(asked, at)]
    else:
        with Subject(settings.clickhouse(), tenant) as subject:
            require_seen(subject, text, tenant, asked)
            targets = _of_person(subject, tenant, asked, at) if person else [(asked, at)]
            if dry_run:
                _show_counts(subject, targets, as_json=as_json)
                return
    require_same_key(settings, policy)
    requests = [erasure(tenant, one, end) for one, end in targets]
    for request in requests:
        publish_correction(request, settings)
    shown = []
    deadline = time.monotonic() + timeout
    for request in requests:
        if wait:
            receipt = _await(settings, tenant, request["event_id"], deadline, timeout)
            shown.append(_shown(receipt, as_json=as_json))
        else:
            shown.append({"request_id": request["event_id"], "done": False})
    if person and as_json:
        print_json({"receipts": shown})
        return
    for one in shown:
        print_mapping(one, as_json=as_json, title="Erased" if wait else None)


def _of_person(subject: Subject, tenant: str, asked: Identifier, until: int) -> list[tuple[Identifier, int]]:
    """The identifiers of the person behind one, and up to when each is erased (UTC ms).

    A shared one is erased up to the last millisecond in which it was theirs alone.
    """
    profile = subject.owner(node_of(asked)) or own_profile(tenant, node_of(asked))
    held = {(one.type, one.value): one.until for one in subject.held_by(profile)}
    held.setdefault(node_of(asked), None)
    return [
        (Identifier(type=kind, value=value), until if shared is None else min(until, shared - 1))
        for (kind, value), shared in sorted(held.items(), key=lambda item: item[0])
    ]


def _show_counts(subject: Subject, targets: list[tuple[Identifier, int]], *, as_json: bool) -> None:
    found = [
        {
            "identifier": ":".join(node_of(one)),
            "until": to_iso(until),
            **subject.counts(one["type"], one["value"], until),
        }
        for one, until in targets
    ]
    if as_json:
        print_json({"dry_run": True, "would_erase": found})
    else:
        print_table(tuple(found[0]), [tuple(row.values()) for row in found], "Would be erased: rows of")


def _await(settings: Settings, tenant: str, request_id: str, deadline: float, timeout: float) -> Receipt:
    with remarks.status("waiting for the worker and the loader"):
        while True:
            for receipt in receipt_of(settings.clickhouse(), tenant, request_id):
                if receipt.done:
                    return receipt
            if time.monotonic() >= deadline:
                raise UnavailableError(
                    f"no receipt after {timeout:g} s, but the request stands and will be carried out: are a worker and"
                    f" a loader running? Its receipt will be in erasure_receipts, request_id {request_id}"
                )
            time.sleep(POLL_SECONDS)


def _shown(receipt: Receipt, *, as_json: bool) -> dict[str, Any]:
    """The receipt as names and values: nested for programs, one count a line for people."""
    facts: dict[str, Any] = {
        "request_id": receipt.request_id,
        "identifier": f"{receipt.type}:{receipt.value}",
        "erased_at": receipt.erased_at.isoformat(timespec="milliseconds"),
        "recorded_at": receipt.recorded_at.isoformat(timespec="milliseconds"),
        "done": receipt.done,
    }
    if as_json:
        return {**facts, "deleted": receipt.deleted}
    return {**facts, **{f"rows of {table}": count for table, count in receipt.deleted.items()}}


def _time(until: str | None) -> int:
    now = time.time()
    return int(now * 1000) if until is None else moment(until, "--until", now)
