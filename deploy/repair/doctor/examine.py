"""Every check of the doctor, in order."""

from collections.abc import Mapping, Sequence

from deploy.kafka_admin.status import snapshot
from deploy.repair.doctor.clickhouse_checks import clickhouse_checks
from deploy.repair.doctor.findings import Examination
from deploy.repair.doctor.kafka_checks import kafka_checks
from deploy.repair.doctor.process_checks import process_checks
from deploy.repair.doctor.settings_checks import policy_checks, settings_checks
from schemas.encoding.registration import Action, register
from schemas.encoding.registry_http import RegistryHttp
from schemas.settings import Settings


def examine(
    settings: Settings, max_lag: int, principals: Mapping[str, str], processes: Sequence[str] = ()
) -> Examination:
    """Look at a deployment. Changes nothing, and never raises for a part that is down or wrong.

    `max_lag`: records that a group may be behind. `principals`: process → principal, as for `touchline topics --acls`.
    `processes`: host:port at which each process answers with its metrics.
    """
    found = Examination()
    settings_checks(settings, found)
    policy = policy_checks(settings, found)
    kafka_checks(settings, policy, snapshot(settings), found, max_lag, principals)
    if processes:
        found.make("meanings", lambda: process_checks(settings, processes, found))
    clickhouse_checks(settings, found)
    if settings.registry_url:
        found.make("registry", lambda: _registry(settings, found))
    return found


def _registry(settings: Settings, found: Examination) -> None:
    results = list(register(settings, RegistryHttp(settings.registry()), dry_run=True))
    absent = sorted({one.subject for one in results if one.action is not Action.UNCHANGED})
    if absent:
        found.fault(
            "registry",
            f"the schema registry lacks versions of {', '.join(absent)}",
            "run `touchline schemas register`",
        )
