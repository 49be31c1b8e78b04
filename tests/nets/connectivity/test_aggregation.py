"""Section 1.2 of the notes on SparseNet gives the tables; the rest is checked over whole ranges."""

from functools import partial
from math import ceil, log

import pytest

from gossamer.errors import SpecError
from gossamer.nets.connectivity.aggregation import (
    chain_sources,
    dense_links,
    dense_sources,
    fan_in,
    hops,
    last_readers,
    last_sparse_reader,
    links,
    live_counts,
    path_lengths,
    peak_live,
    sources_of,
    sparse_sources,
)

BASES = range(2, 8)
LAYERS = range(1, 400)


@pytest.mark.parametrize(
    ("layers", "dense", "sparse"),
    [
        (12, 78, (37, 26, 21)),
        (16, 136, (54, 38, 30)),
        (32, 528, (135, 92, 78)),
        (64, 2080, (328, 220, 175)),
        (100, 5050, (580, 384, 319)),
        (332, 55278, (2486, 1634, 1324)),
        (1000, 500500, (8987, 5914, 4664)),
    ],
)
def test_links_of_the_table(layers, dense, sparse):
    assert dense_links(layers) == dense
    assert tuple(links(layers, base) for base in (2, 3, 4)) == sparse


@pytest.mark.parametrize("base", BASES)
def test_links_are_the_sum_of_the_fan_ins(base):
    total = 0
    for layer in LAYERS:
        sources = sparse_sources(layer, base)
        assert len(set(sources)) == len(sources) == fan_in(layer, base)
        assert base ** (len(sources) - 1) <= layer < base ** len(sources)
        assert all(0 <= source < layer for source in sources)
        total += len(sources)
        assert links(layer, base) == total


def test_links_of_the_dense_pattern():
    for layers in range(50):
        assert dense_links(layers) == sum(len(dense_sources(n)) for n in range(1, layers + 1))


def test_shortest_paths_are_digit_sums():
    for base in BASES:
        found = path_lengths(600, partial(sparse_sources, base=base))
        assert found == [hops(distance, base) for distance in range(601)]
    assert all(hops(distance) == distance.bit_count() for distance in range(5000))


def test_shortest_paths_of_the_other_patterns():
    assert path_lengths(20, dense_sources) == [0] + [1] * 20
    assert path_lengths(20, chain_sources) == list(range(21))


@pytest.mark.parametrize(
    ("base", "worst"), [(2, (3, 5, 6, 8, 9)), (3, (4, 6, 8, 10, 12)), (4, (5, 7, 9, 12, 14))]
)
def test_worst_shortest_paths_of_the_table(base, worst):
    sizes = (12, 32, 100, 333, 1000)
    assert tuple(max(hops(d, base) for d in range(1, n + 1)) for n in sizes) == worst


def test_worst_shortest_path_is_bounded():
    for base in BASES:
        for n in range(1, 2000):
            assert hops(n, base) <= (base - 1) * ceil(log(n + 1, base) + 1e-9)


def test_mean_shortest_paths_of_the_table():
    means = [sum(map(hops, range(1, n + 1))) / n for n in (12, 32, 100, 333, 1000)]
    assert [round(mean, 2) for mean in means] == [1.83, 2.53, 3.19, 4.0, 4.94]


@pytest.mark.parametrize("base", BASES)
def test_last_reader_in_closed_form(base):
    for layers in (1, 2, 5, 12, 31, 32, 33, 100):
        found = last_readers(layers, partial(sparse_sources, base=base))
        assert found == [last_sparse_reader(j, layers, base) for j in range(layers + 1)]
        assert all(reader > made for made, reader in enumerate(found))


def test_live_counts_by_brute_force():
    for sources in (chain_sources, dense_sources, sparse_sources):
        for layers in (1, 2, 7, 20, 33):
            last = last_readers(layers, sources)
            brute = [
                sum(made <= now < reader for made, reader in enumerate(last))
                for now in range(layers + 1)
            ]
            assert live_counts(last) == brute


def test_live_counts_forget_what_nobody_reads():
    assert live_counts([2, 0, 3]) == [1, 2, 1]


@pytest.mark.parametrize(("layers", "live"), [(12, 8), (16, 10), (32, 18), (100, 64), (332, 206)])
def test_peak_live_of_the_table(layers, live):
    assert peak_live(layers, sparse_sources) == live
    assert peak_live(layers, dense_sources) == layers + 1
    assert peak_live(layers, chain_sources) == 1


def test_patterns_by_name():
    assert sources_of("chain")(4) == (3,)
    assert sources_of("dense")(4) == (0, 1, 2, 3)
    assert sources_of("sparse")(4) == (3, 2, 0)
    with pytest.raises(SpecError, match="unknown aggregation"):
        sources_of("random")


@pytest.mark.parametrize(
    "call", [sparse_sources, fan_in, links, hops, lambda n, base: last_sparse_reader(0, n, base)]
)
def test_base_must_be_at_least_two(call):
    with pytest.raises(SpecError, match="base"):
        call(5, 1)
