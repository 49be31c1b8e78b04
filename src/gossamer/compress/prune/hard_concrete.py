"""L0 regularisation: gates that are zero or one with some probability, which is learned.

Source: Louizos, Welling & Kingma, "Learning Sparse Neural Networks through L0 Regularization",
2018, with its constants β, γ and ζ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import ClassVar

import torch
from torch import Tensor, nn, optim
from torch.nn.utils.parametrize import register_parametrization, remove_parametrizations

from gossamer.compress.contract import Context
from gossamer.compress.layers import match_layers
from gossamer.compress.prune.criterion import Layers
from gossamer.compress.prune.scope import check_choice, check_scope, sparsities
from gossamer.compress.train_on import train_on
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe
from gossamer.train.step import Step

BETA, GAMMA, ZETA = 2 / 3, -0.1, 1.1
"""Temperature, and the ends that the concrete distribution is stretched to."""
GATES = ("element", "filter", "channel")
_EDGE = 1e-6
_LARGEST = log(100)  # of |ln α|
_TRAINING = Recipe(epochs=10, learning_rate=0.02)


@dataclass(frozen=True)
class L0Prune:
    """Train with a gate on each weight, filter or input channel; closed gates leave exact zeros.

    A gate is a hard concrete variable: z = min(1, max(0, s(ζ − γ) + γ)), with s = σ((ln u − ln(1 −
    u) + ln α)/β), drawn anew in every step while training. The loss grows by the strength times the
    expected fraction of the gated weights that are not zero. In the end each weight is multiplied
    with z = min(1, max(0, σ(ln α)(ζ − γ) + γ)), and the gates are gone. What is zero before stays
    zero. The sparsity is what comes of it.

    Gates are trained by Adam with a rate of their own. The source counts gates, not the share of
    the weights behind them, and starts at drop = 0.5 with an untrained network.

    Args:
        strength: λ ≥ 0.
        gates: one for each "element", "filter" or input "channel".
        drop: probability, at the beginning, of what the gates start from: ln α = ln((1 − d)/d),
            0.01…0.99.
        gate_rate: learning rate of ln α, > 0.
        include: regular expressions of layer names.
        exclude: regular expressions of layer names to leave alone.
        training: how to train; without epochs nothing happens.
    """

    name: ClassVar[str] = "l0-prune"

    strength: float = 1.0
    gates: str = "element"
    drop: float = 0.1
    gate_rate: float = 0.05
    include: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()
    training: Recipe = _TRAINING

    def check(self, model: nn.Module, context: Context) -> None:
        """Raise PassError if the pass cannot do what it is asked."""
        check_choice(self.name, "kind of gate", self.gates, GATES)
        numbers = (self.strength, self.drop, self.gate_rate)
        if not (
            0 <= self.strength < 1e6 and 0.01 <= self.drop <= 0.99 and 0 < self.gate_rate < 1e3
        ):
            raise PassError(
                "strength, drop or gate_rate out of range", where=self.name, got=numbers
            )
        check_scope(self.name, model, context, self.include, self.exclude, self.training)

    def apply(self, model: nn.Module, context: Context) -> nn.Module:
        """Train in place."""
        if context.data is None or self.training.epochs == 0:
            return model
        layers = match_layers(model, self.include, self.exclude, where=self.name)
        gates = {n: Gate(own.weight, self.gates, self.drop) for n, own in layers.items()}
        gatekeeper = _Gatekeeper(gates, self.strength, self.gate_rate)
        for name, layer in layers.items():
            register_parametrization(layer, "weight", gates[name])
        try:
            hooks, penalties = (gatekeeper,), (gatekeeper.penalty,)
            train_on(model, context, self.training, hooks, penalties, free=tuple(layers))
        finally:
            _close(layers)
        return model

    def got(self, model: nn.Module) -> Mapping[str, float]:
        """Return the sparsity of the matched layers, and of the extreme ones."""
        return sparsities(match_layers(model, self.include, self.exclude, where=self.name))


class Gate(nn.Module):
    """A parametrisation of a weight: times its gates, drawn while training, fixed otherwise.

    ln α is no parameter of the network, so that its optimiser and its state do not know of it.

    Args:
        weight: as it is at the beginning.
        gates: one of GATES.
        drop: as in `L0Prune`.
    """

    def __init__(self, weight: Tensor, gates: str, drop: float) -> None:
        super().__init__()
        axes = {"element": range(weight.ndim), "filter": [0], "channel": [1]}[gates]
        shape = [size if axis in axes else 1 for axis, size in enumerate(weight.shape)]
        self.alive = weight.detach() != 0
        self.log_alpha = torch.full(shape, log((1 - drop) / drop), device=weight.device)
        self.log_alpha.requires_grad_()

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight as it counts; closed gates leave +0."""
        log_alpha = self.log_alpha.to(weight.device)
        gate = drawn_gate(log_alpha) if self.training else fixed_gate(log_alpha)
        return torch.where(self.alive.to(weight.device) & (gate > 0), weight * gate, 0.0)

    def density(self) -> Tensor:
        """Return the expected number of the weights that are not zero."""
        return (open_probability(self.log_alpha) * self.alive).sum()


