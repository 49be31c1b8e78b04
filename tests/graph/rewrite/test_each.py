"""What each rewrite does to the smallest graph that it is made for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gossamer.graph import Codebook, Dense, Graph, Input, Node, Sparse, interpret, verify
from gossamer.graph.layouts import Layout
from gossamer.graph.ops import (
    Activation,
    Add,
    AvgPool2d,
    ChannelPermute,
    Concat,
    Conv2d,
    Flatten,
    Linear,
    MaxPool2d,
    Multiply,
    Op,
    ScaleShift,
    shuffle_order,
)
from gossamer.graph.rewrite.absorb_permute import absorb_permute
from gossamer.graph.rewrite.choose_layouts import choose_layout
from gossamer.graph.rewrite.fold_norm import fold_norm
from gossamer.graph.rewrite.fuse_activation import fuse_activation
from gossamer.graph.rewrite.fuse_gate import fuse_gate
from gossamer.graph.rewrite.fuse_gelu import fuse_gelu
from gossamer.graph.rewrite.fuse_subsample import fuse_subsample
from gossamer.graph.rewrite.join_norms import join_norms
from gossamer.graph.rewrite.remove_channels import remove_channels
from gossamer.graph.rewrite.remove_dead import remove_dead
from gossamer.graph.rewrite.sink_permute import sink_permute


def chain(shape: tuple[int, ...], *steps: tuple[Op, dict[str, Layout]]) -> Graph:
    """A graph x → a → b → …, each weight named "node.role"."""
    nodes, weights, last = [], {}, "x"
    for name, (op, layouts) in zip("abcdefgh", steps, strict=False):
        nodes.append(Node(name, op, (last,), {role: f"{name}.{role}" for role in layouts}))
        weights |= {f"{name}.{role}": layout for role, layout in layouts.items()}
        last = name
    return verify(Graph(Input("x", shape), tuple(nodes), last, weights))


def kinds(graph: Graph) -> list[str]:
    return [node.op.kind for node in graph.nodes]


def vector(*values: float) -> Dense:
    return Dense(np.array(values))


@pytest.fixture
def weight(rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((4, 3, 3, 3))


NORM = (ScaleShift(), {"scale": vector(1, 2, -3, 0.5), "shift": vector(0, 1, 2, 3)})


class TestFoldNorm:
    def test_scales_a_dense_weight_and_its_bias(self, weight: np.ndarray) -> None:
        conv = (Conv2d(), {"weight": Dense(weight), "bias": vector(1, 1, 1, 1)})
        graph = fold_norm(chain((1, 3, 5, 5), conv, NORM))
        assert kinds(graph) == ["conv2d"]
        assert graph.output == "a"
        assert sorted(graph.weights) == ["a.bias", "a.weight"]
        np.testing.assert_array_equal(graph.weights["a.bias"].to_dense(), [1, 3, -1, 3.5])
        scaled = (weight.astype(np.float32).astype(float).T * [1, 2, -3, 0.5]).T
        np.testing.assert_array_equal(
            graph.weights["a.weight"].to_dense(), scaled.astype(np.float32)
        )

    def test_keeps_a_sparse_weight_sparse(self, weight: np.ndarray) -> None:
        weight[:, 1:] = 0
        conv = (Conv2d(), {"weight": Sparse.from_dense(weight)})
        folded = fold_norm(chain((1, 3, 5, 5), conv, NORM)).weights["a.weight"]
        assert isinstance(folded, Sparse)
        assert folded.nonzeros == 36

    @pytest.mark.parametrize("layout", [Codebook, Dense])
    def test_keeps_shared_values_shared(self, layout: type[Layout]) -> None:
        signs = np.where(np.arange(108).reshape(4, 3, 3, 3) % 3, 0.5, -0.5)
        conv = (Conv2d(), {"weight": layout.from_dense(signs)})
        graph = fold_norm(chain((1, 3, 5, 5), conv, NORM))
        assert graph.weights["a.weight"] == layout.from_dense(signs)
        np.testing.assert_array_equal(graph.weights["a.scale"].to_dense(), [1, 2, -3, 0.5])

    def test_two_norms_in_a_row(self, weight: np.ndarray) -> None:
        graph = fold_norm(chain((1, 3, 5, 5), (Conv2d(), {"weight": Dense(weight)}), NORM, NORM))
        assert kinds(graph) == ["conv2d"]

    def test_behind_an_activation_it_stays(self, weight: np.ndarray) -> None:
        conv = (Conv2d(activation="relu"), {"weight": Dense(weight)})
        assert kinds(fold_norm(chain((1, 3, 5, 5), conv, NORM))) == ["conv2d", "scale_shift"]

    def test_with_another_reader_it_stays(self, weight: np.ndarray) -> None:
        graph = chain((1, 3, 5, 5), (Conv2d(), {"weight": Dense(weight)}), NORM)
        both = replace(graph, nodes=(*graph.nodes, Node("s", Add(), ("a", "b"))), output="s")
        assert fold_norm(both) == both

    def test_a_shared_weight_is_not_scaled_for_the_other(self, rng: np.random.Generator) -> None:
        shared = {"weight": "w"}
        nodes = (
            Node("a", Linear(), ("x",), shared),
            Node("n", ScaleShift(), ("a",), {"scale": "s", "shift": "t"}),
            Node("b", Linear(), ("n",), shared),
        )
        weights = {"w": Dense(rng.standard_normal((3, 3)))}
        weights |= {"s": vector(2, 3, 4), "t": vector(0, 0, 1)}
        graph = Graph(Input("x", (1, 3)), nodes, "b", weights)
        x = rng.standard_normal((1, 3)).astype(np.float32)
        folded = verify(fold_norm(graph))
        np.testing.assert_allclose(interpret(folded, x), interpret(graph, x), rtol=1e-6)
        assert folded.weights["w"] == weights["w"]

    def test_a_shift_alone_leaves_the_weight_alone(self) -> None:
        signs = Codebook.from_dense(np.where(np.arange(12).reshape(4, 3) % 2, 0.5, -0.5))
        shift = (ScaleShift(), {"scale": vector(1, 1, 1, 1), "shift": vector(0, 1, 2, 3)})
        graph = fold_norm(chain((1, 3), (Linear(), {"weight": signs}), shift))
        assert sorted(graph.weights) == ["a.bias", "a.weight"]


class TestJoinNorms:
    def test_two_become_one(self) -> None:
        graph = join_norms(chain((1, 4, 5, 5), NORM, NORM, (Activation("relu"), {})))
        assert kinds(graph) == ["scale_shift", "activation"]
        assert graph.weights["a.scale"].to_dense().tolist() == [1, 4, 9, 0.25]
        assert graph.weights["a.shift"].to_dense().tolist() == [0, 3, -4, 4.5]

    def test_with_another_reader_they_stay(self) -> None:
        graph = chain((1, 4, 5, 5), NORM, NORM)
        both = replace(graph, nodes=(*graph.nodes, Node("s", Add(), ("a", "b"))), output="s")
        assert join_norms(both) == both


def gated(function: str, *, flipped: bool = False, also: bool = False) -> Graph:
    """x · function(x), the function's value being read by a sum, too, if `also`."""
    factors = ("f", "x") if flipped else ("x", "f")
    nodes = [Node("f", Activation(function), ("x",)), Node("y", Multiply(), factors)]
    if also:
        nodes.append(Node("s", Add(), ("y", "f")))
    return Graph(Input("x", (1, 4, 5, 5)), tuple(nodes), nodes[-1].name, {})


