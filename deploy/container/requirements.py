"""Print what pyproject.toml asks for, one requirement a line: `python requirements.py pyproject.toml EXTRA...`.

The image installs these before it copies the code. The file runs alone, without Touchline.
"""

import sys
import tomllib
from pathlib import Path


def requirements(text: str, extras: list[str]) -> list[str]:
    """The requirements of the project and of the extras. Raises KeyError for an extra that does not exist."""
    project = tomllib.loads(text)["project"]
    optional = project["optional-dependencies"]
    return [*project["dependencies"], *(each for extra in extras for each in optional[extra])]


if __name__ == "__main__":
    sys.stdout.write(
        "".join(f"{each}\n" for each in requirements(Path(sys.argv[1]).read_text(), sys.argv[2:]))
    )
