"""A backup is whole or refused: whatever is missing or changed is found before anything is written."""

import gzip
import json
from dataclasses import asdict
from pathlib import Path

import pytest

from deploy.repair.backup.restore import check, restore
from deploy.repair.backup.save import MANIFEST, Manifest, SavedTopic, digest, file_of, in_order
from schemas.errors import SettingsError
from schemas.settings import Settings
from schemas.topics import ALL, CHANGELOGS, PUBLIC_PATH


def backup(folder: Path, **fields: int) -> Path:
    with gzip.open(file_of(folder, "touchpoints"), "wt") as file:
        file.write('[0,0,1,"a2V5",null,[]]\n')
    saved = SavedTopic(1, digest(file_of(folder, "touchpoints")))
    manifest = Manifest("0.1.0", 2, 3, 0, {"touchpoints": saved}, {})
    (folder / MANIFEST).write_text(json.dumps(asdict(manifest) | fields))
    return folder


def test_a_whole_backup_is_read(tmp_path: Path) -> None:
    manifest = check(backup(tmp_path))
    assert (manifest.partitions, manifest.epoch, manifest.topics["touchpoints"].records) == (2, 3, 1)


@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "manifest", "format"])
def test_a_damaged_backup_is_refused_with_a_sentence(tmp_path: Path, damage: str) -> None:
    folder = backup(tmp_path, **({"format": 2} if damage == "format" else {}))
    path = file_of(folder, "touchpoints")
    content = path.read_bytes()
    match damage:
        case "flip":
            path.write_bytes(content[:20] + bytes([content[20] ^ 1]) + content[21:])
        case "cut":
            path.write_bytes(content[:-1])
        case "remove":
            path.unlink()
        case "manifest":
            (folder / MANIFEST).write_text((folder / MANIFEST).read_text()[:-3])
    with pytest.raises(SettingsError, match=r"backup|format"):
        check(folder)


@pytest.mark.parametrize(
    ("settings", "fix"),
    [
        (Settings(partitions=8, epoch=4), "set TOUCHLINE_PARTITIONS"),
        (Settings(partitions=2, epoch=3), "set it to 4 or more"),
    ],
)
def test_settings_that_do_not_fit_are_refused_before_anything_is_written(
    tmp_path: Path, settings: Settings, fix: str
) -> None:
    with pytest.raises(SettingsError, match=fix):
        restore(settings, backup(tmp_path), lambda *_: None)


def test_changelogs_are_saved_before_outputs_and_every_output_before_its_inputs() -> None:
    """Saved later, an output could have a cause that is not saved: nobody would ever take it back."""
    order = in_order()
    assert sorted(order, key=ALL.index) == list(ALL)
    assert max(order.index(one) for one in CHANGELOGS) < min(order.index(one) for one in PUBLIC_PATH)
    for output in PUBLIC_PATH:
        for cause in PUBLIC_PATH[: PUBLIC_PATH.index(output)]:
            assert order.index(output) < order.index(cause)
