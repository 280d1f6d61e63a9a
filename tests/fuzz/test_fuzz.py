"""Each edge is given some hostile input with every run of the tests; `make fuzz` gives it hundreds of thousands."""

from random import Random

import pytest

from tests.fuzz.__main__ import inputs
from tests.fuzz.edges import Edge, edges, tried
from tests.fuzz.http import SERVICES, requests, statuses

EDGES = edges()


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: edge.name)
def test_what_is_right_is_accepted_and_nothing_hostile_crashes_the_reader(edge: Edge) -> None:
    assert all(tried(edge, data) for data in edge.right)
    inputs(edge, Random(1), 40)


@pytest.mark.parametrize("service", SERVICES)
def test_every_request_that_is_mutated_is_right_itself(service: str) -> None:
    assert [request for request, status in statuses(service) if status != request.status] == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_answers_whatever_it_is_asked(service: str) -> None:
    answers = requests(service, 60, Random(1))
    assert answers[200]
    assert answers[400] + answers[404]


def test_an_error_of_another_kind_is_a_crash() -> None:
    def careless(data: bytes) -> object:
        return data.decode("ascii")

    with pytest.raises(AssertionError, match="careless crashed on b"):
        inputs(Edge("careless", (b"right",), careless), Random(1), 500)