class TestFuseGate:
    @pytest.mark.parametrize("flipped", [False, True])
    @pytest.mark.parametrize(
        ("function", "fused"), [("sigmoid", "silu"), ("hard_sigmoid", "hard_swish")]
    )
    def test_of_itself(self, function: str, fused: str, flipped: bool) -> None:
        graph = fuse_gate(gated(function, flipped=flipped))
        assert graph.nodes == (Node("y", Activation(fused), ("x",)),)

    def test_a_gate_with_another_reader_stays_beside_it(self) -> None:
        graph = fuse_gate(gated("sigmoid", also=True))
        assert [getattr(node.op, "function", "") for node in graph.nodes] == ["sigmoid", "silu", ""]

    def test_other_gates_stay(self) -> None:
        for graph in (gated("tanh"), gated("relu6")):
            assert fuse_gate(graph) == graph

    @pytest.mark.parametrize(("term", "is_one"), [(3.0, True), (2.0, False)])
    def test_a_hard_sigmoid_by_hand(self, term: float, is_one: bool) -> None:
        ones = np.ones(4)
        plus = (ScaleShift(), {"scale": Dense(ones), "shift": Dense(term * ones)})
        sixth = (ScaleShift(), {"scale": Dense(ones / 6), "shift": Dense(0 * ones)})
        graph = chain((1, 4, 5, 5), plus, (Activation("relu6"), {}), sixth)
        x = np.linspace(-5, 5, 100, dtype=np.float32).reshape(1, 4, 5, 5)
        fused = verify(fuse_gate(graph))
        assert len(fused.nodes) == (1 if is_one else 3)
        np.testing.assert_allclose(interpret(fused, x), interpret(graph, x), atol=1e-6)


