"""Every report that `touchline report` knows, in the order of its help."""

from typing import Final

from deploy.reports.journeys import JOURNEYS
from deploy.reports.report import Report
from deploy.reports.service import SERVICE

REPORTS: Final[dict[str, Report]] = {report.name: report for report in (*JOURNEYS, *SERVICE)}
