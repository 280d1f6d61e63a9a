"""Settings are refused at start, in one sentence that names the variable and what it may be."""

from pathlib import Path

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


def test_the_urls_authorities_are_a_file_of_certificates_and_need_tls(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="has ca, but no TLS: begin it with clickhouses://"):
        ClickHouse.from_url("clickhouse://db.local/shop?ca=ca.pem")
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(SettingsError, match=r"ca in TOUCHLINE_CLICKHOUSE_URL names .* no PEM certificate"):
        ClickHouse.from_url(f"clickhouses://db.local/shop?ca={tmp_path / 'ca.pem'}")


def test_the_url_may_be_in_a_file_so_that_its_password_is_in_no_environment(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("clickhouse://me:secret@db/shop\n")
    settings = Settings.from_env({"TOUCHLINE_CLICKHOUSE_URL": f"@{tmp_path / 'url'}"})
    assert settings.clickhouse() == ClickHouse("db", 9000, "me", "secret", "shop")
    assert "secret" not in str(settings.to_env())
    with pytest.raises(SettingsError, match="TOUCHLINE_CLICKHOUSE_URL names a file that cannot be read"):
        Settings.from_env({"TOUCHLINE_CLICKHOUSE_URL": f"@{tmp_path / 'none'}"})


@pytest.mark.parametrize(
    "query", ["http_port=", "http_port=http", "http_port=65536", "http_prot=8123", "secure=1"]
)
def test_what_stands_after_the_urls_question_mark_is_checked(query: str) -> None:
    with pytest.raises(SettingsError, match="http_port"):
        ClickHouse.from_url(f"clickhouse://db.local/shop?{query}")


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("TOUCHLINE_PARTITION", "TOUCHLINE_PARTITIONS"),
        ("TOUCHLINE_KAFKA_BROKER", "TOUCHLINE_KAFKA_BROKERS"),
        ("TOUCHLINE_CLICKHOUSE_URI", "TOUCHLINE_CLICKHOUSE_URL"),
        ("TOUCHLINE_PSEUDONYMKEY", "TOUCHLINE_PSEUDONYM_KEY"),
    ],
)
def test_a_misspelt_variable_is_refused_with_the_one_that_was_meant(slip: str, meant: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_env({slip: "1"})
    assert str(refused.value) == f"{slip} is not a setting of Touchline: did you mean {meant}?"


def test_a_variable_like_no_setting_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(
        SettingsError, match=r"TOUCHLINE_WEATHER is not .*: unset it; .*TOUCHLINE_KAFKA_BROKERS"
    ):
        Settings.from_env({"TOUCHLINE_WEATHER": "red"})


def test_what_others_and_the_sandbox_set_is_left_alone() -> None:
    environ = {"KAFKA_BROKERS": "x", "TOUCHLINE": "y", "TOUCHLINE_LIBCHDB": "/lib/libchdb.so"}
    assert Settings.from_env(environ) == Settings()


def test_what_settings_write_for_a_child_they_read_back() -> None:
    settings = Settings(brokers="a:1, b:2", partitions=3, session_timeout=6.5, pseudonym_key="@key")
    assert Settings.from_env(settings.to_env()) == settings


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TOUCHLINE_SESSION_TIMEOUT", "0.5"),
        ("TOUCHLINE_SESSION_TIMEOUT", "nan"),
        ("TOUCHLINE_SESSION_TIMEOUT", "inf"),
        ("TOUCHLINE_METRICS_PORT", "65536"),
        ("TOUCHLINE_IDEMPOTENT_PRODUCER", "2"),
        ("TOUCHLINE_PARTITIONS", ""),
        ("TOUCHLINE_PARTITIONS", "0"),
        ("TOUCHLINE_KAFKA_BROKERS", "kafka"),
        ("TOUCHLINE_KAFKA_BROKERS", "kafka:9092,"),
    ],
)
def test_a_value_that_cannot_work_is_refused_by_its_variable(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        Settings.from_env({variable: value})


def test_who_reads_is_the_analyst_if_there_is_one(tmp_path: Path) -> None:
    url = "clickhouse://writer:secret@db:9000/shop?http_port=8123"
    plain = Settings.from_env({"TOUCHLINE_CLICKHOUSE_URL": url})
    assert plain.readers_clickhouse() == plain.clickhouse()

    (tmp_path / "password").write_text("from a file\n")
    environ = {"TOUCHLINE_ANALYST_USER": "ann", "TOUCHLINE_ANALYST_PASSWORD": f"@{tmp_path / 'password'}"}
    reader = Settings.from_env({"TOUCHLINE_CLICKHOUSE_URL": url} | environ).readers_clickhouse()
    assert reader == ClickHouse("db", 9000, "ann", "from a file", "shop", False, 8123, limited=True)
    assert not plain.clickhouse().limited


@pytest.mark.parametrize("password", ["", "@/no/such/file"])
def test_an_analyst_without_a_password_is_refused(password: str) -> None:
    settings = Settings.from_env({"TOUCHLINE_ANALYST_USER": "ann", "TOUCHLINE_ANALYST_PASSWORD": password})
    with pytest.raises(SettingsError, match="TOUCHLINE_ANALYST_PASSWORD"):
        settings.readers_clickhouse()