def gelu(form: str, half: str) -> Graph:
    """GELU of six channels written out, by "erf" or "tanh"; who is multiplied by the half."""

    def norm(name: str, source: str, scale: float, shift: float = 0.0) -> Node:
        weights[f"{name}.s"] = Dense(np.full(6, scale, np.float32))
        weights[f"{name}.t"] = Dense(np.full(6, shift, np.float32))
        return Node(name, ScaleShift(), (source,), {"scale": f"{name}.s", "shift": f"{name}.t"})

    weights: dict[str, Dense] = {}
    nodes = [norm("in", "x", 0.5**0.5), Node("f", Activation("erf"), ("in",))]
    if form == "tanh":
        square, cube = Node("s", Multiply(), ("x", "x")), Node("c", Multiply(), ("x", "s"))
        term, total = norm("t", "c", 0.044715), Node("a", Add(), ("t", "x"))
        inner, tanh = norm("in", "a", (2 / np.pi) ** 0.5), Node("f", Activation("tanh"), ("in",))
        nodes = [square, cube, term, total, inner, tanh]
    c = 0.5 if half == "gate" else 1.0
    nodes.append(norm("gate", "f", c, c))
    if half == "x":
        nodes += [norm("h", "x", 0.5), Node("y", Multiply(), ("h", "gate"))]
    else:
        nodes.append(Node("y", Multiply(), ("gate", "x")))
    if half == "product":
        nodes.append(norm("z", "y", 0.5))
    if half == "product, with more":
        nodes.append(norm("z", "y", 0.75, 2.0))
    return Graph(Input("x", (1, 6, 3, 4)), tuple(nodes), nodes[-1].name, weights)


class TestFuseGelu:
    @pytest.mark.parametrize("form", ["erf", "tanh"])
    @pytest.mark.parametrize("half", ["gate", "x", "product", "product, with more", "nobody"])
    def test_written_out(self, form: str, half: str, rng: np.random.Generator) -> None:
        graph = gelu(form, half)
        x = 3 * rng.standard_normal((1, 6, 3, 4)).astype(np.float32)
        fused = verify(fuse_gelu(graph))
        np.testing.assert_allclose(interpret(fused, x), interpret(graph, x), atol=2e-6)
        first, *norms = fused.nodes
        assert first.op == Activation("gelu" if form == "erf" else "gelu_tanh")
        assert [node.op for node in norms] == [ScaleShift()] * (
            half in ("product, with more", "nobody")
        )

    @pytest.mark.parametrize(
        ("name", "role"), [("in", "s"), ("in", "t"), ("gate", "s"), ("gate", "t"), ("t", "s")]
    )
    def test_with_another_constant_it_stays(self, name: str, role: str) -> None:
        graph = gelu("tanh", "gate")
        other = np.full(6, 1.01 * graph.weights[f"{name}.{role}"].to_dense()[0] + 0.01, np.float32)
        graph = replace(graph, weights={**graph.weights, f"{name}.{role}": Dense(other)})
        assert fuse_gelu(graph) == graph

    def test_constants_of_half_the_bits(self) -> None:
        graph = gelu("tanh", "gate")
        halves = {n: Dense(w.to_dense().astype(np.float16)) for n, w in graph.weights.items()}
        fused = fuse_gelu(replace(graph, weights=halves))
        assert [node.op for node in fused.nodes] == [Activation("gelu_tanh")]

    def test_a_gate_that_others_read_stays(self) -> None:
        graph = gelu("erf", "gate")
        both = replace(graph, nodes=(*graph.nodes, Node("b", Add(), ("y", "gate"))), output="b")
        assert fuse_gelu(both) == both


