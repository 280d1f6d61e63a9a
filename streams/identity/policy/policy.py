"""The identity policy: how identifiers are prepared, and which rules bind the profiles that hold them.

Prepared means: under the policy's name of its type, normalised, without blocked values and repetitions,
pseudonymised where the policy says so, strongest first. Preparing what is prepared changes nothing, so every stage
may do it. A tenant may have rules of its own: a caller that knows the tenant calls `for_tenant` first.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from schemas.errors import SettingsError
from schemas.records import Identifier
from schemas.touchpoint.names import identifier_type, type_letters
from schemas.touchpoint.rules import MAX_IDENTIFIER_CHARACTERS, MAX_IDENTIFIERS
from streams.identity.policy.normalise import NORMALISERS, clean
from streams.identity.policy.policy_file import PolicyFile, TypeRule, Written
from streams.identity.policy.pseudonyms import KEY_ID, Pseudonyms, is_pseudonym

#: How many identifiers' preparation is remembered: parsing a phone number takes 100 times the look-up.
#: Tenants with rules of their own share this number.
CACHED_IDENTIFIERS: Final = 65536

_NO_RULE: Final = TypeRule()


class _Prepared(NamedTuple):
    priority: int
    type: str
    value: str


class _Both(NamedTuple):
    """The identifier under the previous key and under the present one: the same outside a rotation."""

    before: _Prepared
    present: _Prepared


class IdentityPolicy:
    """Prepares identifiers and knows the rules of their types. Made by `parse`."""

    def __init__(
        self,
        written: Written,
        pseudonyms: Pseudonyms,
        previous: Pseudonyms | None = None,
        tenants: "Mapping[str, IdentityPolicy] | None" = None,
        cached: int = CACHED_IDENTIFIERS,
    ) -> None:
        self.rules = written.rules  #: of the types that the policy names
        self.aliases = written.aliases  #: other name of a type → the type
        self.exposed = written.exposed  #: former alias of a pseudonymised type → that type
        self.readable = written.readable  #: types that lost their pseudonymisation by an explicit line
        self.region = written.region  #: ISO 3166 country of phone numbers without a country code; "" for none
        self.close_after = (
            written.close_after
        )  #: links of one type that limits refuse at an identifier until it is closed for that type
        #: links that limits refuse at a profile's identifiers until it takes no more observed links
        self.quarantine_after = written.quarantine_after
        self.component_size = written.component_size  #: identifiers that links may unite
        self.tenants = tenants or {}  #: the policies of the tenants that have rules of their own
        self._types = {type_letters(alias): type_ for alias, type_ in written.aliases.items()} | {
            type_letters(type_): type_ for type_ in written.rules
        }
        self._blocked = written.blocked
        self._pseudonyms = pseudonyms
        self._previous = previous  #: the key that is being replaced; a value then has a pseudonym under each
        self._prepared = lru_cache(maxsize=cached)(self._prepare)
        self._blocks = lru_cache(maxsize=cached)(written.blocked.__contains__)

    @classmethod
    def parse(
        cls, text: str, secret: bytes, key_id: str, origin: str = "identity.toml", base: str = "",
        previous: tuple[bytes, str] | None = None,
    ) -> "IdentityPolicy":  # fmt: skip
        """Read a policy (the built-in identity.toml documents the format).

        It is laid over the policy `base`, setting by setting. `secret` is the pseudonymisation key, empty if there
        is none; `key_id` stands in every pseudonym. `previous` are secret and name of the key that is being replaced
        (docs/security.md). Raises SettingsError, which names `origin`, the line and the fix.
        """
        if not KEY_ID.fullmatch(key_id):
            raise SettingsError("TOUCHLINE_PSEUDONYM_KEY_ID may hold 1 to 32 letters, digits, dots, _ and -")
        file, pseudonyms = PolicyFile(text, origin, base, hides=bool(secret)), Pseudonyms(secret, key_id)
        replaced = None if previous is None else replaced_key(pseudonyms, Pseudonyms(*previous))
        cached = max(1024, CACHED_IDENTIFIERS // (1 + len(file.tenants)))
        tenants = {name: cls(file.of_tenant(name), pseudonyms, replaced, {}, cached) for name in file.tenants}
        policy = cls(file.general(), pseudonyms, replaced, tenants, cached)
        if replaced is not None:
            policy._refuse_unique()
        return policy

    def for_tenant(self, tenant: str) -> "IdentityPolicy":
        """The policy with this tenant's own rules, always the same object; asked again it answers itself."""
        return self.tenants.get(tenant, self)

    def type_name(self, written: str) -> str:
        """The policy's name of an identifier type, from any spelling, plural or alias.

        An unknown type has its canonical form.
        """
        letters = type_letters(written)
        for spelling in (letters, letters.removesuffix("s"), letters.removesuffix("es")):
            if spelling in self._types:
                return self._types[spelling]
        return identifier_type(written)

    def rule(self, type_: str) -> TypeRule:
        """The rule of an identifier type, by its name as it is stored; the default if the policy does not name it."""
        return self.rules.get(type_, _NO_RULE)

    def blocked(self, identifier: Identifier) -> bool:
        """Whether this value is a placeholder and therefore ignored."""
        return self._prepared(identifier["type"], identifier["value"]) is None

    def means_nothing(self, text: str) -> bool:
        """Whether a session_id, account_id, issue_id, order_id or campaign is blank or blocked."""
        return self._blocks(text)

    def blocked_values(self) -> list[Any]:
        """The blocked values, patterns and phone rule, as JSON."""
        return self._blocked.as_json()

    def hides(self) -> bool:
        """Whether any type is pseudonymised, for any tenant."""
        return any(
            rule.pseudonymise for policy in (self, *self.tenants.values()) for rule in policy.rules.values()
        )

    def key_check(self) -> tuple[str, str] | None:
        """Id and check value of the key, which reveals no key; None if the policy pseudonymises nothing."""
        return next(iter(self.key_checks()), None)

    def key_checks(self) -> list[tuple[str, str]]:
        """`key_check` of the key and, during a rotation, of the one before it. Empty for none."""
        if not self._pseudonyms.secret or not self.hides():
            return []
        keys = [self._pseudonyms] if self._previous is None else [self._pseudonyms, self._previous]
        return [(key.key_id, key.check_value()) for key in keys]

    def _refuse_unique(self) -> None:
        """Raise SettingsError if a value that a profile holds once would have two pseudonyms."""
        for policy in (self, *self.tenants.values()):
            for type_, rule in policy.rules.items():
                if rule.unique and rule.pseudonymise:
                    raise SettingsError(
                        f"type {type_} is unique and pseudonymised, so its key cannot be rotated: unset"
                        " TOUCHLINE_PREVIOUS_PSEUDONYM_KEY, or write unique = false while the key is rotated"
                    )

    def usable(self, identifiers: list[Identifier]) -> list[Identifier]:
        """The prepared identifiers, strongest first: the first one owns the touchpoint. Empty if all are blocked.

        During a rotation a hidden value has two, the one under the previous key first, if there is room for all.
        """
        prepared = [self._prepared(identifier["type"], identifier["value"]) for identifier in identifiers]
        strongest_first = sorted({found.present for found in prepared if found is not None})
        if self._previous is not None:
            both = sorted(
                {one for found in prepared if found is not None for one in (found.before, found.present)}
            )
            before = sorted({found.before for found in prepared if found is not None})
            # without room the previous pseudonyms stay: they are the ones under which people are known
            strongest_first = both if len(both) <= MAX_IDENTIFIERS else before
        return [Identifier(type=type_, value=value) for _, type_, value in strongest_first]

    def _prepare(self, type_: str, value: str) -> _Both | None:
        type_ = self.type_name(type_)
        rule = self.rule(type_)
        if is_pseudonym(value):
            known = _Prepared(rule.priority, type_, value)
            return _Both(known, known)
        normalised = NORMALISERS[rule.normaliser](value, self.region)
        if normalised in self._blocked:
            return None
        # in a phone number's form words that stand for nobody lose their spaces and signs: (not set)
        words = NORMALISERS["lower"](value, self.region) if rule.normaliser == "phone" else ""
        if words and (words in self._blocked or self._blocked.blocks_phone(normalised)):
            return None
        # some values grow, such as a domain in its ASCII form; a prepared value must stay within the contract's limit
        value = normalised if len(normalised) <= MAX_IDENTIFIER_CHARACTERS else clean(value)
        hidden = self._pseudonyms.of(type_, value) if rule.pseudonymise else value
        present = before = _Prepared(rule.priority, type_, hidden)
        if rule.pseudonymise and self._previous is not None:
            before = _Prepared(rule.priority, type_, self._previous.of(type_, value))
        return _Both(before, present)


def replaced_key(key: Pseudonyms, previous: Pseudonyms) -> Pseudonyms:
    """The previous key, if the two can stand side by side. Raises SettingsError."""
    if not KEY_ID.fullmatch(previous.key_id):
        raise SettingsError(
            "TOUCHLINE_PREVIOUS_PSEUDONYM_KEY_ID may hold 1 to 32 letters, digits, dots, _ and -"
        )
    if not key.secret or key.secret == previous.secret:
        raise SettingsError(
            "TOUCHLINE_PSEUDONYM_KEY must be another key than TOUCHLINE_PREVIOUS_PSEUDONYM_KEY"
        )
    if key.key_id <= previous.key_id:
        # of two identifiers with one priority the first by name owns a touchpoint: it must be the known one
        raise SettingsError(
            f"TOUCHLINE_PSEUDONYM_KEY_ID is {key.key_id!r}: it must come behind"
            f" {previous.key_id!r} in the order of characters, as k2 does behind k1"
        )
    return previous
