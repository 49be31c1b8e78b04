from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gossamer.compile.compile import compile
from gossamer.errors import CompileError, GossamerError, ShapeError, SpecError
from gossamer.graph import Graph, Input, interpret
from gossamer.graph.ops import Activation, Conv2d
from gossamer.jit.target import INSIDE, host_target
from tests.compile.graphs import single, sparse_array


@pytest.fixture
def conv_graph() -> Graph:
    rng = np.random.default_rng(0)
    return single(
        Conv2d(padding=(1, 1, 1, 1)), (1, 16, 12, 12), weight=sparse_array(rng, (16, 16, 3, 3), 0.3)
    )


def test_explain_names_each_layer_and_what_was_tried(conv_graph: Graph) -> None:
    text = compile(conv_graph).explain()
    assert "f32-conv-sparse" in text
    assert "f32-conv-dense" in text
    assert "µs" in text
    assert f"{16 * 16 * 9 * 12 * 12:,}" in text


def test_unmeasured_programs_compute_the_same(conv_graph: Graph) -> None:
    x = np.random.default_rng(1).standard_normal((1, 16, 12, 12)).astype(np.float32)
    a, b = compile(conv_graph)(x), compile(conv_graph, measure=False)(x)
    assert np.allclose(a, b, rtol=1e-5, atol=1e-5)


def test_a_batch_that_cannot_be_another_is_run(conv_graph: Graph) -> None:
    fixed = replace(conv_graph, input=Input("x", (3, 16, 12, 12), frozenset()))
    x = np.random.default_rng(1).standard_normal((3, 16, 12, 12)).astype(np.float32)
    with compile(fixed, measure=False) as program:
        assert np.allclose(program(x), interpret(fixed, x), rtol=1e-5, atol=1e-5)
        with pytest.raises(ShapeError):
            program(x[:1])


@pytest.mark.parametrize("target", ["avx2", "portable"])
def test_held_programs_compute_the_same(conv_graph: Graph, target: str) -> None:
    if target not in (host_target().isa, *INSIDE[host_target().isa]):
        pytest.skip(f"this processor does not have {target}")
    x = np.random.default_rng(1).standard_normal(conv_graph.input.example).astype(np.float32)
    program = compile(conv_graph, target=target)
    assert np.allclose(program(x), interpret(conv_graph, x), atol=1e-4)
    assert program.plan_for(x.shape[1:]).target.isa == target


def test_unknown_targets_are_refused(conv_graph: Graph) -> None:
    with pytest.raises(SpecError, match="instruction set"):
        compile(conv_graph, target="avx1024")


def test_what_a_program_reads_lies_side_by_side(conv_graph: Graph) -> None:
    plan = compile(conv_graph).plan_for((16, 12, 12))
    (memory,) = plan.tables
    first, size = memory.ctypes.data, memory.nbytes
    assert ((plan.steps[:, 1] >= first) & (plan.steps[:, 1] < first + size)).all()
    assert (np.diff(plan.steps[:, 1]) > 0).all()
    assert (plan.steps[:, 1] % 64 == 0).all()


@pytest.mark.parametrize("threads", [0, -1, 1000, 1.5, "2", None])
def test_impossible_thread_counts(conv_graph: Graph, threads: int) -> None:
    with pytest.raises(SpecError, match="impossible number of threads"):
        compile(conv_graph, threads)


def test_operator_without_a_kernel_is_named() -> None:
    class Unknown(Activation):
        pass

    with pytest.raises(CompileError, match="node 'y': no kernel for this operator"):
        compile(single(Unknown("relu"), (1, 2, 3, 3)))


def test_an_impossible_activation_size_is_refused() -> None:
    graph = single(Conv2d(), (1, 1, 2**15, 2**15), weight=np.ones((1, 1, 1, 1), np.float32))
    with pytest.raises(CompileError, match="too large"):
        compile(graph)


def test_ill_formed_graphs_are_refused(conv_graph: Graph) -> None:
    from dataclasses import replace

    with pytest.raises(GossamerError):
        compile(replace(conv_graph, input=Input("other", (1, 16, 12, 12))))