class TestFuseActivation:
    def test_after_a_convolution_and_an_addition(self, weight: np.ndarray) -> None:
        conv = (Conv2d(), {"weight": Dense(weight)})
        graph = fuse_activation(chain((1, 3, 5, 5), conv, (Activation("relu6"), {})))
        assert [node.op for node in graph.nodes] == [Conv2d(activation="relu6")]
        assert graph.output == "a"

    def test_two_in_a_row_fuse_once(self, weight: np.ndarray) -> None:
        conv = (Conv2d(), {"weight": Dense(weight)})
        relus = [(Activation("relu"), {}), (Activation("relu6"), {})]
        graph = fuse_activation(chain((1, 3, 5, 5), conv, *relus))
        assert [node.op for node in graph.nodes] == [Conv2d(activation="relu"), Activation("relu6")]

    def test_on_the_input_it_stays(self) -> None:
        graph = chain((1, 3, 5, 5), (Activation("relu"), {}), (Activation("identity"), {}))
        assert [node.op for node in fuse_activation(graph).nodes] == [Activation("relu")]

    def test_a_layer_that_is_also_the_output_keeps_its_value(self, weight: np.ndarray) -> None:
        conv = (Conv2d(), {"weight": Dense(weight)})
        graph = replace(chain((1, 3, 5, 5), conv, (Activation("relu"), {})), output="a")
        assert fuse_activation(graph) == graph


class TestFuseSubsample:
    def test_two_subsamplings_become_a_stride(self, rng: np.random.Generator) -> None:
        halves = [(MaxPool2d((1, 1), stride), {}) for stride in ((2, 1), (1, 3))]
        last = (Conv2d((2, 1)), {"weight": Dense(rng.standard_normal((4, 3, 1, 1)))})
        graph = chain((1, 3, 9, 8), *halves, last)
        fused = verify(fuse_subsample(graph))
        assert [node.op for node in fused.nodes] == [Conv2d((4, 3))]
        x = rng.standard_normal((2, 3, 9, 8)).astype(np.float32)
        np.testing.assert_array_equal(interpret(fused, x[:1]), interpret(graph, x[:1]))

    @pytest.mark.parametrize("op", [Conv2d(padding=(1, 1, 1, 1)), Conv2d()])
    def test_other_convolutions_do_not_take_it(self, weight: np.ndarray, op: Conv2d) -> None:
        array = weight if not any(op.padding) else weight[:, :, :1, :1]
        graph = chain((1, 3, 9, 8), (MaxPool2d((1, 1), (2, 2)), {}), (op, {"weight": Dense(array)}))
        assert fuse_subsample(graph) == graph


class TestRemoveDead:
    def test_drops_what_nobody_reads(self, weight: np.ndarray) -> None:
        conv = (Conv2d(), {"weight": Dense(weight)})
        graph = replace(chain((1, 3, 5, 5), (Activation("relu"), {}), conv), output="a")
        assert kinds(remove_dead(graph)) == ["activation"]
        assert not remove_dead(graph).weights


