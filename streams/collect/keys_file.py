"""Read the file of write keys that the settings name."""

from pathlib import Path

from schemas.toml_text import read_text
from streams.collect.keys import WriteKey, parse_keys
from streams.collect.mapping_file import load_mapping
from streams.collect.messages import MessageMapping


def load_keys(path: str) -> dict[str, WriteKey]:
    """The keys in a file, by hash; a mapping that it names stands beside it. Raises SettingsError."""
    folder = Path(path).parent

    def read_mapping(name: str) -> MessageMapping:
        return load_mapping(str(folder / name) if name else "", f"{path}: mapping")

    return parse_keys(read_text(path, "TOUCHLINE_COLLECTOR_KEYS"), path, read_mapping)
