"""How long a dead process waits before it is started again."""

from deploy.sandbox.restarts import HEALTHY_SECONDS, LONGEST_PAUSE, Restarts


def pauses(deaths: int) -> list[float]:
    restarts, now, found = Restarts(started=0.0), 0.0, []
    for _ in range(deaths):
        restarts = restarts.died(now)
        assert restarts.again_at is not None
        found.append(restarts.again_at - now)
        now = restarts.again_at
        restarts = restarts.restarted(now)
    return found


def test_pauses_double_up_to_half_a_minute() -> None:
    assert pauses(7) == [1, 2, 4, 8, 16, LONGEST_PAUSE, LONGEST_PAUSE]


def test_a_process_that_ran_well_starts_again_after_the_first_pause() -> None:
    tired = Restarts(started=0.0, deaths=6)
    assert tired.died(HEALTHY_SECONDS).again_at == HEALTHY_SECONDS + 1
    assert tired.died(HEALTHY_SECONDS - 1).again_at == HEALTHY_SECONDS - 1 + LONGEST_PAUSE


def test_a_restart_is_due_only_after_its_pause() -> None:
    running = Restarts(started=0.0)
    dead = running.died(10.0)
    assert not running.due(1000.0)
    assert not dead.due(10.9)
    assert dead.due(11.0)
    assert dead.restarted(11.0).total == 1
