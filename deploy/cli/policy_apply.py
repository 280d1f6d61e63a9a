"""`touchline policy apply`: decide everything again by a changed policy."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from deploy.cli.context import Context
from deploy.cli.key import require_configured_key
from deploy.cli.output import counted, print_json, tell
from deploy.cli.progress import now_and_then
from deploy.offline.policy_trial import SHOWN_IDENTIFIERS
from deploy.repair.policy.apply import Application
from deploy.repair.policy.plan import Question, preview
from deploy.repair.policy.reading import prepared_otherwise, read
from schemas.errors import SettingsError

#: How often the progress is told.
_EVERY_SECONDS: Final = 2.0


def apply(
    file: Annotated[
        str | None, typer.Argument(help="An identity.toml; default: the configured one.", metavar="FILE")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")
    ] = False,
    decisions_only: Annotated[
        bool,
        typer.Option(
            "--decisions-only", help="Go on although the policy prepares identifiers otherwise than the past."
        ),
    ] = False,
    examples: Annotated[int, typer.Option(help="How many merges and splits to show.", min=0)] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Decide everything again by a changed policy: who was merged, who is split off, live and under load.

    Look with --dry-run first. Then start all workers with the new policy, and run it. It may be interrupted at any
    time and run again: it goes on with what still differs. Rules that decide are applied to all stored evidence. What a
    policy blocks, normalises, names or ranks otherwise is refused: what is stored was prepared by the former policy
    (docs/upgrades.md).

    Example: touchline policy apply stricter.toml --dry-run
    """
    context = Context.from_env()
    settings = context.settings
    policy = context.policy_of(file, "the argument FILE") if file else context.policy
    require_configured_key(context)
    reading = read(settings, policy)
    otherwise = prepared_otherwise(reading, policy)
    if otherwise and not decisions_only:
        raise SettingsError(
            f"this policy prepares identifiers otherwise than the past was prepared ({', '.join(otherwise)}): build a"
            " second deployment with `touchline grow` (docs/upgrades.md), or apply what decides alone with"
            " --decisions-only"
        )
    asked = [question for tenant in reading.tenants for question in reading.questions(tenant)]
    document = _plan(asked, examples)
    if not as_json:
        _tell_plan(document)
    if not dry_run:
        with Application(settings, policy, now_and_then(_EVERY_SECONDS, _progress)) as application:
            done = application.run(reading)
        document |= {"applied": True, "asked": done.asked}
        if not as_json:
            tell(f"applied: {counted(done.asked, 'component')} decided again, nothing is published otherwise")
    if as_json:
        print_json(document)


def _plan(asked: Sequence[Question], examples: int) -> dict[str, Any]:
    seen = preview(asked)
    return {
        "components": len(asked),
        "identifiers": seen.identifiers,
        "merges": len(seen.merges),
        "splits": len(seen.splits),
        "examples": {
            "merges": [_parts(*one) for one in _largest(seen.merges)[:examples]],
            "splits": [_parts(*one) for one in _largest(seen.splits)[:examples]],
        },
        "applied": False,
    }


def _largest(changes: Mapping[tuple[str, str], Mapping[str, int]]) -> list[Any]:
    return sorted(changes.items(), key=lambda change: (-sum(change[1].values()), change[0]))


def _parts(whole: tuple[str, str], parts: Mapping[str, int]) -> dict[str, Any]:
    ordered = sorted(parts.items(), key=lambda part: (-part[1], part[0]))
    return {"tenant": whole[0], "profile_id": whole[1], "parts": dict(ordered)}


def _tell_plan(document: Mapping[str, Any]) -> None:
    tell(
        f"{counted(document['identifiers'], 'identifier')} in {counted(document['components'], 'component')}"
        " decided otherwise than published"
    )
    for title, way, changes in (("merge", "from", "merges"), ("split", "into", "splits")):
        if document[changes]:
            tell(f"would {title}: {document[changes]:,}")
        for example in document["examples"][changes]:
            tell(
                f"  {example['profile_id']} of tenant {example['tenant']}, {way} {len(example['parts'])} profiles"
            )
            for part, count in list(example["parts"].items())[:SHOWN_IDENTIFIERS]:
                tell(f"    {part}: {counted(count, 'identifier')}")


def _progress(done: int, of: int) -> str:
    return f"{done:,} of {of:,} components decided again"
