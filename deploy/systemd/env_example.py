"""The example of the services' environment file, made from the settings: run `python -m deploy.systemd.env_example`."""

import textwrap
from dataclasses import fields
from pathlib import Path
from typing import Final

from schemas.settings import Settings

EXAMPLE: Final = Path(__file__).with_name("touchline.env.example")
_WIDTH: Final = 110
_HEAD: Final = """\
# /etc/touchline/touchline.env: the settings of every Touchline service on this machine, one a line.
# A line that begins with # shows the default. A value of several words stands in double quotes.
# The services themselves name their files of keys, the table of `serve` and their ports of metrics.
"""


def render() -> str:
    """The text of the example: each setting with its meaning and its default."""
    blocks = [_HEAD]
    for each in fields(Settings):
        meaning = textwrap.fill(each.metadata["meaning"], _WIDTH, initial_indent="# ", subsequent_indent="# ")
        blocks.append(f"{meaning}\n#{each.metadata['variable']}={each.default}\n")
    return "\n".join(blocks)


if __name__ == "__main__":
    EXAMPLE.write_text(render())
