"""Which layers are replaced, and by what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import log1p, nan

from gossamer.compress.factor.allocate import Option, allocate
from gossamer.compress.factor.cost import Cost
from gossamer.compress.factor.method import Candidate, Method, NewMethod
from gossamer.compress.factor.target import Target
from gossamer.compress.prune.criterion import Evidence
from gossamer.compress.prune.curvature.collect import chunks
from gossamer.compress.prune.curvature.inputs import second_moments
from gossamer.errors import PassError

RULES = ("budget", "energy", "noise")
_MOST = 1 - 1e-9  # loss that is still told from the loss of everything
_TIMED = 8  # candidates of a layer whose time is measured


@dataclass(frozen=True)
class Rule:
    """How choices are made.

    Args:
        ranks: "budget" (all layers together), "energy" (each layer on its own) or "noise" (EVBMF).
        amount: share of the cost of all layers that goes by the budget, 0 ≤ a < 1.
        energy: share of each layer's energy that stays, 0 < e ≤ 1.
        multiple: ranks are multiples of it, ≥ 1.
    """

    ranks: str = "budget"
    amount: float = 0.5
    energy: float = 0.95
    multiple: int = 1


@dataclass(frozen=True, eq=False)
class Replacement:
    """What will stand in a layer's place.

    Args:
        method: of that layer.
        candidate: that was chosen.
        before: cost of the layer as it is.
        after: cost of the chain.
    """

    method: Method
    candidate: Candidate
    before: float
    after: float


@dataclass(frozen=True, eq=False)
class Plan:
    """What will be done.

    Args:
        replacements: by layer.
        reasons: of the layers that stay as they are.
        saved: share of the cost of all layers that the method is for.
    """

    replacements: Mapping[str, Replacement]
    reasons: Mapping[str, str]
    saved: float


def check_plan(
    targets: Mapping[str, Target],
    reasons: Mapping[str, str],
    new: NewMethod,
    rule: Rule,
    cost: Cost,
    *,
    where: str,
) -> None:
    """Raise PassError if no layer can be replaced, or the budget is out of reach; without work."""
    methods, refused = _methods(targets, new)
    if not methods:
        raise PassError(
            "no layer can be factored", where=where, got=_listed({**reasons, **refused})
        )
    if rule.ranks != "budget" or cost.of == "time":  # times are known when they are measured
        return
    now = {name: cost.now(method.target) for name, method in methods.items()}
    after = {
        name: cost.later(method.target, method.stages(method.least(rule.multiple)))
        for name, method in methods.items()
    }
    least = sum(min(now[name], after[name]) for name in methods)
    _check_amount(rule.amount, 1 - least / sum(now.values()), cost.of, where)


def _check_amount(amount: float, most: float, of: str, where: str) -> None:
    if amount > most + 1e-12:
        raise PassError(
            f"the layers that can be factored cannot lose so large a share of their {of}",
            where=where,
            got=amount,
            expected=f"at most {most:.3f}",
        )


def make_plan(
    targets: Mapping[str, Target],
    new: NewMethod,
    rule: Rule,
    cost: Cost,
    evidence: Evidence,
    *,
    where: str,
) -> Plan:
    """Return what to put in the place of which layer.

    Args:
        targets: by name.
        new: makes a method for a target.
        rule: how choices are made.
        cost: of layers.
        evidence: with data where the method needs it.
        where: the pass, for messages.

    Raises:
        PassError: if the budget is out of reach, by times that only now are known.
    """
    free, reasons = _methods(targets, new)
    options = {
        name: _options(method, rule, cost) for name, method in _with_moments(free, new, evidence)
    }
    total = sum(own[0].before for own in options.values())
    if rule.ranks == "budget":
        least = sum(min(one.after for one in own) for own in options.values())
        _check_amount(rule.amount, 1 - least / total, cost.of, where)
        chosen = _by_budget(options, rule.amount)
    else:
        chosen = {name: _alone(own, rule, cost) for name, own in options.items()}
    later = sum(one.after for one in chosen.values())
    for name, one in chosen.items():
        if one is options[name][0]:
            reasons[name] = _reason(options[name], rule)
    found = {name: one for name, one in chosen.items() if one is not options[name][0]}
    return Plan(found, reasons, 1 - later / total)


def _methods(
    targets: Mapping[str, Target], new: NewMethod
) -> tuple[dict[str, Method], dict[str, str]]:
    """Return methods without data, and reasons where they are not for a layer."""
    methods = {name: new(target) for name, target in targets.items()}
    told = {name: method.reason() for name, method in methods.items()}
    free = {name: method for name, method in methods.items() if told[name] is None}
    return free, {name: reason for name, reason in told.items() if reason is not None}


def _with_moments(
    methods: Mapping[str, Method], new: NewMethod, evidence: Evidence
) -> Iterator[tuple[str, Method]]:
    """Yield the methods, with the moments of their inputs where they need them."""
    if not any(method.needs_data for method in methods.values()):
        yield from methods.items()
        return
    layers = {name: method.target.layer for name, method in methods.items()}
    sizes = {n: m.target.groups * m.target.matrix.shape[2] ** 2 for n, m in methods.items()}
    for chunk in chunks(layers, sizes):
        moments = second_moments(chunk, evidence)
        for name in chunk:
            target = methods[name].target
            places = evidence.count * target.places
            yield name, new(replace(target, moment=moments.pop(name) / places))


def _options(method: Method, rule: Rule, cost: Cost) -> list[Replacement]:
    """Return the layer as it is, and what is cheaper."""
    now = cost.now(method.target)
    as_is = Replacement(method, Candidate((), 0.0), now, now)
    if rule.ranks == "noise":
        return [as_is]
    candidates = method.candidates(rule.multiple)
    if cost.of == "time":
        candidates = candidates[:: -(-len(candidates) // _TIMED)]
    made = [_replacement(method, candidate, now, cost) for candidate in candidates]
    return [as_is, *(one for one in made if one.after < now)]


def _replacement(method: Method, candidate: Candidate, now: float, cost: Cost) -> Replacement:
    after = cost.later(method.target, method.stages(candidate.choice))
    return Replacement(method, candidate, now, after)


def _by_budget(options: Mapping[str, list[Replacement]], amount: float) -> dict[str, Replacement]:
    """Return the choice that maximises the product of what the layers keep.

    Source: Zhang et al., "Accelerating Very Deep Convolutional Networks", 2015, section 3.4.
    """
    costs = {
        name: [Option(one.after, -log1p(-min(one.candidate.loss, _MOST))) for one in own]
        for name, own in options.items()
    }
    budget = (1 - amount) * sum(own[0].cost for own in costs.values())
    return {name: options[name][index] for name, index in allocate(costs, budget).items()}


def _alone(options: list[Replacement], rule: Rule, cost: Cost) -> Replacement:
    """Return the cheapest chain that keeps enough, or the one that noise leaves; or the layer."""
    as_is, *others = options
    if rule.ranks == "noise":
        choice = as_is.method.noise_choice(rule.multiple)
        found = [Candidate(choice, nan)] if choice is not None else []
        others = [_replacement(as_is.method, one, as_is.before, cost) for one in found]
    else:
        others = [one for one in others if one.candidate.loss <= 1 - rule.energy + 1e-12]
    return min((as_is, *others), key=lambda one: one.after)


def _reason(options: list[Replacement], rule: Rule) -> str:
    """Return why a layer stays for which there is a method."""
    if rule.ranks == "noise":
        return "the ranks that EVBMF finds, if any, make no cheaper chain"
    cheaper = len(options) > 1
    return "the chains that are cheaper lose too much" if cheaper else "no chain is cheaper"


def _listed(reasons: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
