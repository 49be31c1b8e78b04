"""Which channel reaches which, against the mathematics of composite kernels and plain products."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.graph import Dense, Graph, Input, Node
from gossamer.graph.channel_paths import Chain, channel_chains, channel_links
from gossamer.graph.ops import Activation, Add, ChannelPermute, Conv2d, MaxPool2d
from gossamer.nets.connectivity.composite import GroupConv, Permutation, path_counts

RELU = Activation("relu")
Step = GroupConv | Permutation


def line(*steps: Step | Activation, output: str | None = None) -> Graph:
    """A graph of nodes v0, v1, … one behind the other, all weights one."""
    nodes, weights, source = [], {}, "x"
    for number, step in enumerate(steps):
        name = f"v{number}"
        if isinstance(step, GroupConv):
            shape = (step.out_channels, step.in_channels // step.groups, 1, 1)
            weights[f"w{number}"] = Dense(np.ones(shape))
            node = Node(name, Conv2d(groups=step.groups), (source,), {"weight": f"w{number}"})
        elif isinstance(step, Permutation):
            node = Node(name, ChannelPermute(step.order), (source,))
        else:
            node = Node(name, step, (source,))
        nodes.append(node)
        source = name
    first = steps[0]
    assert isinstance(first, Step)
    shape = (1, first.in_channels, 4, 4)
    return Graph(Input("x", shape), tuple(nodes), output or source, weights)


def names(chain: Chain) -> list[str]:
    return [node.name for node in chain.nodes]


@st.composite
def steps(draw: st.DrawFn) -> list[Step]:
    width = draw(st.sampled_from([2, 4, 6, 12]))
    made: list[Step] = []
    for number in range(draw(st.integers(1, 5))):
        if number and draw(st.booleans()):
            made.append(Permutation(tuple(draw(st.permutations(range(width))))))
        else:
            out = draw(st.sampled_from([2, 4, 6, 12]))
            common = [g for g in (1, 2, 3, 4, 6, 12) if width % g == out % g == 0]
            least = 2 if number == 0 else 1
            groups = draw(st.sampled_from([g for g in common if g >= least]))
            made.append(GroupConv(width, out, groups))
            width = out
    return made


@given(steps())
def test_paths_are_those_of_the_composite_kernel(made: list[Step]) -> None:
    chain = next(channel_chains(line(*made)))
    assert np.array_equal(chain.paths, path_counts(made[: len(chain.nodes)]))


@given(steps())
def test_paths_are_the_product_of_the_links(made: list[Step]) -> None:
    graph = line(*made)
    chain = next(channel_chains(graph))
    product = np.eye(graph.input.example[1], dtype=np.int64)
    for node in chain.nodes:
        product = channel_links(graph, node) @ product
    assert np.array_equal(chain.paths, product)


@given(steps())
def test_a_chain_ends_where_everything_reaches_everything(made: list[Step]) -> None:
    chains = list(channel_chains(line(*made)))
    for chain in chains:
        convolutions = [i for i, n in enumerate(chain.nodes) if isinstance(n.op, Conv2d)]
        before = made[int(chain.nodes[0].name[1:]) :][: convolutions[-1]]
        assert len(convolutions) == 1 or not path_counts(before).all()
    for one, two in pairwise(chains):
        assert one.paths.all()
        assert int(one.nodes[-1].name[1:]) < int(two.nodes[0].name[1:])


def test_an_interleaved_block_takes_its_last_permutation_along() -> None:
    order = Permutation((0, 2, 1, 3))
    pair = (GroupConv(4, 4, 2), order, GroupConv(4, 4, 2), order, RELU)
    chains = list(channel_chains(line(*pair, *pair)))
    assert [names(chain) for chain in chains] == [
        ["v0", "v1", "v2", "v3"],
        ["v5", "v6", "v7", "v8"],
    ]
    assert all((chain.paths == 1).all() for chain in chains)


def test_channelwise_operators_are_passed_over() -> None:
    graph = line(GroupConv(4, 4, 2), RELU, MaxPool2d((2, 2), (2, 2)), GroupConv(4, 2, 2))  # type: ignore[arg-type]
    (chain,) = channel_chains(graph)
    assert names(chain) == ["v0", "v3"]
    assert chain.paths.tolist() == [[2, 2, 0, 0], [0, 0, 2, 2]]


@pytest.mark.parametrize("reader", [Node("s", Add(), ("v1", "v0")), Node("s", RELU, ("v0",))])
def test_a_second_reader_ends_a_chain(reader: Node) -> None:
    graph = line(GroupConv(4, 4, 2), Permutation((0, 2, 1, 3)))
    graph = graph.with_nodes((*graph.nodes, reader), graph.weights, "s")
    assert [names(chain) for chain in channel_chains(graph)] == [["v0"]]


def test_the_output_ends_a_chain() -> None:
    graph = line(GroupConv(4, 4, 2), GroupConv(4, 4, 1), output="v0")
    assert [names(chain) for chain in channel_chains(graph)] == [["v0"]]


def test_without_groups_there_is_no_chain() -> None:
    assert not list(channel_chains(line(GroupConv(4, 4, 1), Permutation((1, 0, 3, 2)))))


def test_zero_weights_are_no_path() -> None:
    graph = line(GroupConv(4, 4, 2))
    weight = np.ones((4, 2, 1, 1))
    weight[3, 0] = 0
    graph = graph.with_nodes(graph.nodes, {"w0": Dense(weight)})
    assert next(channel_chains(graph)).paths.tolist() == [
        [1, 1, 0, 0],
        [1, 1, 0, 0],
        [0, 0, 1, 1],
        [0, 0, 0, 1],
    ]
