"""Random small graphs of all operators equal the interpreter, most of them between guard pages."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from gossamer.compile.lowering.lower import LOWERINGS
from gossamer.graph.verify import verify
from tests.compile.random_cases import BLOCK, case, run_apart

BLOCKS = 200


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of machine code for all blocks: most kernels come again, and compiling them takes
    most of the time.
    """
    return tmp_path_factory.mktemp("kernels")


def test_the_cases_have_all_operators_and_are_well_formed() -> None:
    cases = [case(seed) for seed in range(200)]
    for tried in cases:
        verify(tried.graph)
    found = Counter(type(node.op) for tried in cases for node in tried.graph.nodes)
    assert set(found) == set(LOWERINGS)
    assert {tried.options["threads"] for tried in cases} == {1, 2, 3}
    assert case(7).x.tobytes() == case(7).x.tobytes()


def test_some_random_graphs() -> None:
    run_apart(0, 30)


def test_sums_that_wait_have_room_for_the_last_group_of_each_thread() -> None:
    """56 rows in groups of 12 are five groups, but six if two threads have 28 rows each."""
    run_apart(32966, 1)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(BLOCKS))
def test_a_hundred_thousand_random_graphs(block: int, cache: Path) -> None:
    run_apart(block * BLOCK, BLOCK, cache)
