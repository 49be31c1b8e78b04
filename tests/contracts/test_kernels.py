"""What every kernel promises: unique names, code for each vector width, slots that it reads."""

from __future__ import annotations

from dataclasses import replace

import pytest
from llvmlite import ir

from gossamer.compile.kernels.channel_conv import ChannelConvKernel
from gossamer.compile.kernels.code_conv import CodeConvKernel
from gossamer.compile.kernels.code_linear import CodeLinearKernel, FlatEncodeKernel
from gossamer.compile.kernels.code_move import (
    CodeMeanKernel,
    CodePoolKernel,
    DecodeKernel,
    EncodeKernel,
)
from gossamer.compile.kernels.coded_conv import CodedConvKernel
from gossamer.compile.kernels.conv import ConvKernel
from gossamer.compile.kernels.depthwise import DepthwiseKernel
from gossamer.compile.kernels.elementwise import ElementwiseKernel, FlatKernel
from gossamer.compile.kernels.kernel import Kernel
from gossamer.compile.kernels.layer_norm import LayerNormKernel
from gossamer.compile.kernels.linear import LinearKernel
from gossamer.compile.kernels.move import GatherKernel, HaloKernel, UnpackKernel
from gossamer.compile.kernels.packed_linear import PackedLinearKernel
from gossamer.compile.kernels.pool import PlaneMeanKernel, PoolKernel
from gossamer.compile.kernels.relayout import RelayoutKernel, TransposeKernel
from gossamer.compile.kernels.requantise import Epilogue
from gossamer.compile.kernels.response_norm import ResponseNormKernel
from gossamer.compile.kernels.softmax import SoftmaxKernel
from gossamer.compile.kernels.sparse_linear import SparseLinearKernel
from gossamer.compile.kernels.weight_forms import Floats, Integers, SharedValues
from gossamer.compile.kernels.winners import WinnersKernel
from gossamer.compile.kernels.winograd import WinogradKernel
from gossamer.compile.kernels.winograd_planes import WinogradPlanesKernel
from gossamer.graph.ops import ACTIVATIONS
from gossamer.jit.target import host_target
from gossamer.jit.toolchain import parse

