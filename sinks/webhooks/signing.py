"""Signatures of Standard Webhooks 1.0 (symmetric): https://www.standardwebhooks.com."""

import base64
import binascii
import hmac
from collections.abc import Sequence
from typing import Final

PREFIX: Final = "whsec_"
#: Bytes of a secret, by the standard.
SHORTEST: Final = 24
LONGEST: Final = 64


def secret_of(text: str) -> bytes | None:
    """The key in `whsec_` and base64; None if it is none, or has not 24 to 64 bytes."""
    if not text.startswith(PREFIX):
        return None
    try:
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return None
    return secret if SHORTEST <= len(secret) <= LONGEST else None


def signed_headers(secrets: Sequence[bytes], webhook_id: str, seconds: int, body: bytes) -> dict[str, str]:
    """The three headers of a message; a signature for each secret, so that a receiver may know either."""
    signed = f"{webhook_id}.{seconds}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(secret, signed, "sha256")).decode() for secret in secrets)
    headers = {"webhook-id": webhook_id, "webhook-timestamp": str(seconds)}
    signature = " ".join(f"v1,{one}" for one in signatures)
    return headers | ({"webhook-signature": signature} if signature else {})
