"""Reports about the way: who is where, funnels, paths, channels, carts, hand-offs, cohorts, friction, attribution."""

from typing import Final

from deploy.reports.report import Drawing, Report

JOURNEYS: Final = (
    Report(
        "stages", "people_now", "People now by stage and component",
        Drawing("bars", ("stage", "component"), "people"),
    ),
)  # fmt: skip
