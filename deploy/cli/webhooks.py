"""`touchline webhooks`: tell other systems' endpoints what happens to people."""

import asyncio
import base64
import logging
import secrets
import sys
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from deploy.cli.context import Context
from deploy.cli.logs import configure
from deploy.cli.output import counted, print_json, print_mapping, print_table, remark, say, tell
from deploy.monitoring.server import serve
from deploy.repair.dead_letters.replaying import send
from deploy.repair.webhooks import Chosen, messages, requests, standings
from schemas.errors import SettingsError
from schemas.touchpoint.json_form import to_iso
from sinks.webhooks.endpoints import Endpoint
from sinks.webhooks.rendering import samples
from sinks.webhooks.run import Told, run, sender_of
from sinks.webhooks.settings_file import load_endpoints
from sinks.webhooks.signing import PREFIX
from sinks.webhooks.verdicts import Reason, Verdict

command = typer.Typer(
    help="Tell endpoints what happens to people: run, test, status, replay.", no_args_is_help=True
)

TABLE: Final = Path("touchline-webhooks.sqlite")

AsJson = Annotated[bool, typer.Option("--json", help="JSON, one document.")]
log: Final = logging.getLogger("touchline.webhooks")


@command.command("run")
def run_service(
    table: Annotated[
        Path, typer.Option(help="File of the local table of present states; made if it is not there.")
    ] = TABLE,
    from_start: Annotated[
        bool, typer.Option(help="The first time: also tell signals from before, as far as Kafka has them.")
    ] = False,
    loglevel: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
) -> None:
    """Deliver until Ctrl-C or SIGTERM: then attempts under way end, and the rest waits in Kafka.

    As many as there are partitions share the work, each with a --table of its own. TOUCHLINE_WEBHOOKS names the file of
    endpoints. Run `touchline topics` first.

    Example: touchline webhooks run
    """
    settings = Context.from_env().settings
    endpoints, templates = load_endpoints(settings.webhooks)
    configure(loglevel)
    log.info(
        "touchline %s: webhooks for %s on Kafka at %s",
        version("touchline"),
        ", ".join(endpoints),
        settings.brokers,
    )
    observe = partial(serve, settings)
    told = Told(endpoints, templates)
    asyncio.run(run(settings, told, table, _announce, from_start=from_start, observe=observe))
    log.info("stopped: what was not delivered waits in Kafka")


@command.command("test")
def send_sample(
    name: Annotated[str, typer.Argument(help="An endpoint of webhooks.toml.")],
    retracted: Annotated[bool, typer.Option(help="A retraction instead of a raise.")] = False,
    show: Annotated[bool, typer.Option(help="Print the body as well.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send one signed sample now and print the answer. Exit code 1 if the receiver does not confirm it.

    The sample is about a person whom there is not: a signal, or a change of the stage if the endpoint is told no
    signals. It needs no Kafka.

    Example: touchline webhooks test campaigns
    """
    endpoints, templates = load_endpoints(Context.from_env().settings.webhooks)
    if name not in endpoints:
        raise SettingsError(f"webhooks.toml has no endpoint {name!r}: it has {', '.join(endpoints)}")
    if retracted and not endpoints[name].signals:
        raise SettingsError(
            f"endpoint {name} is told no signals, so no retractions either: leave --retracted out"
        )
    webhook_id = f"msg_test{secrets.token_hex(12)}"
    raised, _, taken_back, changed, _ = samples()
    sample = taken_back if retracted else raised if endpoints[name].signals else changed
    body = templates[name].render({**sample, "id": webhook_id})
    began = time.monotonic()
    verdict = asyncio.run(attempt(endpoints[name], webhook_id, body))
    answered: dict[str, Any] = {
        "endpoint": name, "webhook_id": webhook_id, "confirmed": verdict.confirmed, "code": verdict.code,
        "reason": None if verdict.reason is None else verdict.reason.value, "answer": verdict.answer,
        "seconds": round(time.monotonic() - began, 3),
    }  # fmt: skip
    if show:
        answered["body"] = body.decode()
    print_mapping(answered, as_json=as_json)
    if not verdict.confirmed:
        raise typer.Exit(1)


@command.command("status")
def status(as_json: AsJson = False) -> None:
    """What waits, was delivered, withheld or given up, for each endpoint.

    Example: touchline webhooks status
    """
    context = Context.from_env()
    found = standings(messages(context.settings))
    columns = ("endpoint", "pending", "tried", "oldest", "delivered", "superseded", "withheld", "dead")
    rows: list[list[Any]] = [
        [
            name, one.statuses["PENDING"], one.trying, None if one.oldest is None else to_iso(one.oldest),
            one.statuses["DELIVERED"], one.statuses["SUPERSEDED"], one.statuses["WITHHELD"], one.statuses["DEAD"],
        ]
        for name, one in sorted(found.items())
    ]  # fmt: skip
    if as_json:
        print_json(
            [
                {**dict(zip(columns, row, strict=True)), "reasons": dict(found[row[0]].reasons.most_common())}
                for row in rows
            ]
        )
    elif rows:
        reasons = [", ".join(f"{why} {n}" for why, n in found[row[0]].reasons.most_common()) for row in rows]
        print_table((*columns, "reasons"), [[*row, why] for row, why in zip(rows, reasons, strict=True)])
    else:
        tell("no endpoint has been told anything yet")


@command.command("replay")
def replay(
    endpoint: Annotated[str | None, typer.Option(help="Only of this endpoint.")] = None,
    reason: Annotated[
        str | None, typer.Option(help=f"Only these: {', '.join(Reason)}.", show_default=False)
    ] = None,
    webhook_id: Annotated[str | None, typer.Option("--id", help="Only this message.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Given up since: an ISO time, or how long ago (2h, 7d).")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen, ask for nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Let messages that were given up be tried again, in their persons' order, under their own ids.

    Consent, caps and quiet hours are asked anew. An endpoint that said 410 is tried again.

    Example: touchline webhooks replay --endpoint campaigns --dry-run
    """
    context = Context.from_env()
    if reason is not None and reason.upper() not in tuple(Reason):
        raise SettingsError(f"--reason {reason}: it must be one of {', '.join(Reason)}")
    chosen = Chosen(
        endpoint,
        None if reason is None else reason.upper(),
        webhook_id,
        None if since is None else context.moment(since, "--since"),
    )
    dead = sorted(filter(chosen.matches, messages(context.settings)), key=lambda one: one["happened_at"])
    if not dry_run:
        send(context.settings, requests(context.settings, dead, context.now))
    if as_json:
        print_json({"asked": 0 if dry_run else len(dead), "matching": len(dead), "dry_run": dry_run})
        return
    what = counted(len(dead), "dead message")
    tell(f"{what} would be tried again" if dry_run else f"{what}: a running service tries again")


@command.command("secret")
def secret() -> None:
    """Print a new secret for an endpoint: in webhooks.toml, and at its receiver.

    Example: touchline webhooks secret
    """
    say(PREFIX + base64.b64encode(secrets.token_bytes(32)).decode())
    remark("shown only now: put it into a file that only the service can read, and name that with @FILE")


def _announce(partitions: int) -> None:
    say(f"webhooks: ready, {counted(partitions, 'partition')}")
    sys.stdout.flush()


async def attempt(endpoint: Endpoint, webhook_id: str, body: bytes) -> Verdict:
    """One attempt over the network, outside of any outbox."""
    sender = sender_of(endpoint)
    try:
        return await sender.send(webhook_id, body)
    finally:
        await sender.close()
