"""`touchline`: every command, and what their errors become.

Exit codes: 0 done, 1 failed (one sentence on standard error), 2 wrong usage. Ctrl-C ends with 130.
"""

import importlib
import os
import resource
import sys
from importlib.metadata import version
from typing import Annotated, Any, Final

import typer

from schemas.errors import TouchlineError

app = typer.Typer(
    name="touchline",
    help="Scattered customer touchpoints in, live customer journeys out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

#: ClickException of the click that typer uses: newer typers carry a copy, which `import click` is not.
_COMMAND_LINE_ERROR: Final[type[Any]] = typer.BadParameter.__mro__[2]

VERSION: Final = "--version"

#: Command → its module in deploy.cli, in the order that --help shows. Each module has `command`, a function or a Typer.
COMMANDS: Final = {
    "demo": "demo",
    "up": "up",
    "worker": "worker",
    "load": "load",
    "collect": "collect",
    "page": "page",
    "serve": "serve",
    "webhooks": "webhooks",
    "size": "size",
    "topics": "topics",
    "grow": "grow",
    "migrate": "migrate",
    "publish": "publish",
    "follow": "follow",
    "mapping": "mapping",
    "simulate": "simulate",
    "replay": "replay",
    "query": "query",
    "report": "report",
    "journey": "journey",
    "tail": "tail",
    "explain": "explain",
    "policy": "policy",
    "catalogue": "catalogue",
    "forget": "forget",
    "unlink": "unlink",
    "export": "export",
    "keys": "keys",
    "status": "status",
    "doctor": "doctor",
    "dead-letters": "dead_letters",
    "backfill": "backfill",
    "backup": "backup",
    "restore": "restore",
    "schemas": "schemas",
}


def build(wanted: str | None = None) -> typer.Typer:
    """Put the commands together: all of them, or only the wanted one (imports are most of a short run's time)."""
    for name, module in COMMANDS.items():
        if wanted in (*COMMANDS, VERSION) and name != wanted:
            continue
        command = importlib.import_module(f"deploy.cli.{module}").command
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    # a lone command would otherwise become the program itself
    app.callback()(_options)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"touchline {version('touchline')} ({_core()})\n")
        raise typer.Exit


def _core() -> str:
    """The core that a worker runs here, if its settings do not say otherwise."""
    native_core = importlib.import_module("streams.runtime.native_core")
    if native_core.installed_core() is None:
        return "core: python; the native one is not installed"
    if foreign := native_core.why_foreign():
        return f"core: python; the native one cannot run: {foreign}"
    return f"core: native {native_core.native_version()}"


def _options(
    _: Annotated[
        bool, typer.Option(VERSION, help="Print the version.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Scattered customer touchpoints in, live customer journeys out."""


def run() -> None:
    """Entry point of the console script."""
    _leave_no_core_dump()
    if sys.stdout is None:  # closed by the caller: `>&-`
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 (it stays open until the end)
    try:
        result = build(sys.argv[1] if len(sys.argv) > 1 else None)(standalone_mode=False)
        sys.stdout.flush()
    except TouchlineError as error:
        sys.stderr.write(f"touchline: {error}\n")
        sys.exit(1)
    except typer.Exit as stop:
        sys.exit(stop.exit_code)
    except _COMMAND_LINE_ERROR as error:
        error.show()
        sys.exit(error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        _abandon_output()
        sys.exit(1)
    except OSError as error:
        _abandon_output()
        where = f"{error.filename}: " if error.filename else "input or output failed: "
        sys.stderr.write(f"touchline: {where}{error.strerror or error}\n")
        sys.exit(1)
    sys.exit(result if isinstance(result, int) else 0)


def _leave_no_core_dump() -> None:
    """Let a crash write no file of this process's memory, nor of its children's: keys and addresses are in it.

    An operator who wants one raises the limit of the running process with `prlimit --core`.
    """
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))


def _abandon_output() -> None:
    """Let nothing more be written to standard output: Python's own flush at the end would fail again."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 (a device)
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
