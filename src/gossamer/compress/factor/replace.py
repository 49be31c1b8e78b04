"""Putting chains in the place of layers: what the passes that factor have in common."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from math import isnan

from torch import nn

from gossamer.compress.chains import replace_module
from gossamer.compress.contract import Context, check_data
from gossamer.compress.factor.cost import MEASURES, Cost
from gossamer.compress.factor.method import NewMethod
from gossamer.compress.factor.plan import Plan, Replacement, Rule, check_plan, make_plan
from gossamer.compress.factor.reconstruct import fit_last
from gossamer.compress.factor.stage import build_chain
from gossamer.compress.factor.target import find_targets
from gossamer.compress.layers import match_layers
from gossamer.compress.prune.criterion import Evidence
from gossamer.compress.prune.retrain import train_sparse
from gossamer.compress.prune.scope import check_choice
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe


@dataclass(frozen=True)
class Work:
    """What a pass that factors asks for.

    Args:
        name: of the pass.
        new: makes a method for a target.
        rule: how choices are made.
        of: what the budget is a share of, a name in `MEASURES`.
        images: training pictures to look at, at most.
        reconstruct: whether last factors are fitted to the dense network's outputs.
        include: regular expressions of layer names.
        exclude: regular expressions of layer names to leave alone.
        training: how to train on afterwards.
    """

    name: str
    new: NewMethod
    rule: Rule
    of: str
    images: int
    reconstruct: bool
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    training: Recipe

    def check(self, model: nn.Module, context: Context, *, needs_data: bool) -> None:
        """Raise PassError if it cannot be done; weights are not worked on."""
        self._check_numbers()
        check_choice(self.name, "measure", self.of, MEASURES)
        check_data(self.name, self.training, context)
        hint = "pass data=…" if needs_data else "pass data=…, or set reconstruct to false"
        if (needs_data or self.reconstruct) and context.data is None:
            raise PassError("measuring needs data", where=self.name, hint=hint)
        if self.of == "time" and context.time_ms is None:
            raise PassError("measuring time needs a function", where=self.name, hint="time_ms=…")
        layers = match_layers(model, self.include, self.exclude, where=self.name)
        targets, reasons = find_targets(model, layers, context.example_inputs)
        cost = Cost(self.of, context.time_ms)
        check_plan(targets, reasons, self.new, self.rule, cost, where=self.name)

    def _check_numbers(self) -> None:
        rule = self.rule
        for label, value, fits, expected in (
            ("amount", rule.amount, 0 <= rule.amount < 1, "0 ≤ a < 1"),
            ("energy", rule.energy, 0 < rule.energy <= 1, "0 < e ≤ 1"),
            ("multiple", rule.multiple, rule.multiple >= 1, "≥ 1"),
            ("images", self.images, self.images >= 1, "≥ 1"),
        ):
            if not fits:
                raise PassError(
                    f"{label} out of range", where=self.name, got=value, expected=expected
                )

    def apply(self, model: nn.Module, context: Context) -> nn.Module:
        """Replace in place, fit and train on."""
        layers = match_layers(model, self.include, self.exclude, where=self.name)
        targets, reasons = find_targets(model, layers, context.example_inputs, context.seed)
        split = context.data.train if context.data is not None else None
        evidence = Evidence(model, split, self.images, seed=context.seed)
        cost = Cost(self.of, context.time_ms)
        check_plan(targets, reasons, self.new, self.rule, cost, where=self.name)  # other passes ran
        plan = make_plan(targets, self.new, self.rule, cost, evidence, where=self.name)
        dense = deepcopy(model)
        chains = put_chains(model, plan)
        errors = fit_last(chains, dense, evidence) if self.reconstruct else {}
        _tell(replace(plan, reasons={**reasons, **plan.reasons}), errors, self.of, context)
        train_sparse(model, context, self.training, (".*",), ())
        return model


def put_chains(model: nn.Module, plan: Plan) -> dict[str, nn.Sequential]:
    """Put the planned chains into a model and return them by the layers' names, in their order."""
    made = {}
    for name, replacement in plan.replacements.items():
        target, choice = replacement.method.target, replacement.candidate.choice
        stages = replacement.method.stages(choice)
        weights = target.keep_dead(stages, replacement.method.weights(choice))
        chain = build_chain(stages, weights, target.layer.bias, target.levels)
        made[name] = chain.to(target.layer.weight.dtype).train(target.layer.training)
        replace_module(model, target.layer, made[name])
    return made


def _tell(plan: Plan, errors: Mapping[str, float], of: str, context: Context) -> None:
    """Say what was replaced by what, and what was not and why."""
    context.tell("layers_factored", len(plan.replacements))
    context.tell(f"{of}_saved", plan.saved)
    for name, one in plan.replacements.items():
        context.tell(name, _sentence(one, of, errors.get(name)))
    for name, reason in plan.reasons.items():
        context.tell(name, f"not factored: {reason}")


def _sentence(made: Replacement, of: str, error: float | None) -> str:
    choice, loss = made.candidate.choice, made.candidate.loss
    unit = "ms" if of == "time" else of
    said = f"{len(made.method.stages(choice))} factors ({' · '.join(map(str, choice))}), "
    said += f"{made.before:,.6g} → {made.after:,.6g} {unit}"
    said += "" if isnan(loss) else f", expected loss {loss:.2%}"
    return said if error is None else f"{said}, error of its outputs {error:.2%}"
