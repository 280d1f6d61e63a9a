"""Settings are refused at start, in one sentence that names the variable and what it may be."""

import pytest

from schemas.errors import SettingsError
from schemas.settings import EPOCHS, ClickHouse, Settings


def test_the_last_epoch_leaves_room_for_every_version() -> None:
    settings = Settings.from_env({"TOUCHLINE_EPOCH": str(EPOCHS - 1)})
    assert 2 * settings.version(2**48 - 1) + 1 < 2**63


@pytest.mark.parametrize("epoch", ["-1", str(EPOCHS), "99999999"])
def test_an_epoch_whose_versions_do_not_fit_is_refused(epoch: str) -> None:
    with pytest.raises(SettingsError, match=r"TOUCHLINE_EPOCH is .*: it must be (at least 0|below 16,384)"):
        Settings.from_env({"TOUCHLINE_EPOCH": epoch})


def test_clickhouses_http_port_comes_with_its_url() -> None:
    url = "clickhouses://me:p%40ss@db.local/shop?http_port=8443"

    assert ClickHouse.from_url(url) == ClickHouse("db.local", 9440, "me", "p@ss", "shop", True, 8443)
    assert ClickHouse.from_url("clickhouse://db.local").http_port == 0


@pytest.mark.parametrize(
    "query", ["http_port=", "http_port=http", "http_port=65536", "http_prot=8123", "secure=1"]
)
def test_what_stands_after_the_urls_question_mark_is_checked(query: str) -> None:
    with pytest.raises(SettingsError, match="http_port"):
        ClickHouse.from_url(f"clickhouse://db.local/shop?{query}")
