"""Streams say exactly what the weight says, however the taps are cut and the rows are grouped."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gossamer.compile.kernels.conv import ConvKernel
from gossamer.compile.lowering.channel_runs import find_runs
from gossamer.compile.lowering.conv_streams import ConvRows, Streams, build_streams, split_rows
from gossamer.compile.lowering.conv_ways import tap_order
from gossamer.compile.lowering.filters import Filters

VECTOR_BYTES = 64


def read_back(
    streams: Streams, kernel: ConvKernel, rows: int, base: int = 0
) -> tuple[np.ndarray, np.ndarray, list[list[tuple[int, float]]]]:
    """Walk the streams as the kernel does: rows stored, their biases, and (offset, weight) read."""
    stored, biases = np.zeros(rows, int), np.zeros(rows)
    entries: list[list[tuple[int, float]]] = [[] for _ in range(rows)]
    records = streams.groups.view(np.uint8).reshape(-1, kernel.group_bytes)
    follows = 0
    for begin, end in streams.shares.reshape(-1, 2):
        for number, record in enumerate(records[begin:end]):
            start, stop = record[:16].view(np.int64).tolist()
            assert number == 0 or start == follows
            follows = stop
            outputs = record[16 : 16 + 4 * kernel.rows].view(np.int32)
            seen = {}
            for m, row in enumerate(outputs):
                seen[int(row)] = m
                biases[row] += record[16 + 4 * (kernel.rows + m) :][:4].view(np.float32)[0] * (
                    list(outputs).index(row) == m
                )
            for first in range(start, stop, kernel.turn_bytes):
                words = streams.stream[first:][: kernel.turn_bytes]
                weights = words[: 4 * kernel.turn_weights].view(np.float32)
                kind = np.int32 if kernel.wide else np.uint16
                unit = 1 if kernel.wide else VECTOR_BYTES
                size = kernel.offset_bytes * kernel.turn_offsets
                offsets = words[4 * kernel.turn_weights :][:size].view(kind)
                for u in range(kernel.unroll):
                    for row, m in seen.items():
                        nth = m if kernel.step_bytes else u * kernel.rows + m
                        place = base + unit * int(offsets[u if kernel.shared else nth])
                        place += u * kernel.step_bytes
                        entries[row].append((place, float(weights[u * kernel.rows + m])))
            stored[list(seen)] += 1
    return stored, biases, entries


@st.composite
def cases(draw: st.DrawFn) -> tuple[ConvRows, ConvKernel, int, int]:
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    groups, group_rows = draw(st.integers(1, 3)), draw(st.integers(1, 7))
    taps = draw(st.integers(1, 12))
    density = draw(st.sampled_from([0.0, 0.2, 1.0]))
    weight = rng.integers(1, 9, (groups * group_rows, taps)).astype(np.float32)
    weight *= rng.random(weight.shape) < density
    offsets = VECTOR_BYTES * (np.sort(rng.permutation(3 * taps)[:taps]) - taps)
    rows = ConvRows(
        Filters(weight.shape, weight),
        offsets + 10_240 * np.arange(groups)[:, None],
        np.arange(len(weight)),
        rng.integers(1, 5, len(weight)).astype(np.float32),
    )
    kernel = ConvKernel(
        rows=draw(st.integers(1, 4)),
        tile_h=1,
        tile_w=1,
        shared=draw(st.booleans()),
        unroll=draw(st.integers(1, 4)),
        wide=draw(st.booleans()),
    )
    return rows, kernel, draw(st.integers(1, min(4, taps))), draw(st.integers(1, 3))


@settings(deadline=None, max_examples=150)
@given(case=cases())
def test_streams_hold_the_weight(case: tuple[ConvRows, ConvKernel, int, int]) -> None:
    check_streams(*case)


def check_streams(rows: ConvRows, kernel: ConvKernel, blocks: int, threads: int) -> None:
    streams = build_streams(rows, kernel, blocks, split_rows(rows, threads), VECTOR_BYTES)
    stored, biases, entries = read_back(streams, kernel, len(rows.weight), rows.base)
    assert (stored >= (2 if blocks > 1 else 1)).all()
    np.testing.assert_array_equal(biases, rows.bias)
    for row, found in enumerate(entries):
        own = rows.offsets[row // rows.group_rows]
        assert {place for place, _ in found} <= set(own.tolist())
        sums = dict.fromkeys(own.tolist(), 0.0)
        for place, weight in found:
            sums[place] += weight
        np.testing.assert_array_equal([sums[p] for p in own.tolist()], rows.weight.dense[row])


@st.composite
def cases_of_runs(draw: st.DrawFn) -> tuple[ConvRows, ConvKernel, int, int]:
    """Like `cases`, the nonzeros in runs of channels."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    groups, group_rows = draw(st.integers(1, 3)), draw(st.integers(1, 7))
    length, window = draw(st.sampled_from([2, 4])), draw(st.integers(1, 3))
    cells, density = draw(st.integers(1, 5)), draw(st.sampled_from([0.1, 0.5, 1.0]))
    weight = rng.integers(1, 9, (groups * group_rows, cells, length, window)).astype(np.float32)
    weight *= rng.random((len(weight), cells, 1, window)) < density
    weight = weight.reshape(len(weight), -1)
    step_bytes = VECTOR_BYTES * (window + 1)
    channels = step_bytes * np.arange(cells * length)[:, None]
    places = (channels + VECTOR_BYTES * np.arange(window)).ravel()
    offsets = places + 10_240 * np.arange(groups)[:, None]
    order = tap_order(offsets)
    held = Filters(weight.shape, weight[:, order])
    runs, found = find_runs(held.entries, offsets, order, window)
    assume(runs is not None and runs.values.shape[1] == length)
    assert found == step_bytes
    bias = rng.integers(1, 5, len(weight)).astype(np.float32)
    rows = ConvRows(held, offsets[:, order], np.arange(len(weight)), bias, runs, found)
    kernel = ConvKernel(
        draw(st.integers(1, 4)), 1, 1, unroll=length, wide=draw(st.booleans()), step_bytes=found
    )
    return rows, kernel, draw(st.integers(1, min(4, weight.shape[1]))), draw(st.integers(1, 3))


