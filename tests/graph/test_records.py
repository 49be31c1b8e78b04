"""Operators as plain data: round trips, and hostile data."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.errors import GraphError
from gossamer.graph import ops
from gossamer.graph.activations import leaky_relu
from gossamer.graph.records import op_from_dict, op_to_dict

PAIR = st.tuples(*[st.integers(1, 9)] * 2)
PADDING = st.tuples(*[st.integers(0, 9)] * 4)
NAME = st.sampled_from(ops.ACTIVATIONS) | st.floats(-9, 9, width=32).map(leaky_relu)
BIG = st.tuples(*[st.integers(8, 9)] * 2)
HALF = st.tuples(*[st.integers(0, 4)] * 4)

OPERATORS = st.one_of(
    st.builds(ops.Conv2d, PAIR, PADDING, PAIR, st.integers(1, 64), NAME),
    st.builds(ops.Linear, NAME),
    st.builds(ops.ScaleShift),
    st.builds(ops.Activation, NAME),
    st.builds(ops.Threshold),
    st.builds(ops.KWinners, st.floats(0.001, 1), st.sampled_from(ops.COMPETITIONS)),
    st.builds(ops.MaxPool2d, BIG, PAIR, HALF, PAIR, st.booleans()),
    st.builds(ops.AvgPool2d, BIG, PAIR, HALF, st.booleans(), st.booleans()),
    st.builds(ops.GlobalAvgPool),
    st.builds(ops.Add, NAME),
    st.builds(ops.Concat),
    st.permutations(range(7)).map(lambda order: ops.ChannelPermute(tuple(order))),
    st.sampled_from([(6, 2), (6, 3), (1, 1), (12, 4), (5, 5), (6, 1)]).map(
        lambda pair: ops.ChannelPermute(ops.shuffle_order(*pair))
    ),
    st.builds(ops.Flatten),
    st.builds(ops.Softmax),
    st.builds(ops.LayerNorm, st.floats(0, 10)),
    st.builds(
        lambda scale, levels: ops.Quantise(scale, *(sorted(levels)[i] for i in (1, 0, 2))),
        st.floats(2.0**-60, 2.0**60, width=32),
        st.tuples(*[st.integers(-128, 127)] * 3),
    ),
    st.lists(st.integers(-1, 9), min_size=1).map(lambda order: ops.ChannelSelect(tuple(order))),
    st.tuples(st.integers(0, 5), st.integers(6, 9)).map(
        lambda ends: ops.ChannelSelect(tuple(range(*ends)))
    ),
    st.builds(ops.Multiply),
    st.builds(ops.LocalResponseNorm, st.integers(1, 9), *[st.floats(0, 10)] * 3),
)


@given(OPERATORS)
def test_round_trip_through_json(op: ops.Op) -> None:
    assert op_from_dict(json.loads(json.dumps(op_to_dict(op)))) == op


def test_defaults_are_left_out_and_shuffles_are_short() -> None:
    assert op_to_dict(ops.Conv2d()) == {"kind": "conv2d"}
    assert op_to_dict(ops.ChannelPermute(ops.shuffle_order(1000, 10))) == {
        "kind": "channel_permute",
        "channels": 1000,
        "shuffle": 10,
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
KINDS = sorted(op.kind for op in ops.OPS)
ATTRIBUTES = ["stride", "padding", "kernel", "dilation", "groups", "activation", "order", "shuffle"]


@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from([*ATTRIBUTES, "channels"]), JSON))
def test_hostile_attributes_are_a_named_error_or_an_operator(kind: str, attributes: dict) -> None:
    try:
        op = op_from_dict({"kind": kind, **attributes})
    except GraphError:
        return
    assert op.kind == kind


@given(JSON)
def test_hostile_records_are_a_named_error(data: Any) -> None:
    with pytest.raises(GraphError):
        op_from_dict(data)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"kind": ["conv2d"]},
        {"kind": "conv2d", "stride": "11"},
        {"kind": "conv2d", "stride": [1]},
        {"kind": "conv2d", "stride": [1, 1.0]},
        {"kind": "conv2d", "stride": [1, True]},
        {"kind": "conv2d", "groups": 10**5000},
        {"kind": "conv2d", "activation": "a" * 10**6},
        {"kind": "conv2d", "kind2": 1},
        {"kind": "k_winners"},
        {"kind": "k_winners", "density": 2},
        {"kind": "k_winners", "density": 0.5, "over": ["map"]},
        {"kind": "max_pool2d"},
        {"kind": "max_pool2d", "kernel": [1, 1], "stride": [1, 1], "ceil_mode": 1},
        {"kind": "channel_permute"},
        {"kind": "channel_permute", "channels": 4},
        {"kind": "channel_permute", "channels": 4, "shuffle": 0},
        {"kind": "channel_permute", "channels": 2**40, "shuffle": 2},
        {"kind": "channel_permute", "order": [0, 1], "channels": 2, "shuffle": 1},
        {"kind": "channel_permute", "order": [0, 0]},
        {"kind": "channel_permute", "order": [[0]]},
        {"kind": "channel_select"},
        {"kind": "channel_select", "start": 1},
        {"kind": "channel_select", "start": 1, "count": 0},
        {"kind": "channel_select", "start": 1, "count": 2**60},
        {"kind": "channel_select", "order": [-2]},
        {"kind": "quantise"},
        {"kind": "quantise", "scale": 0.0},
        {"kind": "quantise", "scale": -0.5},
        {"kind": "quantise", "scale": 0.1},
        {"kind": "quantise", "scale": 1e300},
        {"kind": "quantise", "scale": 0.5, "low": -200},
        {"kind": "quantise", "scale": 0.5, "low": 1},
        {"kind": "quantise", "scale": 0.5, "high": 200},
        {"kind": "quantise", "scale": 0.5, "zero_point": True},
        {"kind": "quantise", "scale": 0.5, "zero_point": 10**30},
        {"kind": "local_response_norm"},
        {"kind": "local_response_norm", "size": 5, "alpha": "1"},
        {"kind": "local_response_norm", "size": 5, "alpha": 10**400},
    ],
)
def test_bad_records_are_a_named_error(data: dict) -> None:
    with pytest.raises(GraphError) as caught:
        op_from_dict(data)
    assert len(str(caught.value)) < 500
