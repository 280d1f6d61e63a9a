"""Reports about what came of it: teams, service, money, stages, signals, surveys, experiments, consent, data health."""

from typing import Final

from deploy.reports.report import Drawing, Report

SERVICE: Final = (
    Report(
        "owners", "friction_by_owner", "Friction by the team that causes it",
        Drawing("bars", ("owner", "type", "channel"), "friction", share="share"), hidden=("component",),
    ),
    Report(
        "service", "service_quality", "Service: first contacts, repeats, deadlines",
        Drawing("bars", ("segment",), "issues", share="first_contact_resolution_rate"),
        hidden=("solved_in_time", "first_contact", "repeated", "several_channels", "followed"),
    ),
    Report("revenue", "revenue", "Orders and revenue", Drawing("bars", ("from_time",), "net", parts=("currency",))),
    Report(
        "transitions", "stage_transitions", "From stage to stage",
        Drawing("flow", ("from_stage", "to_stage"), "transitions", share="share"),
    ),
    Report(
        "signals", "signal_rates", "Signals and their answers",
        Drawing("bars", ("kind",), "signals", share="answer_rate"), hidden=("let_go",),
    ),
    Report(
        "scores", "scores", "NPS, CSAT and CES",
        Drawing("bars", ("segment",), "score", parts=("kind",)), hidden=("good", "bad"),
    ),
    Report(
        "experiment", "experiment_results", "An experiment's variants",
        Drawing("bars", ("variant",), "rate"), hidden=("significant", "is_control"),
    ),
    Report(
        "consent", "consent_coverage", "Consent by purpose",
        Drawing("bars", ("purpose",), "granted", share="granted_share"),
    ),
    Report(
        "next", "likely_next_contacts", "What people will probably do next",
        Drawing("bars", ("type",), "expected"), hidden=("mean_probability",),
    ),
    Report(
        "health", "health_sources", "What came in, late, twice or unknown",
        Drawing("stack", ("hour", "source"), "touchpoints"),
    ),
    Report(
        "silence", "health_gaps", "Sources that were silent",
        Drawing("bars", ("source", "from_time"), "silent_seconds"),
    ),
    Report(
        "freshness", "health_tables", "How fresh the tables are",
        Drawing("bars", ("name",), "loaded_ago_seconds"), hidden=("tenant",),
    ),
    Report(
        "loading", "health_loader", "How long rows took to be loaded",
        Drawing("bars", ("hour", "name"), "p99_seconds"), hidden=("tenant",),
    ),
    Report(
        "rejected", "health_dead_letters", "Dead letters",
        Drawing("bars", ("hour", "reason", "component"), "letters"),
    ),
)  # fmt: skip
