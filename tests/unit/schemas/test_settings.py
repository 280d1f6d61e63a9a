"""Settings are refused at start, in one sentence that names the variable and what it may be."""

import pytest

from schemas.errors import SettingsError
from schemas.settings import EPOCHS, Settings


def test_the_last_epoch_leaves_room_for_every_version() -> None:
    settings = Settings.from_env({"TOUCHLINE_EPOCH": str(EPOCHS - 1)})
    assert 2 * settings.version(2**48 - 1) + 1 < 2**63


@pytest.mark.parametrize("epoch", ["-1", str(EPOCHS), "99999999"])
def test_an_epoch_whose_versions_do_not_fit_is_refused(epoch: str) -> None:
    with pytest.raises(SettingsError, match=r"TOUCHLINE_EPOCH is .*: it must be (at least 0|below 16,384)"):
        Settings.from_env({"TOUCHLINE_EPOCH": epoch})
