"""Prune CIFAR ResNets without retraining: gossamer beside Torch-Pruning and the published OBC code.

    python benchmarks/rivals_pruning.py [ROOT] [--obc CHECKOUT] [--networks …] [--out FOLDER]
    python benchmarks/rivals_pruning.py --table [--out FOLDER]

ROOT, parents and calibration pictures are those of `post_training_pruning.py`: the same dense
networks, the same 1,024 training pictures a seed, norms estimated anew on as many, nothing trained.

Zeros, at the same sparsity over all layers, first and last included:

- gossamer: ExactOBS with one ranking over all layers;
- OBC, uniform: the published code's `TrueOBS`, the same sparsity in every layer;
- OBC, squared errors: its layers at the levels of its database (density in steps of 0.9), shared
  out by dynamic programming over its relative squared errors; the program for that is ours, as
  theirs is bound to its own data sets.

CHECKOUT is a copy of https://github.com/IST-DASLab/OBC; without it OBC is left out. Its calls of
CUDA are answered by nothing.

Channels, at the same share of MACs removed:

- gossamer: `remove-channels` by energy, what is left fitted to the outputs;
- gossamer, inner: the same, with those channels held that meet in the sums;
- gossamer, inner, not fitted: the same, by the weights alone;
- Torch-Pruning (`pip install torch-pruning`): global, by magnitude and by Taylor's first order on
  the calibration pictures. It cannot follow shortcuts that pad channels with zeros, as these
  networks have: what meets in the sums is held there.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable
from contextlib import redirect_stdout
from copy import deepcopy
from functools import cached_property
from importlib import import_module, util
from io import StringIO
from pathlib import Path
from statistics import mean
from time import perf_counter
from typing import Any

import torch
from cifar_resnets import (
    RESULTS,
    SIZE,
    add_options,
    parents,
    pictures,
    read,
    spread,
    surroundings,
    write,
)
from post_training_pruning import Prepared, layers_of, step_of
from torch import Tensor, nn

from gossamer.compress.channels.removal import remove_channels
from gossamer.compress.channels.score import energy
from gossamer.compress.channels.select import Share
from gossamer.compress.measure import measure as count
from gossamer.compress.prune.sensitivity import cheapest
from gossamer.compress.recover import recover
from gossamer.errors import GossamerError, MissingDependencyError, SpecError
from gossamer.train.data import Data
from gossamer.train.evaluate import accuracy

RECORDS = RESULTS / "rivals_pruning"
EXAMPLE = torch.zeros(1, 3, SIZE, SIZE)
INNER = "conv1"
"""The layers inside residual units, whose outputs meet no sum."""


class Obc:
    """The traces of the published code on one network and seed."""

    def __init__(self, prepared: Prepared, checkout: Path) -> None:
        self.prepared = prepared
        if str(checkout) not in sys.path:
            sys.path.insert(0, str(checkout))
        torch.cuda.synchronize = lambda *args: None  # type: ignore[assignment]
        self.kind = import_module("trueobs").TrueOBS

    @cached_property
    def traces(self) -> dict[str, Any]:
        """Its record of every layer, all weights removed one after the other."""
        dense = deepcopy(self.prepared.dense)
        layers = layers_of(dense)
        found = {name: self.kind(layer) for name, layer in layers.items()}

        def add(name: str) -> Callable[..., None]:
            return lambda layer, inputs, out: found[name].add_batch(inputs[0].data, out.data)

        hooks = [layer.register_forward_hook(add(name)) for name, layer in layers.items()]
        with torch.no_grad():
            for images, _ in self.prepared.evidence.batches():
                dense(images)
            for hook in hooks:
                hook.remove()
            with redirect_stdout(StringIO()):
                for trace in found.values():
                    trace.prepare_unstr()
        return found

    def uniform(self, sparsity: float) -> nn.Module:
        """Return a copy with the same sparsity in every layer."""
        return self._with({name: self._weights(name, [sparsity])[0] for name in self.traces})

    def shared_out(self, sparsity: float) -> nn.Module:
        """Return a copy with the sparsities that add least to the relative squared errors."""
        levels = [1 - 0.9**step for step in range(44)] + [0.99]
        options = {name: self._weights(name, levels) for name in self.traces}
        errors, sizes = [], []
        for name, weights in options.items():
            curvature = self.traces[name].H
            dense = self.prepared.layers[name].weight.detach().flatten(1)
            whole = _loss(dense, curvature)
            errors.append([_loss(dense - w.flatten(1), curvature) / whole for w in weights])
            sizes.append(dense.numel())
        chosen = cheapest(errors, sizes, levels, sparsity)
        return self._with({n: options[n][i] for n, i in zip(options, chosen, strict=True)})

    def _weights(self, name: str, sparsities: list[float]) -> list[Tensor]:
        shape = self.prepared.layers[name].weight.shape
        trace = self.traces[name]
        with redirect_stdout(StringIO()):
            found = trace.prune_unstr(sparsities)
        return [weight.reshape(shape) for weight in found]

    def _with(self, weights: dict[str, Tensor]) -> nn.Module:
        model = deepcopy(self.prepared.dense)
        with torch.no_grad():
            for name, layer in layers_of(model).items():
                layer.weight.copy_(weights[name])
        return model


def _loss(change: Tensor, curvature: Tensor) -> float:
    change = change.double()
    return float((change @ curvature * change).sum())


def torch_pruned(prepared: Prepared, share: float, importance: str) -> nn.Module:
    """Return a copy from which Torch-Pruning removed that share of the MACs."""
    tp = import_module("torch_pruning")
    model = deepcopy(prepared.dense)
    kind = "GroupTaylorImportance" if importance == "Taylor" else "GroupMagnitudeImportance"
    if importance == "Taylor":
        for images, labels in prepared.evidence.batches():
            nn.functional.cross_entropy(model(images), labels).backward()
    held = [layer for name, layer in layers_of(model).items() if not name.endswith(INNER)]
    pruner = tp.pruner.BasePruner(
        model, EXAMPLE, importance=getattr(tp.importance, kind)(), pruning_ratio=0.95,
        global_pruning=True, iterative_steps=200, ignored_layers=held,
    )  # fmt: skip
    wanted = (1 - share) * count(model, EXAMPLE).macs
    for _ in range(200):
        if count(model, EXAMPLE).macs <= wanted:
            return model.requires_grad_(True)
        pruner.step()
    raise SpecError("Torch-Pruning did not get there", where=f"{share:.0%} of the MACs")


def own_channels(prepared: Prepared, share: float, *, inner: bool, fitted: bool) -> nn.Module:
    """Return a copy from which gossamer removed that share of the MACs."""
    return remove_channels(
        prepared.dense,
        EXAMPLE,
        Share("macs", share, min_density=0.05),
        criterion=energy,
        holds=lambda name: inner and not name.endswith(INNER),
        evidence=prepared.evidence if fitted else None,
    ).model


Make = Callable[[], nn.Module]


def zeros(prepared: Prepared, obc: Obc | None, sparsity: float) -> dict[str, Make]:
    """Return how each method gets to a sparsity."""
    step = step_of("ExactOBS", "global", sparsity, prepared.evidence.images)
    found: dict[str, Make] = {"gossamer": lambda: prepared.pruned(step)}
    if obc is not None:
        found["OBC, uniform"] = lambda: obc.uniform(sparsity)
        found["OBC, squared errors"] = lambda: obc.shared_out(sparsity)
    return found


def channels(prepared: Prepared, share: float) -> dict[str, Make]:
    """Return how each method gets to a share of the MACs."""
    found: dict[str, Make] = {
        "gossamer": lambda: own_channels(prepared, share, inner=False, fitted=True),
        "gossamer, inner": lambda: own_channels(prepared, share, inner=True, fitted=True),
        "gossamer, inner, not fitted": lambda: own_channels(
            prepared, share, inner=True, fitted=False
        ),
    }
    if util.find_spec("torch_pruning") is not None:
        for importance in ("magnitude", "Taylor"):
            name = f"Torch-Pruning, {importance}"
            found[name] = lambda kind=importance: torch_pruned(prepared, share, kind)
    return found


def measure(
    task: str, share: float, network: str, prepared: Prepared, method: str, make: Make, out: Path
) -> None:
    """Make the smaller network and write what is left of it; nothing to do if that is there."""
    plain = method.lower().replace(", ", "-").replace(" ", "-")
    stem = f"{network}-{task}-{share:g}-{plain}-seed{prepared.seed}"
    target = out / f"{stem}.json"
    if target.exists():
        return
    start = perf_counter()
    model = make().eval()
    made_s = perf_counter() - start
    recover(model, prepared.data.train, prepared.dense, seed=prepared.seed)
    before, after = count(prepared.dense, EXAMPLE), count(model, EXAMPLE)
    record = {
        "task": task,
        "share": share,
        "network": network,
        "method": method,
        "seed": prepared.seed,
        "images": prepared.evidence.images,
        "sparsity": after.sparsity,
        "macs_removed": 1 - after.macs / before.macs,
        "accuracy": accuracy(model, prepared.data.test),
        "made_s": round(made_s, 1),
        **surroundings(),
    }
    write(target, record)
    print(f"{stem}: {record['accuracy']:.2%}, {perf_counter() - start:.0f} s", flush=True)


def run(chosen: argparse.Namespace) -> None:
    """Measure what is asked and not there yet; a seed is complete before the next begins."""
    data: Data = pictures(chosen.root)
    dense = parents(chosen, data)
    for seed in chosen.seeds:
        for network, model in dense.items():
            prepared = Prepared(model, data, seed, chosen.images)
            obc = Obc(prepared, chosen.obc) if chosen.obc else None
            tasks = [("zeros", s, zeros(prepared, obc, s)) for s in chosen.sparsities]
            tasks += [("channels", s, channels(prepared, s)) for s in chosen.shares]
            for task, share, methods in tasks:
                for method, make in methods.items():
                    measure(task, share, network, prepared, method, make, chosen.out)


def print_table(records: list[dict[str, Any]]) -> None:
    """Print one row a network, task and method: mean and deviation over the seeds."""
    cells: dict[tuple[str, str, str], Any] = defaultdict(lambda: defaultdict(list))
    for one in records:
        cells[one["network"], one["task"], one["method"]][one["share"]].append(one)
    for task in dict.fromkeys(record["task"] for record in records):
        shares = sorted({record["share"] for record in records if record["task"] == task})
        heads = " | ".join(f"{share:.0%}" for share in shares)
        print(f"| network | {task} by | {heads} | seconds to make |")
        print(f"|---|---|{'---:|' * (len(shares) + 1)}")
        for (network, own, method), found in cells.items():
            if own == task:
                texts = [
                    spread([100 * one["accuracy"] for one in found[share]]) if found[share] else "–"
                    for share in shares
                ]
                seconds = mean(one["made_s"] for ones in found.values() for one in ones)
                print(f"| {network} | {method} | {' | '.join(texts)} | {seconds:.0f} |")
        print()


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser, RECORDS)
    parser.add_argument("--obc", type=Path, help="a checkout of the published OBC code")
    parser.add_argument("--sparsities", type=float, nargs="*", default=(0.8,))
    parser.add_argument("--shares", type=float, nargs="*", default=(0.2, 0.35, 0.5), help="of MACs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--images", type=int, default=1024, help="that a method may look at")
    return parser


def main() -> None:
    parser = arguments()
    chosen = parser.parse_args()
    if chosen.table:
        if not (found := [read(path) for path in sorted(chosen.out.glob("*.json"))]):
            parser.error(f"no records in {chosen.out}")
        print_table(found)
        return
    torch.set_num_threads(chosen.threads)
    try:
        if chosen.obc and not (chosen.obc / "trueobs.py").exists():
            raise MissingDependencyError("no trueobs.py", where=chosen.obc)
        run(chosen)
    except GossamerError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
