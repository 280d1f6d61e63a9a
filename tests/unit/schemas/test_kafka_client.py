"""Every Kafka client is made in the one way, and what the settings ask of it is done or refused in one sentence."""

import ast
import ssl
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import faust.auth
import pytest
from aiokafka.abc import AbstractTokenProvider
from kafka.net.sasl.oauth import AbstractTokenProvider as SyncTokenProvider

from schemas.errors import SettingsError
from schemas.kafka_client import client_options
from schemas.kafka_security import check_connection, sync_client_options
from schemas.settings import Settings
from streams.runtime.faust_broker import broker_options

ROOT = Path(__file__).parents[3]
TOPS = ("schemas", "streams", "sinks", "deploy")
CLIENTS = {
    "AIOKafkaAdminClient", "AIOKafkaClient", "AIOKafkaConsumer", "AIOKafkaProducer",
    "KafkaAdminClient", "KafkaClient", "KafkaConsumer", "KafkaProducer",
}  # fmt: skip
OPTIONS = {"client_options", "sync_client_options", "broker_options"}
#: makes the class that it is given, with `sync_client_options`
FACTORY = "_client"
SCRAM = {"kafka_security": "sasl_ssl", "kafka_user": "worker", "kafka_password": "hunter2"}


def clients_without_options(code: str) -> Iterator[int]:
    """Lines on which a Kafka client is made, or its class is handed on, without the options of the one place."""
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func).rpartition(".")[2]
        spread = {
            ast.unparse(word.value.func).rpartition(".")[2]
            for word in node.keywords
            if word.arg is None and isinstance(word.value, ast.Call)
        }
        if called in CLIENTS and not spread & OPTIONS:
            yield node.lineno
        handed_on = {ast.unparse(argument).rpartition(".")[2] for argument in node.args}
        if handed_on & CLIENTS and called != FACTORY:
            yield node.lineno


