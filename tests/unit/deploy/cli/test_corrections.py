"""`touchline forget` and `touchline unlink` refuse, before they ask a broker, a time that would swallow the future."""

import pytest

from deploy.cli.forget import command as forget
from deploy.cli.unlink import command as unlink
from schemas.errors import SettingsError, UnavailableError
from tests.support.running import invoke


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOUCHLINE_PSEUDONYM_KEY", "0123456789abcdef" * 4)
    monkeypatch.setenv("TOUCHLINE_KAFKA_BROKERS", "127.0.0.1:1")
    monkeypatch.delenv("TOUCHLINE_IDENTITY_POLICY", raising=False)


COMMANDS = [
    (forget, ["cookie:a"]),
    (forget, ["email:ann@shop.de", "--person"]),
    (unlink, ["cookie:a", "customer_id:A"]),
]


@pytest.mark.parametrize(("command", "arguments"), COMMANDS)
@pytest.mark.parametrize("until", ["2099-01-01", "2261-12-31T23:59:59Z"])
def test_a_time_beyond_the_future_allowance_is_refused(command, arguments: list[str], until: str) -> None:
    with pytest.raises(
        SettingsError, match=f"--until is '{until}', more than 24 hours ahead: what happens until then"
    ):
        invoke(command, *arguments, "--until", until)


@pytest.mark.parametrize(("command", "arguments"), COMMANDS)
@pytest.mark.parametrize("until", ["2h", "2020-01-01", "0s"])
def test_a_time_that_is_past_is_taken(command, arguments: list[str], until: str) -> None:
    with pytest.raises(UnavailableError, match="no Kafka broker answers"):
        invoke(command, *arguments, "--until", until)


@pytest.mark.parametrize("kind", ["Email", "e-mail", "mail", "EMAIL"])
def test_an_identifier_type_may_be_spelled_as_in_a_source(kind: str) -> None:
    with pytest.raises(SettingsError, match="are the same identifier"):
        invoke(unlink, f"{kind}:ann@shop.de", "email:Ann@Shop.de")
