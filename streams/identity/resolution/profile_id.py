"""The owner of an identifier, and the ids of profiles, which `schemas/profile_ids.py` makes.

After a merge the profile has the id of its anchor: the identifier that was linked first (`clusters`).
"""

from typing import NamedTuple

from schemas.profile_ids import NAMESPACE, contested_profile, own_profile, uuid5_text

__all__ = ["NAMESPACE", "Assignment", "contested_profile", "own_profile", "uuid5_text"]


class Assignment(NamedTuple):
    """The profile that owns an identifier.

    A contested identifier has two: `profile_id` until `contested_from`, and `contested_profile_id` from then on.
    """

    profile_id: str
    contested_from: int | None  #: event time in UTC ms, inclusive
    contested_profile_id: str | None

    def owner_at(self, occurred_at: int) -> str:
        """The profile that owns the identifier's touchpoints of this event time (UTC ms)."""
        if (
            self.contested_from is None
            or self.contested_profile_id is None
            or occurred_at < self.contested_from
        ):
            return self.profile_id
        return self.contested_profile_id
