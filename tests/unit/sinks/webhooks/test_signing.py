"""Receivers verify with the reference library of Standard Webhooks."""

import time

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from sinks.webhooks.signing import secret_of, signed_headers
from tests.support.webhooks import SECRET

OTHER = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxMjM0NTY="
BODY = '{"type":"signal.raised","data":{"text":"Grüße"}}'.encode()


def headers(*secrets: str, body: bytes = BODY, ago: int = 0) -> dict[str, str]:
    found = [secret_of(one) for one in secrets]
    return signed_headers([one for one in found if one], "msg_1", int(time.time()) - ago, body)


def test_the_reference_library_verifies_what_is_signed() -> None:
    assert Webhook(SECRET).verify(BODY, headers(SECRET))["type"] == "signal.raised"


@pytest.mark.parametrize("secret", [SECRET, OTHER])
def test_while_a_secret_is_rotated_a_receiver_with_either_verifies(secret: str) -> None:
    Webhook(secret).verify(BODY, headers(SECRET, OTHER))


def test_another_body_id_secret_or_time_is_refused() -> None:
    good = headers(SECRET)
    for body, sent in (
        (BODY + b" ", good),
        (BODY, good | {"webhook-id": "msg_2"}),
        (BODY, good | {"webhook-timestamp": str(int(time.time()) + 5)}),
        (BODY, headers(OTHER)),
        (BODY, headers(SECRET, ago=3600)),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(body, sent)


def test_without_a_secret_there_is_an_id_and_no_signature() -> None:
    assert headers().keys() == {"webhook-id", "webhook-timestamp"}


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_????", SECRET[6:], "whsec_" + "QUFB" * 30]
)
def test_a_secret_of_another_form_or_length_is_none(text: str) -> None:
    assert secret_of(text) is None
