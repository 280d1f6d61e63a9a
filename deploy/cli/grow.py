"""`touchline grow`: another generation of topics, with more partitions, beside the present one."""

from dataclasses import asdict, replace
from typing import Annotated, Final

import typer

from deploy.cli.context import Context
from deploy.cli.key import require_configured_key
from deploy.cli.output import print_json, say, tell
from deploy.cli.progress import now_and_then
from deploy.repair.growth.grow import Growth
from deploy.repair.growth.history import Copied

#: How often the progress is told.
_EVERY_SECONDS: Final = 5.0


def command(
    partitions: Annotated[int, typer.Option(help="Partitions of the new topics.", min=1)],
    prefix: Annotated[str, typer.Option(help="TOUCHLINE_TOPIC_PREFIX of the new topics, like g2.")],
    epoch: Annotated[
        int | None,
        typer.Option(help="TOUCHLINE_EPOCH of the new topics; default: one above the present one."),
    ] = None,
    identity: Annotated[
        str | None, typer.Option(help="The identity.toml of the new generation; default: the configured one.")
    ] = None,
    quiet: Annotated[
        float, typer.Option(help="End once the old topics were quiet for so many seconds.", min=1)
    ] = 60.0,
    without_sums: Annotated[
        bool,
        typer.Option("--without-sums", help="Go on although touchpoints beyond the horizon are summed up."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Copy everything into new topics with another number of partitions, and follow the old ones while sources move.

    It changes nothing in the old topics, so the old deployment goes on until you stop it. It prints the settings of the
    new one. It may be interrupted and run again. docs/upgrades.md has the steps from the first to the last.

    Example: touchline grow --partitions 16 --prefix g2.
    """
    context = Context.from_env()
    old = context.settings
    require_configured_key(context)
    path, named_by = context.identity_file(identity)
    new = replace(
        old, topic_prefix=prefix, partitions=partitions, epoch=old.epoch + 1 if epoch is None else epoch,
        identity_policy=path,
    )  # fmt: skip
    with Growth(
        old, new, context.policy_of(path, named_by), now_and_then(_EVERY_SECONDS, _progress)
    ) as growth:
        if not as_json:
            for name in ("TOUCHLINE_TOPIC_PREFIX", "TOUCHLINE_PARTITIONS", "TOUCHLINE_EPOCH"):
                say(f"{name}={new.to_env()[name]}")
        copied = growth.run(quiet, without_sums=without_sums)
    if as_json:
        print_json(asdict(copied))
    else:
        tell(f"{_counts(copied)}; nothing came for {quiet:.0f} s")


def _counts(copied: Copied) -> str:
    return (
        f"copied {copied.corrections:,} corrections, {copied.links:,} links and {copied.touchpoints:,} touchpoints of"
        f" the past, {copied.followed:,} records as they came"
    )


def _progress(copied: Copied, following: bool) -> str:
    return f"{_counts(copied)}{', following' if following else ''}"