class _Gatekeeper:
    """Trains the gates of all layers: after each step of a training, by Adam."""

    def __init__(self, gates: Mapping[str, Gate], strength: float, rate: float) -> None:
        self.gates, self.strength = gates, strength
        self.weights = sum(int(gate.alive.sum()) for gate in gates.values())
        self.optimiser = optim.Adam([gate.log_alpha for gate in gates.values()], rate)

    def penalty(self) -> Tensor:
        """Return λ times the expected fraction of weights that are not zero."""
        total = torch.stack([gate.density().cpu() for gate in self.gates.values()]).sum()
        return self.strength * total / max(1, self.weights)

    def __call__(self, step: Step) -> None:
        self.optimiser.step()
        self.optimiser.zero_grad()
        with torch.no_grad():
            for gate in self.gates.values():
                gate.log_alpha.clamp_(-_LARGEST, _LARGEST)

    def state_dict(self) -> dict[str, Tensor]:
        """Return what to store in a checkpoint."""
        found = {}
        for name, gate in self.gates.items():
            own = {"log_alpha": gate.log_alpha, **self.optimiser.state[gate.log_alpha]}
            found |= {f"{name}.{key}": torch.as_tensor(value) for key, value in own.items()}
        return found

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take what was stored."""
        for label, value in state.items():
            name, key = label.rsplit(".", 1)
            gate = self.gates[name]
            if key == "log_alpha":
                with torch.no_grad():
                    gate.log_alpha.copy_(value)
            else:
                self.optimiser.state[gate.log_alpha][key] = value


def drawn_gate(log_alpha: Tensor) -> Tensor:
    """Return gates drawn from the hard concrete distribution, 0…1."""
    u = torch.empty_like(log_alpha).uniform_(_EDGE, 1 - _EDGE)
    concrete = torch.sigmoid((u.log() - (1 - u).log() + log_alpha) / BETA)
    return _stretched(concrete)


def fixed_gate(log_alpha: Tensor) -> Tensor:
    """Return the gates that stand in for drawn ones when the network is used.

    Examples:
        >>> fixed_gate(torch.tensor([-5.0, 0.0, 5.0]))
        tensor([0.0000, 0.5000, 1.0000])
    """
    return _stretched(torch.sigmoid(log_alpha))


def open_probability(log_alpha: Tensor) -> Tensor:
    """Return the probability that a drawn gate is not zero.

    Examples:
        >>> round(float(open_probability(torch.tensor(0.0))), 5)
        0.83182
    """
    return torch.sigmoid(log_alpha - BETA * log(-GAMMA / ZETA))


def _stretched(concrete: Tensor) -> Tensor:
    return (concrete * (ZETA - GAMMA) + GAMMA).clamp(0, 1)


def _close(layers: Layers) -> None:
    """Give each layer its plain weight back, times its gates."""
    for layer in layers.values():
        layer.eval()
        remove_parametrizations(layer, "weight", leave_parametrized=True)
        # The weight has come to stand behind the bias; states list them in this order.
        layer.register_parameter("bias", layer._parameters.pop("bias"))