class TestRemoveChannels:
    def net(self, *between: tuple[Op, dict[str, Layout]], **change: object) -> Graph:
        """Convolution with channels 1 and 3 of 4 zero → … → convolution."""
        rng = np.random.default_rng(3)
        first, second = rng.standard_normal((4, 2, 3, 3)), rng.standard_normal((5, 4, 1, 1))
        first[[1, 3]] = 0
        bias = change.get("bias", [1.0, 0, 1, 0])
        conv = (Conv2d(activation="relu"), {"weight": Dense(first), "bias": vector(*bias)})  # type: ignore[misc]
        last = (Conv2d(), {"weight": Dense(second)})
        return chain((1, 2, 8, 8), conv, *between, last)

    def widths(self, graph: Graph) -> list[tuple[int, ...]]:
        layers = [node for node in graph.nodes if "weight" in node.weights]
        return [graph.weight_shapes(node)["weight"][:2] for node in layers]

    @pytest.mark.parametrize(
        "between",
        [
            [],
            [(MaxPool2d((2, 2), (2, 2)), {}), (AvgPool2d((3, 3), (1, 1), (1, 1, 1, 1)), {})],
            [(Activation("relu6"), {})],
            [(ScaleShift(), {"scale": vector(1, 2, 3, 4), "shift": vector(1, 0, 1, 0)})],
            [(ChannelPermute((3, 2, 1, 0)), {})],
        ],
        ids=["plain", "pools", "activation", "norm", "permutation"],
    )
    def test_narrows_producer_and_reader(self, between: list) -> None:
        graph = remove_channels(self.net(*between))
        assert self.widths(verify(graph)) == [(2, 2), (5, 2)]

    def test_a_negative_bias_under_relu_is_zero_too(self) -> None:
        assert self.widths(remove_channels(self.net(bias=[1, -5, 1, 0])))[0] == (2, 2)

    @pytest.mark.parametrize("bias", [[1, 5, 1, 5]])
    def test_a_constant_channel_stays(self, bias: list[float]) -> None:
        graph = self.net(bias=bias)
        assert remove_channels(graph) is graph

    def test_a_shift_stays(self) -> None:
        norm = (ScaleShift(), {"scale": vector(1, 1, 1, 1), "shift": vector(0, 1, 0, 0)})
        assert self.widths(remove_channels(self.net(norm))) == [(3, 2), (5, 3)]

    def test_depthwise_narrows_along(self) -> None:
        depthwise = (Conv2d(groups=4), {"weight": Dense(np.ones((4, 1, 3, 3)))})
        graph = verify(remove_channels(self.net(depthwise)))
        assert self.widths(graph) == [(2, 2), (2, 1), (5, 2)]
        assert graph.node("b").op == Conv2d(groups=2)

    def test_group_convolutions_keep_all(self) -> None:
        grouped = (Conv2d(groups=2), {"weight": Dense(np.ones((4, 2, 1, 1)))})
        assert self.widths(remove_channels(self.net(grouped)))[0] == (4, 2)

    def test_through_a_flatten_into_a_linear_layer(self) -> None:
        net = self.net()
        head = (Node("f", Flatten(), ("a",)), Node("l", Linear(), ("f",), {"weight": "l"}))
        weights = {k: v for k, v in net.weights.items() if k.startswith("a")}
        weights["l"] = Dense(np.arange(4 * 36 * 2).reshape(2, -1) + 1.0)
        graph = verify(replace(net, nodes=(net.nodes[0], *head), output="l", weights=weights))
        narrow = verify(remove_channels(graph))
        assert self.widths(narrow) == [(2, 2), (2, 72)]

    def test_unread_channels_go(self) -> None:
        rng = np.random.default_rng(3)
        first, second = rng.standard_normal((4, 2, 1, 1)), rng.standard_normal((3, 4, 1, 1))
        second[:, 2] = 0
        graph = chain(
            (1, 2, 3, 3),
            (Conv2d(), {"weight": Dense(first)}),
            (Conv2d(), {"weight": Dense(second)}),
        )
        assert self.widths(remove_channels(graph)) == [(3, 2), (3, 3)]

    @pytest.mark.parametrize("op", [Add(), Concat()])
    def test_additions_need_both_sides_and_concatenations_do_not(self, op: Op) -> None:
        net = self.net()
        channels = 4 if op.kind == "add" else 6
        side = Node("s", Conv2d(), ("x",), {"weight": "s"})
        join = Node("j", op, ("a", "s"))
        last = Node("b", Conv2d(), ("j",), {"weight": "b.weight"})
        weights = dict(net.weights)
        weights["s"] = Dense(np.ones((channels if channels == 4 else 2, 2, 3, 3)))
        weights["b.weight"] = Dense(np.ones((5, channels, 1, 1)))
        graph = verify(replace(net, nodes=(net.nodes[0], side, join, last), weights=weights))
        expected = {"add": [(4, 2), (4, 2), (5, 4)], "concat": [(2, 2), (2, 2), (5, 4)]}
        assert self.widths(verify(remove_channels(graph))) == expected[op.kind]

    def test_one_channel_is_left_of_a_dead_layer(self) -> None:
        dead = (Conv2d(), {"weight": Dense(np.zeros((4, 2, 1, 1)))})
        last = (Conv2d(), {"weight": Dense(np.ones((3, 4, 1, 1)))})
        graph = verify(remove_channels(chain((1, 2, 3, 3), dead, last)))
        assert self.widths(graph) == [(1, 2), (3, 1)]

    @pytest.mark.parametrize("layout", [Sparse, Codebook])
    def test_layouts_stay_what_they_are(self, layout: type[Layout]) -> None:
        net = self.net()
        weights = {name: layout.from_dense(w.to_dense()) for name, w in net.weights.items()}
        graph = remove_channels(replace(net, weights=weights))
        assert {type(w) for w in graph.weights.values()} == {layout}


