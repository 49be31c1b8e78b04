"""What a network did to one batch, operator by operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode


@dataclass(frozen=True, eq=False)
class Call:
    """One operator call.

    Args:
        func: the aten operator; of an in-place operator, its counterpart that makes a new tensor.
        args: as they were before the call.
        kwargs: likewise.
        inputs: the number of the value of each tensor in `args`, in order.
        outputs: the numbers of the values made.
        moving: whether each tensor is a parameter or was made from one: constants and pictures
            have no derivatives.
    """

    func: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    moving: tuple[bool, ...]

    @property
    def name(self) -> str:
        """The operator's name without namespace and overload."""
        return self.func.overloadpacket.__name__

    @property
    def tensors(self) -> list[Tensor]:
        """The tensors in `args`, in order."""
        return tensors_of(self.args)

    def pull(
        self, cotangents: Sequence[Tensor | None], at: Callable[[Tensor], Tensor] = lambda x: x
    ) -> list[Tensor | None]:
        """Return the vector-Jacobian products for each tensor in `args`.

        Args:
            cotangents: one an output, None for zero.
            at: what to do to each tensor before: the place where the Jacobian is taken.
        """
        leaves = [
            at(x.detach()).requires_grad_(moving and x.is_floating_point())
            for x, moving in zip(self.tensors, self.moving, strict=True)
        ]
        with torch.enable_grad():
            made = tensors_of((self.func(*_replace(self.args, iter(leaves)), **self.kwargs),))
        pairs = [(y, c) for y, c in zip(made, cotangents, strict=False) if c is not None]
        if not (wanted := [x for x in leaves if x.requires_grad]):
            return [None] * len(leaves)
        products = iter(
            torch.autograd.grad(
                [y for y, _ in pairs], wanted, [c for _, c in pairs], allow_unused=True
            )
        )
        return [next(products) if x.requires_grad else None for x in leaves]


class Tape(TorchDispatchMode):
    """Records every operator while it is entered.

    Values have numbers: a tensor that is written in place has another number afterwards.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self._numbers: dict[int, int] = {}
        self._kept: list[Any] = []  # an id is only good as long as its object lives
        self._next = 0
        self._moving: set[int] = set()

    def number(self, tensor: Tensor) -> int:
        """Return the number of the value that a tensor holds now."""
        if id(tensor) not in self._numbers:
            self._name(tensor)
        return self._numbers[id(tensor)]

    def _name(self, tensor: Tensor) -> int:
        self._kept.append(tensor)
        self._numbers[id(tensor)] = self._next
        self._next += 1
        return self._numbers[id(tensor)]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        inputs = tuple(self.number(x) for x in tensors_of(args))
        moving = tuple(
            number in self._moving or isinstance(x, nn.Parameter) or x.requires_grad
            for number, x in zip(inputs, tensors_of(args), strict=True)
        )
        before, recorded = args, func
        if func.overloadpacket.__name__.endswith("_") and isinstance(args[0], Tensor):
            before = (self._keep(args[0]), *args[1:])
            packet = getattr(torch.ops.aten, func.overloadpacket.__name__[:-1])
            recorded = getattr(packet, func._overloadname)
        out = func(*args, **kwargs)
        outputs = tuple(self._name(y) for y in tensors_of((out,)))
        self._moving |= set(outputs) if any(moving) else set()
        self.calls.append(Call(recorded, before, kwargs, inputs, outputs, moving))
        return out

    def _keep(self, tensor: Tensor) -> Tensor:
        """Return a copy of what is about to be written over, and give it to those who read it."""
        copy, number = tensor.clone(), self.number(tensor)
        for index, call in enumerate(self.calls):
            if number in call.inputs:
                kept = [copy if x is tensor else x for x in call.tensors]
                self.calls[index] = replace(call, args=tuple(_replace(call.args, iter(kept))))
        return copy


def tensors_of(args: Sequence[Any]) -> list[Tensor]:
    """Return the tensors among arguments and in lists among them."""
    found: list[Tensor] = []
    for argument in args:
        if isinstance(argument, Tensor):
            found.append(argument)
        elif isinstance(argument, (list, tuple)):
            found.extend(x for x in argument if isinstance(x, Tensor))
    return found


def _replace(args: Sequence[Any], leaves: Any) -> list[Any]:
    """Return the arguments with their tensors taken from `leaves`, in order."""
    return [
        next(leaves)
        if isinstance(argument, Tensor)
        else _replace(argument, leaves)
        if isinstance(argument, (list, tuple))
        else argument
        for argument in args
    ]
