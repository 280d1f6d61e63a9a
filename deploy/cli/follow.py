"""`touchline follow`: topics of another system, such as Debezium's, into touchpoints."""

import signal
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from deploy.cli.context import Context
from deploy.cli.output import remark
from deploy.ingest.follow import Followed, Follower
from deploy.ingest.mapping.file import load_mapping
from deploy.kafka_admin.acls import FOLLOW_GROUP
from schemas.errors import SettingsError
from schemas.keys import NAME_PATTERN

#: Seconds between two remarks on how it goes.
_REMARK_SECONDS: Final = 10.0


def command(
    topics: Annotated[list[str], typer.Argument(help="Topics, by their whole names.", metavar="TOPIC...")],
    mapping: Annotated[
        str, typer.Option(help="TOML file that says what a record is, or the name of a shipped mapping.")
    ],
    group: Annotated[
        str,
        typer.Option(help="Consumer group, behind the topic prefix; default: touchline-follow-MAPPING."),
    ] = "",
    brokers: Annotated[
        str, typer.Option(help="Bootstrap servers of the topics, if they are not the deployment's.")
    ] = "",
) -> None:
    """Turn the records of topics into touchpoints, until it is stopped. A new group begins with the oldest record.

    Records are JSON: change data as Debezium writes it ([change] in the mapping), or rows. What the mapping cannot take
    becomes a dead letter with its original bytes. Offsets are committed once the broker has all of it. Start as many as
    the topics have partitions.

    Example: touchline follow crm.public.customers --mapping customers.toml
    """
    context = Context.from_env()
    group = context.settings.topic(group or FOLLOW_GROUP + Path(mapping).stem)
    if not NAME_PATTERN.fullmatch(group[-64:]):
        raise SettingsError(f"{group!r} is no consumer group: use A-Z a-z 0-9 _ . - (--group)")
    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: stopping.append(received))
    with Follower(
        context.settings, context.policy, topics, load_mapping(mapping), group, brokers
    ) as follower:
        remark(f"following {', '.join(topics)} as {group}")
        said = time.monotonic()
        for followed in follower.run(lambda: bool(stopping)):
            if time.monotonic() - said >= _REMARK_SECONDS:
                said = time.monotonic()
                remark(told(followed))
        remark(told(follower.followed))


def told(followed: Followed) -> str:
    """What became of the records, in one line."""
    return (
        f"{followed.read:,} read: {followed.touchpoints:,} touchpoints, {followed.nothing:,} left out,"
        f" {followed.dead:,} dead letters"
    )
