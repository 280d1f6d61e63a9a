"""Every Kafka header that Touchline writes or reads."""

from typing import Final

#: On a tombstone of a versioned topic (journey-states, account-states, identity-assignments): its version, in decimal.
VERSION: Final = "version"
#: On a tombstone of identity-assignments: the encoded IdentityAssignment of the erased identifier.
ASSIGNMENT: Final = "assignment"
#: On touchpoints: stitch has sent the record to its identifier's partition, and never sends it on again. Any source can
#: set it, so it decides nothing about the touchpoint: one that still is on another partition becomes a dead letter.
ROUTED: Final = "touchline-routed"
#: On records that `touchline dead-letters replay` sends again: where they first failed, as topic/partition/offset.
REPLAYED: Final = "touchline-replayed"
