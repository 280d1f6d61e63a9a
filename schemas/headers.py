"""Every Kafka header that Touchline writes or reads."""

from typing import Final

#: On a tombstone of a versioned topic (journey-states, account-states, identity-assignments): its version, in decimal.
VERSION: Final = "version"
#: On a tombstone of identity-assignments: the encoded IdentityAssignment of the erased identifier.
ASSIGNMENT: Final = "assignment"
#: On touchpoints: stitch has sent the record to its identifier's partition already, and never sends it on again.
ROUTED: Final = "touchline-routed"
#: On records that `touchline dead-letters replay` sends again: where they first failed, as topic/partition/offset.
REPLAYED: Final = "touchline-replayed"