class TestPermutations:
    def test_a_shuffle_moves_behind_norm_and_activation(self, weight: np.ndarray) -> None:
        shuffle = (ChannelPermute(shuffle_order(4, 2)), {})
        conv = (Conv2d(), {"weight": Dense(weight)})
        grouped = (Conv2d(groups=2), {"weight": Dense(np.ones((4, 2, 1, 1)))})
        graph = chain((1, 3, 5, 5), conv, shuffle, NORM, (Activation("relu"), {}), grouped)
        sunk = verify(sink_permute(graph))
        expected = ["conv2d", "scale_shift", "activation", "channel_permute", "conv2d"]
        assert kinds(sunk) == expected
        fused = fuse_activation(fold_norm(sunk))
        assert kinds(absorb_permute(fused)) == ["conv2d", "conv2d"]

    def test_two_permutations_join_and_cancel(self) -> None:
        steps = [(ChannelPermute(shuffle_order(6, g)), {}) for g in (2, 3)]
        graph = absorb_permute(sink_permute(chain((1, 6, 2, 2), *steps)))
        assert graph.nodes == ()
        assert graph.output == "x"

    def test_a_layer_takes_it_into_its_columns(self, rng: np.random.Generator) -> None:
        head = (Linear(), {"weight": Dense(rng.standard_normal((2, 12)))})
        steps = [(ChannelPermute((2, 0, 1)), {}), (Flatten(), {}), head]
        graph = chain((1, 3, 2, 2), *steps)
        sunk = verify(sink_permute(graph))
        assert kinds(sunk) == ["flatten", "linear"]
        x = rng.standard_normal((2, 3, 2, 2)).astype(np.float32)
        np.testing.assert_allclose(interpret(sunk, x), interpret(graph, x), rtol=1e-5)


class TestChooseLayout:
    @pytest.mark.parametrize(
        ("array", "kind"),
        [
            (np.arange(1, 101.0).reshape(10, 10), "dense"),
            (np.arange(1, 101.0) * (np.arange(100) >= 29), "dense"),
            (np.tile([1.0, -1.0], (10, 10)), "codebook"),
            (
                np.arange(-4, 96.0).reshape(10, 10) * (np.arange(100) >= 30).reshape(10, 10),
                "sparse",
            ),
            (np.arange(100.0).reshape(10, 10) * (np.arange(100) >= 29).reshape(10, 10), "dense"),
            (np.zeros((3, 3)), "sparse"),
            (np.repeat(np.arange(1, 258.0), 8).reshape(8, 257), "dense"),
            (np.repeat(np.arange(1, 257.0), 8).reshape(8, 256), "codebook"),
            (np.repeat(np.arange(1, 257.0), 3).reshape(3, 256), "dense"),
            (np.ones(50), "dense"),
        ],
    )
    def test_by_its_values(self, array: np.ndarray, kind: str) -> None:
        layout = choose_layout(array.astype(np.float32))
        assert layout.kind == kind
        np.testing.assert_array_equal(layout.to_dense(), array.astype(np.float32))