def modules() -> Iterator[tuple[str, str]]:
    for top in TOPS:
        for path in sorted((ROOT / top).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def test_no_kafka_client_is_made_but_with_the_options_of_the_one_place() -> None:
    found = {name: list(clients_without_options(code)) for name, code in modules()}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_no_other_module_names_what_connects_a_client() -> None:
    words = ("bootstrap_servers=", '"bootstrap_servers"', "security_protocol", "sasl_mechanism", "kafka://")
    named = {name for name, code in modules() if any(word in code for word in words)}
    assert named == {
        "schemas/kafka_client.py",
        "schemas/kafka_probe.py",
        "schemas/kafka_security.py",
        "streams/runtime/faust_broker.py",
    }


def test_every_faust_app_is_given_the_brokers_by_the_one_place() -> None:
    apps = [name for name, code in modules() if "(faust.App)" in code or "faust.App(" in code]
    assert apps == ["streams/runtime/app.py"]
    assert "**broker_options(settings)" in (ROOT / apps[0]).read_text()


def test_the_search_for_clients_finds_each_way_to_make_one() -> None:
    code = """
AIOKafkaConsumer(group_id=None)
aiokafka.AIOKafkaProducer(**options)
make(KafkaConsumer, 1)
KafkaProducer(**sync_client_options(settings))
"""
    assert sorted(clients_without_options(code)) == [2, 3, 4]


def test_a_loopback_broker_is_reached_without_any_security_setting() -> None:
    options = client_options(Settings(brokers="localhost:1,127.0.0.2:2,[::1]:3"))
    assert options == {
        "bootstrap_servers": "localhost:1,127.0.0.2:2,[::1]:3",
        "security_protocol": "PLAINTEXT",
    }
    assert broker_options(Settings(brokers="localhost:1, [::1]:3")) == {
        "broker": ["kafka://localhost:1", "kafka://[::1]:3"], "broker_credentials": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "address", ["kafka:9092", "10.0.0.1:9092", "127.0.0.1.example.org:9092", "[fe80::1]:9092"]
)
def test_plaintext_beyond_this_machine_is_refused_unless_it_is_allowed(address: str) -> None:
    settings = Settings(brokers=f"127.0.0.1:9092, {address}")
    with pytest.raises(
        SettingsError, match=r"without TLS: set TOUCHLINE_KAFKA_SECURITY .*TOUCHLINE_KAFKA_PLAINTEXT"
    ):
        client_options(settings)
    allowed = Settings(brokers=settings.brokers, kafka_plaintext="allow")
    assert client_options(allowed)["security_protocol"] == "PLAINTEXT"


def test_credentials_are_not_sent_without_tls_unless_it_is_allowed_not_even_to_this_machine() -> None:
    plain = SCRAM | {"kafka_security": "sasl_plaintext"}
    with pytest.raises(SettingsError, match="shows credentials to the network"):
        sync_client_options(Settings(**plain))
    options = sync_client_options(Settings(**plain, kafka_plaintext="allow"))
    assert (options["security_protocol"], options["sasl_plain_password"]) == ("SASL_PLAINTEXT", "hunter2")


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"])
def test_user_and_password_reach_all_three_libraries(mechanism: str, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("from a file\n")
    settings = Settings(**SCRAM | {"kafka_password": f"@{tmp_path / 'password'}"}, kafka_mechanism=mechanism)

    for options in (client_options(settings), sync_client_options(settings)):
        assert options["security_protocol"] == "SASL_SSL"
        assert (options["sasl_mechanism"], options["sasl_plain_username"]) == (mechanism, "worker")
        assert options["sasl_plain_password"] == "from a file"
        assert isinstance(options["ssl_context"], ssl.SSLContext)
    credentials = broker_options(settings)["broker_credentials"]
    assert isinstance(credentials, faust.auth.SASLCredentials)
    assert (credentials.protocol.value, credentials.mechanism.value) == ("SASL_SSL", mechanism)
    assert (credentials.username, credentials.password) == ("worker", "from a file")


def test_a_bearer_token_reaches_all_three_libraries() -> None:
    settings = Settings(
        kafka_security="sasl_ssl", kafka_mechanism="OAUTHBEARER", kafka_token="!printf secret-token"
    )

    provider = sync_client_options(settings)["sasl_oauth_token_provider"]
    assert isinstance(provider, SyncTokenProvider)
    assert provider.token() == "secret-token"
    assert isinstance(client_options(settings)["sasl_oauth_token_provider"], AbstractTokenProvider)
    credentials = broker_options(settings)["broker_credentials"]
    assert isinstance(credentials, faust.auth.OAuthCredentials)
    assert credentials.protocol.value == "SASL_SSL"


def test_tls_checks_the_brokers_name_and_takes_nothing_older_than_1_2() -> None:
    context = client_options(Settings(kafka_security="ssl"))["ssl_context"]
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert isinstance(
        broker_options(Settings(kafka_security="ssl"))["broker_credentials"], faust.auth.SSLCredentials
    )


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"kafka_security": "SSL"}, "TOUCHLINE_KAFKA_SECURITY is 'SSL': it must be plaintext, ssl, "),
        ({"kafka_mechanism": "GSSAPI"}, "TOUCHLINE_KAFKA_MECHANISM is 'GSSAPI'"),
        ({"kafka_plaintext": "yes"}, "TOUCHLINE_KAFKA_PLAINTEXT is 'yes'"),
        ({"kafka_user": "ann"}, "TOUCHLINE_KAFKA_USER is set and would not be used"),
        ({"kafka_security": "ssl", "kafka_password": "x"}, "TOUCHLINE_KAFKA_PASSWORD is set and would not"),
        ({"kafka_ca": "ca.pem"}, "TOUCHLINE_KAFKA_CA is set and would not be used"),
        ({"kafka_certificate": "c.pem"}, "TOUCHLINE_KAFKA_CERTIFICATE is set and would not be used"),
        ({"kafka_security": "sasl_ssl"}, "TOUCHLINE_KAFKA_USER is not set: SCRAM-SHA-512 needs it"),
        (SCRAM | {"kafka_password": ""}, "TOUCHLINE_KAFKA_PASSWORD is not set"),
        (SCRAM | {"kafka_password": "@/no/such/file"}, "TOUCHLINE_KAFKA_PASSWORD names a file that cannot"),
        (SCRAM | {"kafka_password": "@/dev/null"}, "TOUCHLINE_KAFKA_PASSWORD names an empty file"),
        (SCRAM | {"kafka_token": "@t"}, "TOUCHLINE_KAFKA_TOKEN is set and would not be used"),
        (SCRAM | {"kafka_mechanism": "OAUTHBEARER"}, "TOUCHLINE_KAFKA_TOKEN is not set"),
        (SCRAM | {"kafka_mechanism": "OAUTHBEARER", "kafka_token": "@t"}, "TOUCHLINE_KAFKA_USER is set and"),
        (
            SCRAM | {"kafka_mechanism": "OAUTHBEARER", "kafka_token": "http://idp"},
            "TOUCHLINE_KAFKA_TOKEN must be",
        ),
        (
            {"kafka_security": "sasl_ssl", "kafka_mechanism": "OAUTHBEARER", "kafka_token": "https://idp"},
            "TOUCHLINE_KAFKA_USER is not set: a token endpoint needs it",
        ),
        ({"kafka_security": "ssl", "kafka_ca": "/dev/null"}, "TOUCHLINE_KAFKA_CA names /dev/null"),
        ({"kafka_security": "ssl", "kafka_ca": "/no/file"}, "TOUCHLINE_KAFKA_CA names /no/file"),
        ({"kafka_security": "ssl", "kafka_certificate": "/dev/null"}, "TOUCHLINE_KAFKA_CERTIFICATE and"),
        (
            {"kafka_security": "ssl", "kafka_key": "k.pem"},
            "TOUCHLINE_KAFKA_KEY is set, but TOUCHLINE_KAFKA_CERT",
        ),
    ],
)
def test_what_cannot_work_is_refused_in_one_sentence_by_every_way_to_make_a_client(
    wrong: dict[str, str], sentence: str
) -> None:
    settings = Settings(**wrong)
    for make in (client_options, sync_client_options, broker_options):
        with pytest.raises(SettingsError) as refused:
            make(settings)
        assert str(refused.value).startswith(sentence)
        assert "\n" not in str(refused.value)


def test_a_password_shows_neither_in_a_repr_nor_in_a_refusal() -> None:
    secrets = [item.name for item in fields(Settings) if not item.repr]
    assert {
        "kafka_password",
        "kafka_token",
        "kafka_key_password",
        "pseudonym_key",
        "analyst_password",
    } <= set(secrets)
    settings = Settings(**dict.fromkeys(secrets, "hunter2-hunter2-hunter2-hunter2-hunter2"))
    assert "hunter2" not in repr(settings)
    with pytest.raises(SettingsError) as refused:
        check_connection(settings)
    assert "hunter2" not in str(refused.value)
