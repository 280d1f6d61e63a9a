"""A dead letter of the collector as a touchpoint: its item is read once more, as its protocol reads it.

What refused it may have changed since: the mapping of its write key, the identity policy, or the collector.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from schemas.errors import ContractError, Reason
from schemas.records import DeadLetter
from streams.collect import posthog, segment, snowplow
from streams.collect.inflate import loads
from streams.collect.keys import WriteKey
from streams.collect.letters import COMPONENT, KEY_HEADER, SOURCE_HEADER, TENANT_HEADER, TOPIC_PREFIX
from streams.collect.messages import MessageMapping
from streams.collect.senders import Sender

#: Item, mapping, sender, time of receipt (UTC ms) → the touchpoint's JSON form.
_Reader = Callable[[Any, MessageMapping, Sender, int], dict[str, Any]]
#: Protocol → how one of its items is read.
_READERS: Final[Mapping[str, _Reader]] = {
    "segment": segment.touchpoint_of,
    "posthog": posthog.touchpoint_of,
    "snowplow": snowplow.touchpoint_of,
}


def is_collected(letter: DeadLetter) -> bool:
    """Whether a letter is about an item that came over HTTP."""
    return letter["component"] == COMPONENT and letter["topic"].startswith(TOPIC_PREFIX)


def read_again(letter: DeadLetter, keys: Mapping[str, WriteKey], mapping: MessageMapping) -> dict[str, Any]:
    """The touchpoint's JSON form, received when the item was.

    Tenant and source are those under which the item came. `keys` are the present write keys by name: mapping and
    channel are read there, and `mapping` is used for a key that is gone.
    Raises ContractError: UNDECODABLE if the letter holds only the beginning of its item, else as the protocol does.
    """
    read = _READERS.get(letter["topic"].removeprefix(TOPIC_PREFIX))
    if read is None:
        raise ContractError(Reason.UNDECODABLE, f"{letter['topic']} is no protocol of the collector")
    try:
        item = loads(letter["value"] or b"")
    except ValueError as error:
        raise ContractError(Reason.UNDECODABLE, "the letter holds only the beginning of its item") from error
    said = {header["name"]: (header["value"] or b"").decode(errors="replace") for header in letter["headers"]}
    name = said.get(KEY_HEADER, "")
    key = keys.get(name)
    sender = Sender(
        name,
        said.get(TENANT_HEADER, ""),
        said.get(SOURCE_HEADER) or None,
        key.sender.channel if key else None,
    )
    return read(item, key.mapping if key else mapping, sender, letter["recorded_at"])
