"""Reports about the way: who is where, funnels, paths, channels, carts, hand-offs, cohorts, friction, attribution."""

from typing import Final

from deploy.reports.report import Drawing, Report

JOURNEYS: Final = (
    Report(
        "stages", "people_now", "People now by stage and component",
        Drawing("bars", ("stage", "component"), "people", share="people_share"),
    ),
    Report(
        "funnel", "funnel", "Funnel",
        Drawing("bars", ("step", "type"), "reached", parts=("segment",), share="from_first_share"),
        words="steps", hidden=("from_first_median_seconds",),
    ),
    Report(
        "paths", "paths", "Paths",
        Drawing("flow", ("from_type", "to_type"), "reached", share="reached_share", layer="depth"),
    ),
    Report(
        "channels", "channel_mix", "Channels over time",
        Drawing("stack", ("period_start", "channel"), "touchpoints"),
    ),
    Report(
        "switches", "channel_matrix", "Switches between channels",
        Drawing("heat", ("from_channel", "to_channel"), "switches"),
    ),
    Report(
        "handoffs", "handoffs", "Hand-offs from digital to human channels",
        Drawing("bars", ("preceded_by", "from_channel", "to_channel", "answered_by"), "times", share="times_share"),
    ),
    Report(
        "carts", "carts", "Carts, and what brought people back",
        Drawing("bars", ("outcome", "back_by"), "carts", share="carts_share"),
    ),
    Report(
        "cohorts", "cohorts", "Retention by week of the first touchpoint",
        Drawing("heat", ("cohort_start", "week"), "active_share", parts=("segment",), share="active_share"),
    ),
    Report(
        "friction", "friction_spots", "Friction by step and channel",
        Drawing("heat", ("step", "channel"), "friction"),
    ),
    Report(
        "attribution", "attribution", "Attribution of conversions",
        Drawing("bars", ("touch",), "conversions", parts=("model", "currency"), share="conversions_share"),
        words="goals",
    ),
    Report(
        "conversions", "conversion_routes", "Routes to conversions",
        Drawing("bars", ("route",), "conversions", share="converted_share"),
        words="goals",
    ),
)  # fmt: skip
