"""`touchline forget`: erase what is known about an identifier, everywhere, and show the receipt."""

import logging
import time
from typing import Annotated, Any, Final

import typer

from deploy.cli.output import print_mapping, remarks
from deploy.cli.times import moment
from deploy.sources.corrections import erasure, identifier, publish_correction
from schemas.errors import UnavailableError
from schemas.settings import Settings
from sinks.erasure import Receipt, receipt_of
from streams.identity.load_policy import load

POLL_SECONDS: Final = 0.5


def command(
    text: Annotated[
        str, typer.Argument(help="The identifier as the source writes it.", metavar="TYPE:VALUE")
    ],
    tenant: Annotated[str, typer.Option(help="Whose customer it is.")] = "default",
    until: Annotated[
        str | None, typer.Option(help="Up to this time: ISO, or like 2h ago; default: now.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the receipt.")] = True,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the receipt.", min=1)] = 120.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the receipt as JSON.")] = False,
) -> None:
    """Erase an identifier: its links, the touchpoints it owns, its rows; profiles that it held together split.

    What it does later counts again, as a new person. Forget each identifier of a person who wants to be forgotten.

    Example: touchline forget email:ann@shop.de
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    settings = Settings.from_env()
    policy = load(settings.identity_policy, settings.pseudonym_secret(), settings.pseudonym_key_id)
    request = erasure(tenant, identifier(text, tenant, policy), _time(until))
    publish_correction(request, settings)
    if not wait:
        print_mapping({"request_id": request["event_id"], "done": False}, as_json=as_json)
        return
    receipt = _await(settings, tenant, request["event_id"], timeout)
    print_mapping(_shown(receipt, as_json=as_json), as_json=as_json, title="Erased")


def _await(settings: Settings, tenant: str, request_id: str, timeout: float) -> Receipt:
    deadline = time.monotonic() + timeout
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
