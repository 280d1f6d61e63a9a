"""The dead letter of an item whose sender would not hear that it was refused."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from schemas.dead_letters import ENCLOSED_BYTES, ERROR_CHARACTERS, VERSION
from schemas.errors import ContractError
from schemas.records import DeadLetter, Header
from streams.collect.canonical import canonical
from streams.collect.items import Item
from streams.collect.senders import Sender

COMPONENT: Final = "collector"
#: Before the protocol, in place of a topic.
TOPIC_PREFIX: Final = "http-"
#: Headers that say how the item came.
KEY_HEADER: Final = "write-key"
TENANT_HEADER: Final = "tenant"
SOURCE_HEADER: Final = "source"
#: Stands in place of a partition: the item came over HTTP and is in no topic.
NO_PARTITION: Final = -1


def letter_of(
    item: Item,
    error: ContractError,
    protocol: str,
    sender: Sender,
    received_at: int,
    traced: Sequence[tuple[str, bytes]] = (),
) -> DeadLetter:
    """The letter about an item that came by `protocol`, with its JSON, cut if it is too large to enclose.

    `traced` are the headers of the request's trace, where one follows it.

    Its place is made of the item's content, so that the letters of an item that is sent again are one.
    """
    original = canonical(item.original)
    sentence = str(error)[:ERROR_CHARACTERS]
    if len(original) > ENCLOSED_BYTES:
        sentence += f" (the first {ENCLOSED_BYTES} of its {len(original)} bytes are enclosed)"
    digest = blake2b(original, digest_size=8, key=sender.name.encode()[:64]).digest()
    return DeadLetter(
        reason=error.reason.value,
        error=sentence,
        component=COMPONENT,
        component_version=VERSION,
        topic=f"{TOPIC_PREFIX}{protocol}",
        partition=NO_PARTITION,
        offset=int.from_bytes(digest, "big") >> 1,
        recorded_at=received_at,
        key=None,
        value=original[:ENCLOSED_BYTES],
        headers=[
            Header(name=name, value=value)
            for name, value in (
                (KEY_HEADER, sender.name.encode()),
                (TENANT_HEADER, sender.tenant.encode()),
                (SOURCE_HEADER, (sender.source or "").encode()),
                *traced,
            )
        ],
    )
