"""The diagonal of the Hessian, back-propagated through the network like the gradient.

With d = ∂²E/∂y² at each output y of an operator, the values at its inputs are

- Σ (∂y/∂x)²·d for operators that are linear in each argument. That is the operator's ordinary
  backward pass *at squared arguments*: for a convolution the transposed convolution with W², and
  for its weight the ordinary weight gradient with x², which adds up over the places that share it;
- f′²·d + f″·∂E/∂y for functions of each entry (the Gauss–Newton form drops the second term);
- the ordinary backward pass for what only moves or picks values (maximum, padding, sums).

What is dropped are products of different entries: a residual sum hands d to both branches. So the
result is exact for the last layer if the loss has a diagonal Hessian, and for both layers of a
two-layer network without shared weights; otherwise it is an estimate.

Source: LeCun, Denker & Solla, "Optimal Brain Damage", 1989. The scanned paper prints a minus before
f″·∂E/∂x in eq. 7; plus is right. The factor of a weight is the squared *input* of its layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.compress.prune.curvature.tape import Call, Tape
from gossamer.errors import PassError

Curvature = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Outputs and targets → gradient and second derivative of the loss for each output entry, where the
loss is the sum over the batch."""


def backprop_diagonal(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    weights: Sequence[Tensor],
    *,
    gauss_newton: bool = True,
    curvature: Curvature | None = None,
) -> list[Tensor]:
    """Return ∂²E/∂w² for each entry of each weight, E the mean of the loss over all pictures.

    Args:
        model: in evaluation mode; any composition of the operators that are known here.
        batches: images (N, C, H, W) and labels (N,).
        weights: parameters of the model.
        gauss_newton: drop the f″ terms; nothing is negative then.
        curvature: of the loss; that of cross-entropy unless given.

    Raises:
        PassError: naming an operator that is not known.

    Examples:
        >>> model = nn.Linear(2, 2, bias=False)
        >>> x, y = torch.tensor([[3.0, 1.0]]), torch.tensor([0])
        >>> h = backprop_diagonal(model, [(x, y)], [model.weight])[0]
        >>> (h[:, 0] / h[:, 1]).tolist()  # the squares of the inputs
        [9.0, 9.0]
    """
    totals = [torch.zeros_like(weight) for weight in weights]
    count = 0
    for images, labels in batches:
        with torch.no_grad(), Tape() as tape:
            outputs = model(images)
        gradient, second = (curvature or cross_entropy_curvature)(outputs, labels)
        start = tape.number(outputs)
        seconds = _backwards(tape, start, second, gradient, gauss_newton)
        for total, weight in zip(totals, weights, strict=True):
            total += seconds.get(tape.number(weight), 0.0)
        count += len(images)
    return [total / count for total in totals]