KERNELS = [
    *(ConvKernel(rows, 1, 2, 2, shared, 1, "relu") for rows in (1, 4) for shared in (True, False)),
    ConvKernel(2, 2, 2, unroll=2),
    ConvKernel(2, 1, 3, unroll=2, adds=True, blocked=True),
    ConvKernel(2, 1, 3, activation="relu", blocked=True, echoes=True),
    ConvKernel(2, 1, 3, unroll=3, wide=True),
    ConvKernel(1, 2, 4, unroll=4, near=True),
    ConvKernel(4, 2, 1, shared=True, by_rows=True),
    ConvKernel(2, 1, 3, unroll=4, step_bytes=448),
    ConvKernel(1, 2, 2, 2, unroll=2, adds=True, blocked=True, wide=True, step_bytes=320),
    CodedConvKernel(1, 2, 4, unroll=4, near=True, values=17),
    CodedConvKernel(2, 1, 3, unroll=3, activation="relu", adds=True, blocked=True, wide=True),
    CodedConvKernel(1, 1, 7, echoes=True, values=32),
    DepthwiseKernel(3, 3, 7, activation="relu6"),
    DepthwiseKernel(5, 3, 4, stride_w=2, dilation_w=2),
    PoolKernel("max", 3, 6, 2),
    PoolKernel("mean", 2, 1, dilation_w=2),
    PoolKernel("max", 100, 1),
    ChannelConvKernel(6, 2, 2, "relu"),
    ChannelConvKernel(5, 1, adds=True, echoes=True),
    WinogradKernel(2, 3, 1, 6, 2, 2, "relu"),
    WinogradKernel(4, 3, 1, 5, 1, adds=True, echoes=True),
    WinogradKernel(4, 7, 2, 6, 2, 2),
    WinogradPlanesKernel(3, 7, 2, 3, 2, 3, "relu", echoes=True),
    PlaneMeanKernel(),
    *(
        ElementwiseKernel(f, "relu6")
        for f in ("copy", "zero", "add", "multiply", "gate", "gate_add")
    ),
    ElementwiseKernel("scale_shift"),
    ElementwiseKernel("threshold"),
    FlatKernel("threshold"),
    ElementwiseKernel("quantise"),
    FlatKernel("quantise"),
    *(ElementwiseKernel("copy", f) for f in ACTIVATIONS if f != "relu6"),
    ElementwiseKernel("copy", "leaky_relu(0.1)"),
    *(FlatKernel(f, "silu") for f in ("copy", "zero", "add", "multiply", "scale_shift")),
    ResponseNormKernel(0.75),
    ResponseNormKernel(0.6),
    LinearKernel(),
    LinearKernel("relu", 4),
    *(SparseLinearKernel(form, "relu") for form in (Floats(), SharedValues(4), Integers(8))),
    SparseLinearKernel(SharedValues(33), wide=True),
    PackedLinearKernel(SharedValues(16), 3, "relu", 4),
    PackedLinearKernel(SharedValues(65), 0),
    PackedLinearKernel(Integers(8), 3),
    GatherKernel(),
    RelayoutKernel(1),
    RelayoutKernel(4),
    TransposeKernel(),
    SoftmaxKernel(),
    LayerNormKernel(),
    LayerNormKernel(flat=True),
    WinnersKernel(),
    UnpackKernel(),
    HaloKernel(),
    *(CodeConvKernel(dot, Epilogue(), 8, 1, 2) for dot in ("vnni", "madd", "sdot", "plain")),
    CodeConvKernel("sdot", Epilogue(adds=True), 4, 1, 3, shared=False, unroll=2, wide=True),
    CodeConvKernel("short", Epilogue(), 4, 2, 1, unroll=2, by_rows=True),
    CodeConvKernel("plain", Epilogue(adds=True), 4, 1, 2, shared=False, blocked=True, echoes=True),
    CodeConvKernel("plain", Epilogue(False, activation="silu"), 4, 1, 2, 2, wide=True),
    CodeConvKernel("plain", Epilogue(packs=True), 4, 1, 1),
    CodeConvKernel("plain", Epilogue(packs=True, is_full=True), 4, 1, 1),
    EncodeKernel(),
    DecodeKernel(),
    CodePoolKernel(2, 2),
    CodeMeanKernel(),
    FlatEncodeKernel(),
    *(CodeLinearKernel(dot, 4) for dot in ("vnni", "madd", "sdot", "plain")),
]


def runs_on(kernel: Kernel, dots: tuple[str, ...] = ()) -> bool:
    """Whether a kernel names no instruction of one kind of processor, but for these dots."""
    is_packing = isinstance(kernel, CodeConvKernel) and kernel.epilogue.packs
    return not is_packing and getattr(kernel, "dot", "plain") in ("plain", *dots)


def test_every_kind_of_kernel_is_here() -> None:
    kinds = set(Kernel.__subclasses__())
    kinds |= {kind for parent in kinds for kind in parent.__subclasses__()}
    assert {type(kernel) for kernel in KERNELS} == kinds


def test_names_are_unique_and_say_the_extension() -> None:
    target = host_target()
    names = [kernel.name(target) for kernel in KERNELS]
    assert len(set(names)) == len(names)
    assert all(name.startswith(("f32-", "u8-")) and target.isa in name for name in names)


@pytest.mark.parametrize("lanes", [4, 8, 16])
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.label())
def test_code_is_accepted(kernel: Kernel, lanes: int) -> None:
    target = replace(host_target(), lanes=lanes)
    module = ir.Module("kernel")
    kernel.emit(module, target)
    parse(str(module))
    assert len(kernel.slots) == len(set(kernel.slots))
