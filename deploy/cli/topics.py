"""`touchline topics`: create Touchline's topics."""

from typing import Annotated

import typer

from deploy.cli.context import Context
from deploy.cli.output import counted, print_rows, say, tell
from deploy.kafka_admin.acls import acls, commands, grant
from deploy.kafka_admin.topics import create_topics
from schemas.errors import SettingsError
from schemas.topics import ALL, DAY_MS, FOR_EVER, Topic


def command(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a topic.")] = False,
    show_acls: Annotated[
        bool,
        typer.Option("--acls", help="Only print kafka-acls commands for the rights that each process needs."),
    ] = False,
    apply: Annotated[
        bool,
        typer.Option(
            "--apply", help="With --acls: grant what is missing instead; needs Alter on the cluster."
        ),
    ] = False,
    principal: Annotated[
        list[str] | None,
        typer.Option(
            help="With --acls: PROCESS=PRINCIPAL, like worker=User:CN=tl-worker.", metavar="PROCESS=PRINCIPAL"
        ),
    ] = None,
) -> None:
    """Create the Kafka topics that do not exist yet, and list them all.

    With --acls it makes no topics: run what it prints with Kafka's tool, so that nobody else writes internal topics.
    With --acls --apply it grants these rights itself, and takes none away.
    Partitions and replication come from TOUCHLINE_PARTITIONS and TOUCHLINE_REPLICATION; an existing topic is
    left as it is, but its partition count must be the same.

    Example: TOUCHLINE_KAFKA_BROKERS=kafka:9092 TOUCHLINE_PARTITIONS=16 touchline topics
    """
    settings = Context.from_env().settings
    if show_acls:
        principals = principals_of(principal)
        if apply:
            tell(
                f"{counted(grant(settings, acls(settings), principals), 'right')} granted, the others were there"
            )
            return
        for line in commands(acls(settings), settings.brokers, principals):
            say(line)
        return
    if apply:
        raise SettingsError("--apply goes with --acls: topics are made without it")
    created = set(create_topics(settings))
    rows = [
        (
            settings.topic(topic.name),
            settings.partitions,
            _kept(topic),
            "created" if settings.topic(topic.name) in created else "existed",
        )
        for topic in ALL
    ]
    print_rows(("topic", "partitions", "kept", "was"), rows, as_json=as_json)
    if not as_json:
        tell(f"{len(created)} created, {len(ALL) - len(created)} existed")


def principals_of(options: list[str] | None) -> dict[str, str]:
    """Process → principal, of --principal. Raises SettingsError."""
    return dict(_parted(one) for one in options or ())


def _parted(text: str) -> tuple[str, str]:
    process, equals, principal = text.partition("=")
    if not (equals and principal):
        raise SettingsError(f"--principal {text!r} must read PROCESS=PRINCIPAL, like worker=User:touchline")
    return process, principal


def _kept(topic: Topic) -> str:
    if topic.retention_ms is None:
        return "for ever, newest of each key"
    return "for ever" if topic.retention_ms == FOR_EVER else f"{topic.retention_ms // DAY_MS} days"
