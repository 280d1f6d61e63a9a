"""Remarks on a valid policy: settings that are allowed and probably unintended."""

from collections.abc import Iterator

from streams.identity.policy.policy import IdentityPolicy


def advice(policy: IdentityPolicy) -> Iterator[str]:
    """Remarks on the general rules, then on each tenant's that the general ones do not deserve as well."""
    general = list(_remarks(policy))
    yield from general
    for tenant, own in policy.tenants.items():
        yield from (f"tenant {tenant}: {remark}" for remark in _remarks(own) if remark not in general)


def _remarks(policy: IdentityPolicy) -> Iterator[str]:
    unique = {name: rule for name, rule in policy.rules.items() if rule.unique}
    if not unique:
        yield (
            "no type is unique, so whatever two people share makes them one profile:"
            " write unique = true for the customer id"
        )
    for name, rule in policy.rules.items():
        weaker = [strict for strict, strict_rule in unique.items() if strict_rule.priority > rule.priority]
        if weaker and not rule.unique:
            yield (
                f"{name} is stronger than {weaker[0]}, which is unique: a {name} that two of them share is never"
                f" found out to be shared; give {weaker[0]} a priority below {rule.priority}"
            )
        one = policy.type_name(name.removesuffix("s"))
        if policy.rule(one).pseudonymise and not rule.pseudonymise:
            yield (
                f"{name} is a type of its own, whose values are stored readable, and {one} is hidden: write"
                f" [types.{one}], or pseudonymise = true below [types.{name}]"
            )
        if name in policy.readable:
            yield f"{name} is stored readable: leave pseudonymise = false out unless everybody may read it"
        if rule.normaliser == "phone" and not policy.region:
            yield (
                f"{name} without a country code stays as it is written, since phone.default_region is empty:"
                " two spellings of one number may not meet"
            )
    for alias, type_ in policy.exposed.items():
        now = policy.type_name(alias)
        yield (
            f"{alias} was another name of {type_}, whose values are hidden, and is {now} now, whose values are stored"
            f" readable: leave the alias as it was, or write pseudonymise = true below [types.{now}]"
        )
