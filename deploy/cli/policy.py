"""`touchline policy`: read an identity policy as a worker does, and try one on events before it goes live."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

import typer

from deploy.cli.context import Context
from deploy.cli.intake import tell_rejected, tell_unseen
from deploy.cli.output import counted, print_json, print_table, tell
from deploy.cli.policy_apply import apply
from deploy.cli.run_key import load_for_run
from deploy.ingest.mapping.file import load_mapping
from deploy.ingest.touchpoint_files import TouchpointFiles
from deploy.offline.policy_trial import SHOWN_IDENTIFIERS, PolicyTrial
from streams.identity.compare import Change, Comparison, Outcome, compare
from streams.identity.policy.lint import advice
from streams.identity.policy.load import load
from streams.identity.policy.policy import IdentityPolicy

command = typer.Typer(
    help="Check an identity policy, try one on events, or apply it to all that is known.",
    no_args_is_help=True,
)

#: Stands in for the key where none is set: checking a policy pseudonymises nothing.
_ANY_KEY: Final = b"no key is set, and none is needed"
_NO_KEY: Final = (
    "no TOUCHLINE_PSEUDONYM_KEY is set: a worker with this policy would refuse to start"
    " (make a key with `openssl rand -hex 32`)"
)


@command.command()
def check(
    file: Annotated[
        str | None, typer.Argument(help="An identity.toml; default: what a worker here would use.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the policy as JSON.")] = False,
) -> None:
    """Read a policy as a worker does, and show what it says. Exit code 1 if a worker would refuse it.

    A file that is named may be checked without the pseudonymisation key.

    Example: touchline policy check stricter.toml
    """
    settings = Context.from_env().settings
    secret = settings.pseudonym_secret()
    path = settings.identity_policy if file is None else file
    named_by = "TOUCHLINE_IDENTITY_POLICY" if file is None else "the argument FILE"
    stand_in = secret if file is None else secret or _ANY_KEY
    policy = load(path, stand_in, settings.pseudonym_key_id, named_by, settings.previous_pseudonym())
    remarked = list(advice(policy))
    if not secret and policy.hides():
        remarked.append(_NO_KEY)
    if as_json:
        tenants = {name: _document(own) for name, own in policy.tenants.items()}
        print_json({**_document(policy), "tenants": tenants, "remarks": remarked})
        return
    for name, one in _all(policy).items():
        _show(name, one)
    for text in remarked:
        tell(f"remark: {text}")


@command.command(name="try")
def attempt(
    files: Annotated[
        list[str], typer.Argument(help="Events, JSON Lines or CSV; - is standard input.", metavar="FILE...")
    ],
    against: Annotated[str, typer.Option(help="The identity.toml to try.")],
    identity: Annotated[
        str | None, typer.Option(help="The identity.toml to compare with; default: the configured one.")
    ] = None,
    mapping: Annotated[str | None, typer.Option(help="TOML file that says which column is what.")] = None,
    examples: Annotated[int, typer.Option(help="How many merges and splits to show.", min=0)] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> int:
    """Which profiles would merge or split under another policy, on these events. Nothing is changed anywhere.

    Exit code 1 if a line cannot be read; the others are taken.

    Example: touchline policy try events.jsonl --against stricter.toml
    """
    context = Context.from_env()
    trial = PolicyTrial(
        *load_for_run(context.settings, context.identity_file(identity), (against, "--against"))
    )
    sources = TouchpointFiles(files, load_mapping(mapping) if mapping else None)
    rejected = trial.read(sources, tell_rejected)
    tell_unseen(sources)
    before, after = (trial.outcome(replay) for replay in trial.replays)
    found = compare(before, after)
    document = {
        "read": len(trial.raw),
        "rejected": rejected,
        "before": _summary(before, trial.blocked[0]),
        "after": _summary(after, trial.blocked[1]),
        "merges": len(found.merges),
        "splits": len(found.splits),
        "renamed": found.renamed,
        "lost": found.lost,
        "gained": found.gained,
        "examples": {
            "merges": [_example(change, trial.names(change, before)) for change in found.merges[:examples]],
            "splits": [_example(change, trial.names(change, after)) for change in found.splits[:examples]],
        },
    }
    if as_json:
        print_json(document)
    else:
        _tell(found, document)
    return 1 if rejected or sources.lacks_required() else 0


command.command()(apply)


def _summary(outcome: Outcome, blocked: Mapping[str, int]) -> dict[str, Any]:
    return {
        "touchpoints": len(outcome.owners),
        "profiles": len(outcome.profiles()),
        "shared_identifiers": outcome.shared(),
        "refused_links": dict(sorted(outcome.refused().items())),
        "blocked_identifiers": dict(sorted(blocked.items())),
    }


def _example(change: Change, names: Mapping[str, list[str]]) -> dict[str, Any]:
    return {
        "tenant": change.tenant,
        "profile_id": change.whole,
        "touchpoints": change.touchpoints,
        "rules": list(change.rules),
        "parts": [
            {"profile_id": part, "touchpoints": count, "identifiers": names[part]}
            for part, count in change.parts.items()
        ],
    }


def _tell(found: Comparison, document: Mapping[str, Any]) -> None:
    before, after = document["before"], document["after"]
    rows = [(name.replace("_", " "), *_counts(before[name], after[name])) for name in before]
    print_table(("", "now", "then"), rows)
    if not (found.merges or found.splits):
        tell("no profile would merge or split")
    for title, way, changes in (("would merge", "from", "merges"), ("would split", "into", "splits")):
        if document[changes]:
            tell(f"{title}: {document[changes]}")
        for example in document["examples"][changes]:
            _tell_example(example, way)
    for name, what in (
        ("renamed", "profiles that would keep their touchpoints under another id"),
        ("lost", "touchpoints that would have no usable identifier any more"),
        ("gained", "touchpoints that would have a usable identifier and have none now"),
    ):
        if document[name]:
            tell(f"{what}: {document[name]}")


def _tell_example(example: Mapping[str, Any], way: str) -> None:
    why = ", ".join(example["rules"]) or "identifiers are spelt, blocked or ranked differently"
    tell(
        f"  {example['profile_id']} of tenant {example['tenant']}, {way}"
        f" {len(example['parts'])} profiles ({why})"
    )
    for part in example["parts"][:SHOWN_IDENTIFIERS]:
        names = ", ".join(part["identifiers"])
        tell(f"    {part['profile_id']}: {counted(part['touchpoints'], 'touchpoint')}, such as of {names}")
    if len(example["parts"]) > SHOWN_IDENTIFIERS:
        tell(f"    and {len(example['parts']) - SHOWN_IDENTIFIERS} more")


def _counts(*values: Any) -> Iterable[str]:
    for value in values:
        if isinstance(value, Mapping):
            yield ", ".join(f"{name} {count}" for name, count in value.items()) or "0"
        else:
            yield str(value)


def _all(policy: IdentityPolicy) -> dict[str, IdentityPolicy]:
    return {"": policy, **policy.tenants}


def _document(policy: IdentityPolicy) -> dict[str, Any]:
    return {
        "default_region": policy.region,
        "types": {
            name: {
                "priority": rule.priority,
                "normaliser": rule.normaliser,
                "pseudonymise": rule.pseudonymise,
                "unique": rule.unique,
                "limit": rule.limit,
            }
            for name, rule in sorted(policy.rules.items(), key=lambda item: (item[1].priority, item[0]))
        },
    }


def _show(tenant: str, policy: IdentityPolicy) -> None:
    document = _document(policy)
    rows = [
        (name, *("yes" if value is True else "" if value is False else value for value in rule.values()))
        for name, rule in document["types"].items()
    ]
    title = f"Tenant {tenant}" if tenant else "All tenants but those below" if policy.tenants else None
    print_table(("type", "priority", "normaliser", "pseudonymised", "unique", "limit"), rows, title)
    tell(f"phone numbers without a country code are read as of: {policy.region or 'no country'}")
