"""Run one command as the console script does; an error that becomes its sentence there is raised here."""

from collections.abc import Callable
from typing import Any

import typer
from typer.testing import CliRunner, Result


def invoke(command: Callable[..., Any] | typer.Typer, *arguments: str) -> Result:
    app = command
    if not isinstance(app, typer.Typer):
        app = typer.Typer()
        app.command()(command)
    done = CliRunner().invoke(app, arguments, standalone_mode=False)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    if isinstance(done.return_value, int):
        done.exit_code = done.return_value
    return done