def cross_entropy_curvature(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return p − y and p·(1 − p): what cross-entropy of a softmax has on its diagonal."""
    p = logits.softmax(1)
    return p - torch.zeros_like(p).scatter_(1, labels[:, None], 1.0), p * (1 - p)


def squared_error_curvature(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return those of Σ (target − output)²."""
    return 2 * (outputs - targets), torch.full_like(outputs, 2.0)


def _backwards(
    tape: Tape, start: int, second: Tensor, gradient: Tensor, gauss_newton: bool
) -> dict[int, Tensor]:
    """Return ∂²E/∂x² of every value of the tape that has one, by number."""
    seconds, gradients = {start: second}, {start: gradient}
    for call in reversed(tape.calls):
        d = [seconds.get(number) for number in call.outputs]
        if all(x is None for x in d) or not any(call.moving):
            continue
        g = [gradients.get(number) for number in call.outputs]
        _add(seconds, call, _rule(call)(call, d, [None] * len(g) if gauss_newton else g))
        if not gauss_newton:
            _add(gradients, call, call.pull(g))
    return seconds


def _add(values: dict[int, Tensor], call: Call, found: Sequence[Tensor | None]) -> None:
    for number, value, moving in zip(call.inputs, found, call.moving, strict=True):
        if value is not None and moving:
            values[number] = values[number] + value if number in values else value


Given = Sequence[Tensor | None]


def _multilinear(call: Call, d: Given, g: Given) -> list[Tensor | None]:
    return _with_squared_numbers(call).pull(d, torch.square)


def _with_squared_numbers(call: Call) -> Call:
    """Square the plain numbers of a product: x·3 passes on 9·d."""
    if call.name not in ("mul", "div"):
        return call
    args = tuple(a if isinstance(a, Tensor) else a * a for a in call.args)
    return replace(call, args=args)


def _routing(call: Call, d: Given, g: Given) -> list[Tensor | None]:
    return call.pull(d)


def _difference(call: Call, d: Given, g: Given) -> list[Tensor | None]:
    sum_of = replace(call, func=torch.ops.aten.add.Tensor, kwargs={})
    if call.kwargs.get("alpha", 1) != 1:
        raise _unknown(call)
    return sum_of.pull(d)


def _identity(call: Call, d: Given, g: Given) -> list[Tensor | None]:
    return [d[0]]


def _average(call: Call, d: Given, g: Given) -> list[Tensor | None]:
    """y is the mean of n entries: each has d/n², a share of 1/n of what the backward pass gives."""
    assert d[0] is not None
    return call.pull([d[0] * _weight_in_mean(call, d[0])])


def _weight_in_mean(call: Call, like: Tensor) -> Tensor:
    """Return 1/n for each entry of an average, n how many entries are averaged."""
    x = call.tensors[0]
    if call.name == "mean":
        return like.new_tensor(like.numel() / x.numel())
    if call.name == "_adaptive_avg_pool2d":
        sides = [
            torch.tensor([-(-(i + 1) * n // m) - i * n // m for i in range(m)], device=x.device)
            for n, m in zip(x.shape[-2:], like.shape[-2:], strict=True)
        ]
        return 1 / (sides[0][:, None] * sides[1][None, :]).to(like)
    kernel, stride, padding, ceil_mode, with_padding, divisor = _avg_pool_arguments(call)
    if ceil_mode or divisor is not None:
        raise _unknown(call)
    size = kernel[0] * kernel[-1]
    if with_padding:
        return like.new_tensor(1 / size)
    ones = torch.ones_like(x[:1, :1])
    return 1 / (size * nn.functional.avg_pool2d(ones, kernel, stride or kernel, padding))


def _avg_pool_arguments(call: Call) -> tuple[Any, ...]:
    defaults = (None, None, [], [0, 0], False, True, None)
    return (*call.args, *defaults[len(call.args) :])[1:]


def _elementwise(call: Call, d: Given, g: Given) -> list[Tensor | None]:
    x = call.tensors[0].detach().requires_grad_()
    with torch.enable_grad():
        y = call.func(x, *call.args[1:], **call.kwargs)
        (slope,) = torch.autograd.grad(y.sum(), x, create_graph=g[0] is not None)
    assert d[0] is not None
    result = slope.detach().square() * d[0]
    if g[0] is not None and slope.requires_grad:
        (bend,) = torch.autograd.grad(slope.sum(), x, allow_unused=True)
        result = result if bend is None else result + bend * g[0]
    return [result]


def _batch_norm(call: Call, d: Given, g: Given) -> list[Tensor | None]:
    """y = (x − mean)/deviation · scale + shift with constants for mean and deviation."""
    x, scale, shift, mean, variance = (*call.args[:5],)
    if any(argument is True for argument in call.args[5:6]) and "no_training" not in call.name:
        raise PassError("batch norms must be in evaluation mode", where="back-propagated curvature")
    eps, second = call.args[-1], d[0]
    assert second is not None
    sides = (1, -1, *(1,) * (x.ndim - 2))
    inverse = (variance + eps).rsqrt().view(sides)
    factor = inverse if scale is None else inverse * scale.view(sides)
    axes = [0, *range(2, x.ndim)]
    normed = (x - mean.view(sides)) * inverse
    found = {id(x): second * factor.square()}
    if scale is not None:
        found |= {id(scale): (second * normed.square()).sum(axes), id(shift): second.sum(axes)}
    return [found.get(id(tensor)) for tensor in call.tensors]


_MULTILINEAR = ["convolution", "addmm", "mm", "bmm", "mul", "div", "add", "cat", "stack", "sum"]
_ROUTING = [
    "view",
    "_unsafe_view",
    "reshape",
    "t",
    "transpose",
    "permute",
    "slice",
    "select",
    "split",
    "split_with_sizes",
    "chunk",
    "unbind",
    "expand",
    "unsqueeze",
    "squeeze",
    "clone",
    "alias",
    "detach",
    "constant_pad_nd",
    "index_select",
    "narrow",
    "channel_shuffle",
    "native_channel_shuffle",
    "pixel_shuffle",
    "_to_copy",
    "max_pool2d_with_indices",
    "adaptive_max_pool2d",
    "as_strided",
    "_reshape_alias",
    "roll",
    "flip",
    "amax",
]
_ELEMENTWISE = [
    "relu",
    "hardtanh",
    "sigmoid",
    "tanh",
    "silu",
    "gelu",
    "hardswish",
    "hardsigmoid",
    "leaky_relu",
    "elu",
    "softplus",
    "clamp",
    "clamp_min",
    "clamp_max",
    "mish",
    "exp",
    "log",
    "log_sigmoid_forward",
    "square",
    "pow",
]

_RULES: Mapping[str, Callable[[Call, Given, Given], list[Tensor | None]]] = {
    **dict.fromkeys(_MULTILINEAR, _multilinear),
    **dict.fromkeys(_ROUTING, _routing),
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
    **dict.fromkeys(("mean", "avg_pool2d", "_adaptive_avg_pool2d"), _average),
    **dict.fromkeys(("native_batch_norm", "_native_batch_norm_legit_no_training"), _batch_norm),
    "sub": _difference,
    "rsub": _identity,
    "neg": _identity,
}


def _rule(call: Call) -> Callable[[Call, Given, Given], list[Tensor | None]]:
    if call.name not in _RULES:
        raise _unknown(call)
    return _RULES[call.name]


def _unknown(call: Call) -> PassError:
    return PassError(
        f"no rule for the second derivative of operator {call.name}",
        where="back-propagated curvature",
        hint="take the criterion obd-hutchinson, which works for every operator",
    )
