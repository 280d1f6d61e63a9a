"""`touchline keys`: replace the pseudonymisation key, and see how far that is."""

import os
import re
import secrets
from pathlib import Path
from typing import Annotated, Final

import typer

from deploy.cli.output import print_rows, say, tell
from schemas.errors import SettingsError
from schemas.settings import Settings
from sinks.clickhouse.read.pseudonym_keys import uses
from streams.identity.policy.load import configured
from streams.identity.policy.pseudonyms import KEY_ID

command = typer.Typer(help="Replace the pseudonymisation key with nobody lost.", no_args_is_help=True)

_NUMBER: Final = re.compile(r"(\d+)\Z")


@command.command()
def rotate(
    out: Annotated[Path, typer.Option(help="File for the new key; it must not exist.", metavar="FILE")],
    name: Annotated[
        str | None, typer.Option("--id", help="Name of the new key; default: the next one.")
    ] = None,
) -> None:
    """Make a new key, and print the settings with which every process uses both keys.

    While both are set, a value is stored under both, which links them: whoever is seen meanwhile is known under the
    new key, too. `touchline keys status` shows who is not yet. Later the two PREVIOUS settings go (docs/security.md).

    Example: touchline keys rotate --out pseudonym-2027.key
    """
    settings = Settings.from_env()
    if settings.previous_pseudonym() is not None:
        raise SettingsError(
            "a rotation is under way: unset TOUCHLINE_PREVIOUS_PSEUDONYM_KEY everywhere before you begin another"
        )
    if not settings.pseudonym_secret():
        raise SettingsError("TOUCHLINE_PSEUDONYM_KEY is not set: there is no key to replace")
    key_id = settings.pseudonym_key_id
    lines = {
        "TOUCHLINE_PSEUDONYM_KEY": f"@{out.resolve()}",
        "TOUCHLINE_PSEUDONYM_KEY_ID": name or next_id(key_id),
        "TOUCHLINE_PREVIOUS_PSEUDONYM_KEY": settings.pseudonym_key,
        "TOUCHLINE_PREVIOUS_PSEUDONYM_KEY_ID": key_id,
    }
    _write(out)
    try:
        # what every process would refuse at its start is refused here
        configured(Settings.from_env({**os.environ, **lines}))
    except SettingsError:
        out.unlink()
        raise
    for variable, value in lines.items():
        hidden = variable == "TOUCHLINE_PREVIOUS_PSEUDONYM_KEY" and not value.startswith("@")
        say(f"{variable}={'the present TOUCHLINE_PSEUDONYM_KEY' if hidden else value}")
    tell("set these for every process and every source that pseudonymises, in any order; keep the old key")


@command.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a row.")] = False,
) -> None:
    """By key and type: how many values ClickHouse knows, and how many of them under another key, too.

    What is known under the old key alone would be a stranger if the old key went now.

    Example: touchline keys status
    """
    columns = ("key", "type", "values", "under_another_key_too", "under_it_alone_seen_last")
    rows = [
        (use.key_id, use.type, use.values, use.shared, use.alone_last.isoformat() if use.alone_last else None)
        for use in uses(Settings.from_env().clickhouse())
    ]
    print_rows(columns, rows, as_json=as_json)


def next_id(key_id: str) -> str:
    """The name of the key after this one: it sorts behind it, as k2 does behind k1."""
    number = _NUMBER.search(key_id)
    counted = key_id if number is None else f"{key_id[: number.start()]}{int(number[1]) + 1}"
    following = counted if counted > key_id else f"{key_id}.2"
    if not KEY_ID.fullmatch(following):
        raise SettingsError(f"{following!r} is too long to be the name of a key: give one with --id")
    return following


def _write(path: Path) -> None:
    """A new secret in a new file that only its owner may read. Raises SettingsError if the file exists."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise SettingsError(
            f"{path} exists, and a key that is lost cannot be made again: name another file"
        ) from error
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32) + "\n")
