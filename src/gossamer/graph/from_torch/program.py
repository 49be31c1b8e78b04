"""A module as a traced program: a flat list of aten operators with static or symbolic sizes."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from gossamer.errors import GraphError, ShapeError, UnsupportedOperatorError
from gossamer.graph.from_torch.opaque import keep_whole


def frozen_copy(model: nn.Module) -> nn.Module:
    """Return a copy in evaluation mode, float32 on the CPU; the module itself stays as it is.

    Raises:
        GraphError: if it is not a module, or cannot be copied.
    """
    if not isinstance(model, nn.Module):
        got = getattr(model, "__name__", type(model).__name__)
        raise GraphError("not a module", got=got, expected="an object of torch.nn.Module")
    try:
        duplicate = copy.deepcopy(model)
    except Exception as error:
        raise GraphError(
            "the module cannot be copied", where=type(model).__name__, got=_first_line(error)
        ) from None
    return keep_whole(duplicate).eval().requires_grad_(False).cpu().float()


def example_array(example_inputs: Any) -> np.ndarray:
    """Return the one example input, float32: (N, C, H, W) or (N, F).

    Raises:
        ShapeError: if it is not one tensor of such a shape, or is empty.
    """
    inputs = example_inputs if isinstance(example_inputs, tuple | list) else (example_inputs,)
    if len(inputs) != 1 or not isinstance(inputs[0], Tensor | np.ndarray):
        raise ShapeError(
            "the example must be one tensor, or a tuple of one",
            got=tuple(type(value).__name__ for value in inputs),
        )
    array = torch.as_tensor(inputs[0]).detach().cpu().float().numpy()
    if array.ndim not in (2, 4) or array.size == 0:
        raise ShapeError("bad example", got=array.shape, expected="(N, C, H, W) or (N, F)")
    return array


def run(model: nn.Module, x: np.ndarray, *, double: bool = False) -> np.ndarray:
    """Return the output of a frozen copy for `x`, in its own precision or in float64.

    Raises:
        ShapeError: if the module refuses the input.
        UnsupportedOperatorError: if it returns anything but one tensor.
    """
    model = copy.deepcopy(model).double() if double else model
    own = next((p.dtype for p in model.parameters()), torch.float32)
    dtype = torch.float64 if double else own
    try:
        with torch.no_grad():
            output = model(torch.tensor(x, dtype=dtype))
    except RuntimeError as error:
        raise ShapeError(
            "the module does not take the example",
            where=type(model).__name__,
            got=f"{x.shape}: {_first_line(error)}",
        ) from None
    if not isinstance(output, Tensor):
        raise UnsupportedOperatorError(
            "a graph has one output", where=type(model).__name__, got=type(output).__name__
        )
    return output.numpy()


def traces(model: nn.Module, example: np.ndarray) -> Iterator[ExportedProgram]:
    """Yield traces of a frozen copy, from the freest to the most fixed.

    In order: batch and picture size free, batch free, nothing free; what the network does not allow
    is left out. A batch of one would make the batch static, so the example is doubled where the
    batch is to be free.

    Raises:
        UnsupportedOperatorError: if `torch.export` cannot follow the module at all.
    """
    x = torch.tensor(example)
    doubled = torch.cat([x, x]) if len(x) == 1 else x
    error: Exception | None = None
    found = False
    for tensor, axes in ((doubled, (0, 2, 3)), (doubled, (0,)), (x, ())):
        if found and not axes:
            return  # a batch that is fixed to one is no answer to an unsupported operator
        free = {axis: Dim.AUTO for axis in axes if axis < tensor.ndim}
        try:
            with torch.no_grad(), _quiet():
                program = torch.export.export(
                    model, (tensor,), dynamic_shapes=(free,), strict=False
                )
        except Exception as problem:
            error = problem
        else:
            found = True
            yield program
    if not found:
        assert error is not None
        raise _cannot_follow(model, error)


def fixed_trace(model: nn.Module, x: Tensor) -> ExportedProgram:
    """Return the trace of a module in its own mode, all sizes fixed.

    Raises:
        UnsupportedOperatorError: if `torch.export` cannot follow the module.
    """
    try:
        with torch.no_grad(), _quiet():
            return torch.export.export(model, (x,), strict=False)
    except Exception as problem:
        raise _cannot_follow(model, problem) from None


def _cannot_follow(model: nn.Module, error: Exception) -> UnsupportedOperatorError:
    return UnsupportedOperatorError(
        "torch.export cannot follow the module",
        where=type(model).__name__,
        got=_first_line(error),
        hint="the path through the network must not depend on the data",
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what torch logs, prints and warns about its attempts off the user's terminal."""
    logger = logging.getLogger("torch")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            redirect_stdout(StringIO()),
            redirect_stderr(StringIO()),
        ):
            yield
    finally:
        logger.setLevel(before)


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0] if text else ''}"
