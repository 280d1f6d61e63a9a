"""`touchline forget`: erase what is known about an identifier, everywhere, and show the receipt."""

import time
from typing import Annotated, Any

import typer
from rich.markup import escape

from deploy.cli.context import Context
from deploy.cli.output import print_json, print_mapping, print_table, remarks
from deploy.ingest.corrections import erasure, identifiers, publish_correction, require_seen
from deploy.ingest.key_check import require_same_key
from deploy.repair.erasures import await_receipt, targets_of
from schemas.errors import SettingsError
from schemas.records import Identifier
from schemas.settings import Settings
from schemas.touchpoint.json_form import to_iso
from sinks.clickhouse.erasure.receipts import Receipt
from sinks.clickhouse.read.subject import Subject
from streams.identity.resolution.ownership import node_of


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

    The receipt comes when every process has answered and the rows are deleted: behind a backlog, when that is done.

    What it does later counts again, as a new person. --person erases all identifiers of a person; what a shared device
    did after it became shared stays, since it may be somebody else's. Exit code 1 if nothing is known of it.

    Example: touchline forget email:ann@shop.de --person --dry-run
    """
    context = Context.from_env()
    settings = context.settings
    if unseen and (person or dry_run):
        raise SettingsError("--unseen asks ClickHouse nothing, so it goes without --person and --dry-run")
    known_as, at = identifiers(text, tenant, context.policy), context.end(until, "--until")
    require_same_key(settings, context.policy)  # under another key a person who is known seems unknown
    if unseen:
        targets = [(one, at) for one in known_as]
    else:
        with Subject(settings.clickhouse(), tenant) as subject:
            require_seen(subject, text, tenant, known_as)
            targets = targets_of(subject, tenant, known_as, at, person=person)
            if dry_run:
                _show_counts(subject, targets, as_json=as_json)
                return
    requests = [erasure(tenant, one, end) for one, end in targets]
    for request in requests:
        publish_correction(request, settings)
    ids = [request["event_id"] for request in requests]
    if wait:
        shown = _receipts(settings, tenant, ids, timeout, as_json=as_json)
    else:
        shown = [{"request_id": one, "done": False} for one in ids]
    if as_json and (person or len(shown) > 1):
        print_json({"receipts": shown})
        return
    for one in shown:
        print_mapping(one, as_json=as_json, title="Erased" if wait else None)


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


def _receipts(
    settings: Settings, tenant: str, request_ids: list[str], timeout: float, *, as_json: bool
) -> list[dict[str, Any]]:
    deadline = time.monotonic() + timeout
    with remarks.status("waiting for the worker and the loader") as shown:

        def tell(waits_for: str) -> None:
            shown.update(escape(f"waiting for {waits_for}"))

        receipts = [await_receipt(settings, tenant, one, deadline, timeout, tell) for one in request_ids]
    return [_shown(receipt, as_json=as_json) for receipt in receipts]


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
