"""Run a `touchline` command in this process: what it prints as JSON, without the second that a process takes."""

import contextlib
import io
import json
import os
from collections.abc import Callable
from typing import Any
from unittest import mock

from tests.integration.parts import Deployment


def answer(live: Deployment, function: Callable[..., object], **options: Any) -> Any:
    """The JSON that the command's function prints with these options. Raises what it raises."""
    printed = io.StringIO()
    with mock.patch.dict(os.environ, live.settings.to_env()), contextlib.redirect_stdout(printed):
        function(**options, as_json=True)
    return json.loads(printed.getvalue())