@settings(deadline=None, max_examples=150)
@given(case=cases_of_runs())
def test_streams_of_runs_hold_the_weight(case: tuple[ConvRows, ConvKernel, int, int]) -> None:
    check_streams(*case)


def test_padding_of_full_rows_has_weight() -> None:
    """With no weight, what fills the last turn would make NaN of an infinity."""
    weight = np.array([[3, 4, 5], [6, 0, 0]], np.float32)
    offsets = VECTOR_BYTES * np.arange(3)[None]
    rows = ConvRows(Filters(weight.shape, weight), offsets, np.arange(2), np.zeros(2))
    kernel = ConvKernel(2, 1, 1, unroll=2)
    streams = build_streams(rows, kernel, 1, [np.arange(2)], VECTOR_BYTES)
    _, _, entries = read_back(streams, kernel, 2)
    assert sorted(entries[0]) == [(0, 3.0), (64, 4.0), (128, 2.5), (128, 2.5)]
    assert sorted(entries[1]) == [(0, 1.5)] * 4


def test_a_sparse_stream_has_no_zeros_but_padding() -> None:
    weight = np.array([[0, 5, 0, 7, 0, 0]], np.float32)
    rows = ConvRows(
        Filters(weight.shape, weight),
        VECTOR_BYTES * np.arange(6)[None],
        np.zeros(1, int),
        np.zeros(1),
    )
    streams = build_streams(rows, ConvKernel(1, 1, 1), 1, [np.arange(1)], VECTOR_BYTES)
    _, _, entries = read_back(streams, ConvKernel(1, 1, 1), 1)
    assert entries == [[(64, 5.0), (192, 7.0)]]


@pytest.mark.parametrize("threads", [1, 2, 5, 9])
def test_rows_are_split_by_their_work(threads: int) -> None:
    weight = np.zeros((12, 100), np.float32)
    weight[:3] = 1
    rows = ConvRows(
        Filters(weight.shape, weight), np.zeros((1, 100), int), np.arange(12), np.zeros(12)
    )
    parts = split_rows(rows, threads)
    assert len(parts) == threads
    assert np.concatenate(parts).tolist() == list(range(12))
    assert max(rows.counts[part].sum() for part in parts) <= max(100, 300 // threads + 100)
