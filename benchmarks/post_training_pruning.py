"""Prune trained CIFAR ResNets without retraining and compare what the methods lose.

    python benchmarks/post_training_pruning.py [ROOT] [--networks …] [--methods …] [--out FOLDER]
    python benchmarks/post_training_pruning.py --table [--out FOLDER] [--figure FILE.svg]

ROOT has `train/CLASS/*.jpg` and `test/CLASS/*.jpg`: `cifar10/` under the folder that GOSSAMER_DATA
names unless given; the trained weights lie beside it. They were trained on the original pictures
and ours are strongly compressed JPEG, so that the networks are fine-tuned for five epochs first;
the dense figure is the one after that. Then, for each network, method, allocation, sparsity and
seed: prune, estimate the norms anew, measure. Nothing is retrained. The seed is that of the
pictures that a method may look at (1,024 training pictures), and of those for the norms.

What does not depend on the sparsity (scores, second moments of inputs) is found once a network and
seed; the rest is what the passes `prune` and `sparse-gpt` do. Every sparsity is complete for all
seeds before the next begins, 80 % first.

Each measurement is one JSON record in FOLDER, written when it is done: the same command goes on
where it was stopped. `--table` measures nothing; it prints what the records say, each method with
the allocation that serves it best on average over the seeds, and its mean and spread.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from statistics import mean
from time import perf_counter
from typing import Any

import torch
from cifar_resnets import (
    RESULTS,
    add_options,
    panels,
    parents,
    pictures,
    read,
    spread,
    surroundings,
    write,
)
from torch import Tensor, nn

from gossamer.compress.layers import match_layers
from gossamer.compress.prune.criteria.surgeon import share, surgeon_saliency
from gossamer.compress.prune.criterion import Evidence, Layers
from gossamer.compress.prune.curvature.inputs import input_quadratic, second_moments
from gossamer.compress.prune.curvature.quadratic import Quadratic
from gossamer.compress.prune.curvature.removal import removal_scores
from gossamer.compress.prune.granularity import Granularity
from gossamer.compress.prune.one_shot import Prune
from gossamer.compress.prune.registry import CRITERIA
from gossamer.compress.prune.sparse_gpt import SparseGPT
from gossamer.compress.recover import recover
from gossamer.errors import GossamerError, SpecError
from gossamer.train.data import Data
from gossamer.train.evaluate import accuracy
from gossamer.train.options import options_to_dict

RECORDS = RESULTS / "post_training_pruning"
SPARSITIES = (0.8, 0.9, 0.7, 0.5)
METHODS: dict[str, tuple[Prune | SparseGPT, tuple[str, ...]]] = {
    "magnitude": (Prune(criterion="magnitude"), ("global", "erk", "uniform")),
    "OBD": (Prune(criterion="obd"), ("global",)),
    "SparseGPT-like": (SparseGPT(), ("global", "uniform")),
    "ExactOBS": (Prune(criterion="exact-obs", compensate="inputs"), ("global",)),
    "ExactOBS, outputs fitted": (Prune(criterion="exact-obs", compensate="outputs"), ("global",)),
}
"""With the allocations that are tried."""
USUAL = tuple(METHODS)[:4]


def step_of(method: str, allocation: str, sparsity: float, images: int) -> Prune | SparseGPT:
    """Return the pass of one measurement."""
    step, _ = METHODS[method]
    return replace(step, sparsity=sparsity, allocation=allocation, images=images)


class Prepared:
    """A dense network and what its pictures say of it, whatever will be removed."""

    def __init__(self, dense: nn.Module, data: Data, seed: int, images: int) -> None:
        self.dense, self.data, self.seed = dense, data, seed
        self.layers = layers_of(dense)
        self.evidence = Evidence(dense, data.train, images, seed=seed)
        self._scores: dict[str, dict[str, Tensor]] = {}

    @cached_property
    def moments(self) -> dict[str, Tensor]:
        """Second moments of what each layer sees, a picture."""
        found = second_moments(self.layers, self.evidence)
        return {name: total / self.evidence.count for name, total in found.items()}

    def quadratics(self, **damping: float) -> dict[str, Quadratic]:
        """Return what `input_quadratics` gives."""
        return {n: input_quadratic(m, self.moments[n], **damping) for n, m in self.layers.items()}

    def scores(self, criterion: str) -> dict[str, Tensor]:
        """Return what the criterion of this name gives."""
        if criterion not in self._scores:
            self._scores[criterion] = self._score(criterion)
        return self._scores[criterion]

    def _score(self, criterion: str) -> dict[str, Tensor]:
        if criterion == "layer-obs":
            return {n: share(q, surgeon_saliency(q)) for n, q in self.quadratics().items()}
        if criterion == "exact-obs":
            traced = {
                n: (q, removal_scores(q, Granularity())) for n, q in self.quadratics().items()
            }
            return {n: share(q, scores) for n, (q, scores) in traced.items()}
        return CRITERIA[criterion]().scores(self.layers, self.evidence, Granularity())

    def pruned(self, step: Prune | SparseGPT) -> nn.Module:
        """Return a pruned copy with its norms estimated anew."""
        model = deepcopy(self.dense)
        layers = layers_of(model)
        if isinstance(step, SparseGPT):
            scores = self.scores("layer-obs") if step.allocation == "global" else {}
            step.sweep(layers, scores, self.quadratics(damping=step.damping).items())
        else:
            quadratics = self.quadratics().items() if step.compensate == "inputs" else None
            evidence = replace(self.evidence, model=model)
            step.remove(layers, self.scores(step.criterion), evidence, quadratics)
        return recover(model.eval(), self.data.train, self.dense, seed=self.seed)


def layers_of(model: nn.Module) -> Layers:
    """Return all convolutions and linear layers."""
    return match_layers(model, (".*",), (), where="post-training pruning")


def measure(
    network: str, prepared: Prepared, method: str, step: Prune | SparseGPT, out: Path
) -> None:
    """Prune a copy and write what is left of its accuracy; nothing to do if that is there."""
    options, seed = options_to_dict(step), prepared.seed
    stem = f"{network}-{method}-{options['allocation']}-{options['sparsity']:g}-seed{seed}"
    stem = stem.lower().replace(", ", "-").replace(" ", "-")
    target = out / f"{stem}.json"
    if target.exists():
        if read(target)["options"] != options:
            raise SpecError("the record has other options", where=target, hint="another --out")
        return
    start = perf_counter()
    model = prepared.pruned(step)
    pruned_s = perf_counter() - start
    record = {
        "network": network,
        "method": method,
        "options": options,
        "seed": seed,
        "dense": dense_accuracy(prepared.dense, prepared.data),
        "got": dict(step.got(model)),
        "accuracy": accuracy(model, prepared.data.test),
        "pruned_s": round(pruned_s, 1),
        "time_s": round(perf_counter() - start, 1),
        **surroundings(),
    }
    write(target, record)
    print(f"{stem}: {record['accuracy']:.2%}, {record['time_s']} s", flush=True)


@cache
def dense_accuracy(dense: nn.Module, data: Data) -> float:
    return accuracy(dense, data.test)


Found = dict[str, dict[tuple[str, float], list[float]]]
"""Network → (method, sparsity) → accuracy of each seed, in percent."""


def read_records(out: Path) -> tuple[dict[str, float], Found]:
    """Return dense accuracies, and each method's with the allocation that serves it best."""
    dense: dict[str, float] = {}
    every: dict[str, Any] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for path in sorted(out.glob("*.json")):
        record = read(path)
        options = record["options"]
        dense[record["network"]] = 100 * record["dense"]
        cell = every[record["network"]][record["method"], options["sparsity"]]
        cell[options["allocation"]].append(100 * record["accuracy"])
    best = {
        network: {key: max(cell.values(), key=mean) for key, cell in cells.items()}
        for network, cells in every.items()
    }
    return dense, best


