"""Which layer reads which: patterns of aggregation as functions on layer numbers.

A stage of n layers computes y_l = F_l(A(y_s for s in sources(l))) for l = 1 … n, where y_0 is the
input of the stage and A is a sum or a concatenation. Its output is the aggregation that a layer
n + 1 would read. A *link* is one (source, layer) pair with 1 ≤ layer ≤ n.

Sparse aggregation reads the layers at the distances 1, c, c², …: it has about n·log_c n links
where dense aggregation has n²/2, and the shortest path over a distance D is the sum of the digits
of D written in base c.

Source: Zhu, Deng, Maire, Deng, Mori, Tan, "Sparsely Aggregated Convolutional Networks", 2018.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from gossamer.errors import SpecError

Sources = Callable[[int], tuple[int, ...]]
"""From a layer number l ≥ 1 to the distinct layers in 0 … l − 1 that layer l reads."""


def chain_sources(layer: int) -> tuple[int, ...]:
    """Return the sources in a plain chain: the layer before.

    Examples:
        >>> chain_sources(9)
        (8,)
    """
    return (layer - 1,)


def dense_sources(layer: int) -> tuple[int, ...]:
    """Return the sources in full aggregation: all layers before, the oldest first.

    Examples:
        >>> dense_sources(3)
        (0, 1, 2)
    """
    return tuple(range(layer))


def sparse_sources(layer: int, base: int = 2) -> tuple[int, ...]:
    """Return the sources in sparse aggregation: l − 1, l − c, l − c², …, the nearest first.

    Raises:
        SpecError: if the base c is below 2.

    Examples:
        >>> sparse_sources(9), sparse_sources(9, base=3)
        ((8, 7, 5, 1), (8, 6, 0))
    """
    _check_base(base)
    sources, offset = [], 1
    while offset <= layer:
        sources.append(layer - offset)
        offset *= base
    return tuple(sources)


def sources_of(pattern: str, base: int = 2) -> Sources:
    """Return a pattern by its name: "chain", "dense" or "sparse".

    Examples:
        >>> sources_of("sparse", base=4)(17)
        (16, 13, 1)
    """
    _check_base(base)
    known = {
        "chain": chain_sources,
        "dense": dense_sources,
        "sparse": partial(sparse_sources, base=base),
    }
    if pattern not in known:
        raise SpecError("unknown aggregation", got=pattern, expected=" | ".join(known))
    return known[pattern]


def fan_in(layer: int, base: int = 2) -> int:
    """Return how many layers a sparsely aggregating layer l ≥ 1 reads: ⌊log_c l⌋ + 1.

    Examples:
        >>> [fan_in(layer) for layer in (1, 2, 3, 4, 8)]
        [1, 2, 2, 3, 4]
    """
    return len(sparse_sources(layer, base))


def links(layers: int, base: int = 2) -> int:
    """Return the links of a sparse stage of n layers: Σ over l of ⌊log_c l⌋ + 1.

    Closed form: each power c^k ≤ n is read by the n + 1 − c^k layers from c^k on.

    Examples:
        >>> links(100), dense_links(100)
        (580, 5050)
    """
    _check_base(base)
    total, offset = 0, 1
    while offset <= layers:
        total += layers + 1 - offset
        offset *= base
    return total


def dense_links(layers: int) -> int:
    """Return the links of a dense stage of n layers: n·(n + 1)/2."""
    return layers * (layers + 1) // 2


def hops(distance: int, base: int = 2) -> int:
    """Return the fewest links between layers l and l + D of a sparse stage: the digit sum of D.

    With base 2 it is the number of ones in D.

    Examples:
        >>> hops(0b1011), hops(8, base=3)
        (3, 4)
    """
    _check_base(base)
    total = 0
    while distance:
        distance, digit = divmod(distance, base)
        total += digit
    return total


def path_lengths(layers: int, sources: Sources) -> list[int]:
    """Return the fewest links from y_0 to each of y_0 … y_n, found by search: any pattern.

    Examples:
        >>> from functools import partial
        >>> path_lengths(8, partial(sparse_sources, base=2))
        [0, 1, 1, 2, 1, 2, 2, 3, 1]
    """
    lengths = [0]
    for layer in range(1, layers + 1):
        lengths.append(1 + min(lengths[source] for source in sources(layer)))
    return lengths


def last_readers(layers: int, sources: Sources) -> list[int]:
    """Return for each of y_0 … y_n the last layer that reads it; n + 1 is the stage's output.

    0 stands for "nobody reads it".

    Examples:
        >>> last_readers(4, sparse_sources)
        [4, 5, 4, 5, 5]
    """
    last = [0] * (layers + 1)
    for layer in range(1, layers + 2):
        for source in sources(layer):
            last[source] = layer
    return last


def last_sparse_reader(source: int, layers: int, base: int = 2) -> int:
    """Return in closed form which layer reads y_j last: j + c^⌊log_c(n + 1 − j)⌋.

    Examples:
        >>> last_sparse_reader(0, 4), last_sparse_reader(1, 4)
        (4, 5)
    """
    _check_base(base)
    reach = 1
    while reach * base <= layers + 1 - source:
        reach *= base
    return source + reach


def live_counts(last: Sequence[int]) -> list[int]:
    """Return for each of y_0 … y_n how many y are still to be read once it is made.

    Args:
        last: for each y the last layer that reads it, as `last_readers` gives them.

    Examples:
        >>> live_counts(last_readers(4, sparse_sources))
        [1, 2, 3, 4, 3]
    """
    steps = [0] * (len(last) + 1)
    for made, reader in enumerate(last):
        steps[made] += 1
        steps[max(reader, made + 1)] -= 1
    total, counts = 0, []
    for step in steps[:-1]:
        total += step
        counts.append(total)
    return counts


def peak_live(layers: int, sources: Sources) -> int:
    """Return the most y that wait at once to be read while a stage of n layers runs.

    A y waits from when it is made to when its last reader has read it. Dense aggregation keeps all
    n + 1; sparse aggregation with base 2 about 0.6·n: its gain is in links, not in life times.

    Examples:
        >>> peak_live(12, sparse_sources), peak_live(12, dense_sources)
        (8, 13)
    """
    return max(live_counts(last_readers(layers, sources)))


def _check_base(base: int) -> None:
    if base < 2:
        raise SpecError("the base of sparse aggregation must be at least 2", got=base)
