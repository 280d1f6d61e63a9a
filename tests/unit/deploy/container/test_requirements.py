"""What the image installs before the code is what the project asks for."""

from pathlib import Path

import pytest

from deploy.container.requirements import requirements

TEXT = """
[project]
dependencies = ["aiohttp>=3.9", "avro>=1.12"]
[project.optional-dependencies]
fast = ["cavro>=1.0; python_version < '3.13'"]
dev = ["pytest"]
"""


def test_the_projects_requirements_and_those_of_the_named_extras_are_printed() -> None:
    assert requirements(TEXT, ["fast"]) == [
        "aiohttp>=3.9",
        "avro>=1.12",
        "cavro>=1.0; python_version < '3.13'",
    ]


def test_an_extra_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(KeyError):
        requirements(TEXT, ["quick"])


def test_the_image_asks_for_extras_that_exist() -> None:
    root = Path(__file__).parents[4]
    (line,) = [
        line
        for line in (root / "deploy/container/Dockerfile").read_text().splitlines()
        if "requirements.py py" in line
    ]
    extras = line.split("pyproject.toml")[1].split(">")[0].split()
    assert extras
    assert requirements((root / "pyproject.toml").read_text(), extras)