def print_table(dense: Mapping[str, float], found: Found) -> None:
    """Print one row a network and method."""
    sparsities = sorted({sparsity for cells in found.values() for _, sparsity in cells})
    heads = " | ".join(f"{sparsity:.0%}" for sparsity in sparsities)
    print(f"| network | dense, % | method | {heads} |")
    print(f"|---|---:|---|{'---:|' * len(sparsities)}")
    for network, cells in found.items():
        for method in METHODS:
            row = [cells.get((method, sparsity)) for sparsity in sparsities]
            texts = [spread(values) if values else "–" for values in row]
            if any(row):
                print(f"| {network} | {dense[network]:.2f} | {method} | {' | '.join(texts)} |")


def draw(dense: Mapping[str, float], found: Found, path: Path) -> None:
    """Draw accuracy against sparsity, one panel a network: mean over the seeds, and their range."""
    with panels(list(found), path, "sparsity, %") as axes:
        for network, cells in found.items():
            own = axes[network]
            own.axhline(dense[network], color="grey", linestyle="--", label="dense")
            for method in METHODS:
                if not (known := sorted((s, v) for (m, s), v in cells.items() if m == method)):
                    continue
                x = [100 * sparsity for sparsity, _ in known]
                (line,) = own.plot(x, [mean(v) for _, v in known], marker="o", label=method)
                lowest, highest = [min(v) for _, v in known], [max(v) for _, v in known]
                own.fill_between(x, lowest, highest, color=line.get_color(), alpha=0.15)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser, RECORDS)
    parser.add_argument("--figure", type=Path, help="with --table: draw to this SVG")
    parser.add_argument("--methods", nargs="+", default=USUAL, choices=list(METHODS))
    parser.add_argument("--sparsities", type=float, nargs="+", default=SPARSITIES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--images", type=int, default=1024, help="that a method may look at")
    return parser


def run(chosen: argparse.Namespace) -> None:
    """Measure what is asked and not there yet; a sparsity is complete before the next begins."""
    data = pictures(chosen.root)
    dense = parents(chosen, data)
    prepared: dict[tuple[str, int], Prepared] = {}
    for sparsity in chosen.sparsities:
        for seed in chosen.seeds:
            for network, model in dense.items():
                key = network, seed
                if key not in prepared:
                    prepared[key] = Prepared(model, data, seed, chosen.images)
                for method in chosen.methods:
                    for allocation in METHODS[method][1]:
                        step = step_of(method, allocation, sparsity, chosen.images)
                        measure(network, prepared[key], method, step, chosen.out)


def main() -> None:
    parser = arguments()
    chosen = parser.parse_args()
    if chosen.table:
        dense, found = read_records(chosen.out) if chosen.out.is_dir() else ({}, {})
        if not found:
            parser.error(f"no records in {chosen.out}")
        print_table(dense, found)
        if chosen.figure:
            draw(dense, found, chosen.figure)
        return
    torch.set_num_threads(chosen.threads)
    try:
        run(chosen)
    except GossamerError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
