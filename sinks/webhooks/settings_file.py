"""Read the webhooks.toml that the settings name: endpoints with their secrets, and templates tried on samples."""

from pathlib import Path

from schemas.errors import SettingsError
from schemas.toml_text import read_text
from sinks.webhooks.endpoints import Endpoint
from sinks.webhooks.endpoints_file import parse_endpoints
from sinks.webhooks.rendering import Template, load_template


def load_endpoints(path: str) -> tuple[dict[str, Endpoint], dict[str, Template]]:
    """Endpoints and templates by name. @FILE and files of templates stand beside the file unless they are absolute.

    Raises SettingsError.
    """
    if not path:
        raise SettingsError("TOUCHLINE_WEBHOOKS names no webhooks.toml: docs/webhooks.md shows one")
    folder = Path(path).parent

    def read_secret(text: str, entry: str) -> str:
        return read_text(str(folder / text[1:]), entry).strip() if text.startswith("@") else text

    endpoints = parse_endpoints(read_text(path, "TOUCHLINE_WEBHOOKS"), path, read_secret)
    return endpoints, {name: load_template(endpoint, folder) for name, endpoint in endpoints.items()}
