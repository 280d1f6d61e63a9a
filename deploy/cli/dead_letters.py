"""`touchline dead-letters`: what could not be taken, why, and how to send it through again."""

from enum import StrEnum
from functools import partial
from typing import Annotated, Any

import typer

from deploy.cli.context import Context
from deploy.cli.key import require_configured_key
from deploy.cli.output import counted, print_json, print_mapping, print_table, tell
from deploy.repair.dead_letters.fix import load_fix
from deploy.repair.dead_letters.letters import REASONS, Letter, Summary, Wanted, summarise
from deploy.repair.dead_letters.reading import letters, original, stored
from deploy.repair.dead_letters.replaying import Replay, send
from schemas.encoding.codec import decode
from schemas.encoding.confluent import RegistryClient
from schemas.errors import ContractError, SettingsError, TouchlineError
from schemas.settings import Settings
from schemas.touchpoint.json_form import to_iso
from streams.collect.letters import TOPIC_PREFIX

command = typer.Typer(help="Records that could not be taken: list, show, replay.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]
ReasonOption = Annotated[str | None, typer.Option(help=f"Only these: {', '.join(REASONS)}.")]
SinceOption = Annotated[
    str | None, typer.Option(help="Rejected since: an ISO time, or how long ago (30m, 2h, 7d).")
]
TopicOption = Annotated[str | None, typer.Option(help="Only originals of this topic.")]


class Store(StrEnum):
    """Where to read letters."""

    KAFKA = "kafka"
    CLICKHOUSE = "clickhouse"


@command.command("list")
def list_letters(
    reason: ReasonOption = None,
    since: SinceOption = None,
    topic: TopicOption = None,
    limit: Annotated[int, typer.Option(help="How many of the newest to show.", min=0)] = 20,
    store: Annotated[Store, typer.Option("--from", help="The topic itself, or the table.")] = Store.KAFKA,
    as_json: AsJson = False,
) -> None:
    """Count dead letters by reason, component and topic, and show the newest, numbered from 1.

    Example: touchline dead-letters list --since 2h --reason INVALID
    """
    context = Context.from_env()
    settings = context.settings
    wanted = _wanted(context, reason, since, topic)
    if store is Store.CLICKHOUSE:
        summary = stored(settings, wanted, limit)
    else:
        summary = summarise(letters(settings, wanted), limit)
    if as_json:
        print_json(_summary_json(summary))
        return
    print_table(
        ("reason", "component", "topic", "letters"),
        [(*kind, f"{count:,}") for kind, count in summary.kinds()],
    )
    print_table(
        ("", "rejected", "reason", "component", "topic/partition/offset", "error"),
        [
            (
                number,
                to_iso(one.rejected_at),
                one.body["reason"],
                one.body["component"],
                one.place,
                one.body["error"],
            )
            for number, one in enumerate(summary.newest, start=1)
        ],
    )
    tell(counted(sum(summary.counts.values()), "dead letter"))


@command.command("show")
def show(
    which: Annotated[
        str, typer.Argument(help="TOPIC/PARTITION/OFFSET, or a number of `list`.", metavar="LETTER")
    ],
    reason: ReasonOption = None,
    since: SinceOption = None,
    topic: TopicOption = None,
    as_json: AsJson = False,
) -> None:
    """Show one dead letter: why, from where, and its record, decoded if it can be, else in hexadecimal.

    A number counts as `list` does, with the same options. One record may have several letters, one a component.

    Example: touchline dead-letters show touchpoints/3/1041
    """
    context = Context.from_env()
    settings = context.settings
    found = _find(settings, which, _wanted(context, reason, since, topic))
    forms = [_letter_json(letter, settings) for letter in found]
    if as_json:
        print_json(forms[0] if len(forms) == 1 else forms)
        return
    for form in forms:
        record = form.pop("record")
        headers = form.pop("headers")
        print_mapping(form, as_json=False)
        print_table(("header", "value"), list(headers.items()))
        print_table(("record", ""), list(record.items()) if isinstance(record, dict) else [("bytes", record)])


@command.command("replay")
def replay(
    reason: ReasonOption = None,
    since: SinceOption = None,
    topic: TopicOption = None,
    fix: Annotated[str | None, typer.Option(help="TOML file that says how to mend touchpoints.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, send nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send dead letters through again, oldest bytes unchanged, to the topics that they came from.

    Replaying twice changes nothing that replaying once did not. What fails again becomes a new dead letter. What the
    collector refused is read as if it came now, by the present mapping of its write key and the present policy, and
    keeps its letter if it would be refused again.

    Example: touchline dead-letters replay --reason FUTURE_TIME --fix clamp.toml --dry-run
    """
    context = Context.from_env()
    settings = context.settings
    require_configured_key(context)
    mend = load_fix(fix) if fix else None
    registry = RegistryClient(settings.registry()).lookup if settings.registry_url else None
    run = Replay(settings, mend, partial(original, settings), registry)
    outgoing = run.outgoing(letters(settings, _wanted(context, reason, since, topic)))
    if dry_run:
        for _ in outgoing:
            pass
    else:
        send(settings, outgoing)
    done = run.done
    summary: dict[str, Any] = {"would be sent" if dry_run else "sent": done.sent}
    if mend is not None:
        summary["mended"] = done.fixed
    if done.fails_again:
        summary["of these, touchpoints that still break their contract"] = done.fails_again
    if as_json:
        print_json(
            {
                "sent": 0 if dry_run else done.sent, "would_send": done.sent, "mended": done.fixed,
                "fails_again": done.fails_again, "skipped": dict(done.skipped), "dry_run": dry_run,
            }
        )  # fmt: skip
    else:
        skipped = {f"skipped: {why}": count for why, count in done.skipped.most_common()}
        print_mapping(summary | skipped, as_json=False)


def _wanted(context: Context, reason: str | None, since: str | None, topic: str | None) -> Wanted:
    if reason is not None and reason.upper() not in REASONS:
        raise SettingsError(f"--reason {reason}: it must be one of {', '.join(REASONS)}")
    settings = context.settings
    return Wanted(
        since=None if since is None else context.moment(since, "--since"),
        reason=None if reason is None else reason.upper(),
        topic=None if topic is None else _topic(settings, topic),
    )


def _find(settings: Settings, which: str, wanted: Wanted) -> list[Letter]:
    if which.isdigit():
        newest = summarise(letters(settings, wanted), int(which)).newest
        if not 0 < int(which) <= len(newest):
            raise TouchlineError(
                f"there is no letter {which}: {len(newest)} match, numbered from 1 for the newest"
            )
        return [newest[int(which) - 1]]
    topic, _, place = which.partition("/")
    wanted_place = f"{_topic(settings, topic)}/{place}"
    found = sorted((one for one in letters(settings, wanted) if one.place == wanted_place), key=Letter.order)
    if not found:
        raise TouchlineError(f"no dead letter comes from {which}: see `touchline dead-letters list`")
    return found


def _topic(settings: Settings, name: str) -> str:
    """The topic that letters name: with the deployment's prefix, or of the collector, like http-segment."""
    return name if name.startswith(TOPIC_PREFIX) else settings.topic(name.removeprefix(settings.topic_prefix))


def _summary_json(summary: Summary) -> dict[str, Any]:
    return {
        "letters": sum(summary.counts.values()),
        "counts": [
            {"reason": reason, "component": component, "topic": topic, "letters": count}
            for (reason, component, topic), count in summary.kinds()
        ],
        "newest": [
            {
                "rejected_at": to_iso(one.rejected_at), "reason": one.body["reason"],
                "component": one.body["component"], "place": one.place, "error": one.body["error"],
            }
            for one in summary.newest
        ],
    }  # fmt: skip


def _letter_json(letter: Letter, settings: Settings) -> dict[str, Any]:
    body = letter.body
    return {
        "reason": body["reason"],
        "error": body["error"],
        "component": f"{body['component']} {body['component_version']}".strip(),
        "rejected_at": to_iso(letter.rejected_at),
        "place": letter.place,
        "recorded_at": to_iso(body["recorded_at"]),
        "key": _text(body["key"]),
        "headers": {header["name"]: _text(header["value"]) for header in body["headers"]},
        "record": _decoded(body["value"], settings),
    }


def _decoded(value: bytes | None, settings: Settings) -> Any:
    """The decoded record, else its bytes in hexadecimal."""
    registry = RegistryClient(settings.registry()).lookup if settings.registry_url else None
    try:
        name, record = decode(value, registry)
    except ContractError:
        return None if value is None else value.hex()
    return {"is a": name, **record}


def _text(value: bytes | None) -> str | None:
    """Bytes as text if they are text, else in hexadecimal."""
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.hex()
