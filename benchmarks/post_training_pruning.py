"""Prune trained CIFAR ResNets without retraining and compare what the methods lose.

    python benchmarks/post_training_pruning.py [ROOT] [--networks …] [--methods …] [--out FOLDER]
    python benchmarks/post_training_pruning.py --table [--out FOLDER] [--figure FILE.svg]

ROOT has `train/CLASS/*.jpg` and `test/CLASS/*.jpg`: `cifar10/` under the folder that GOSSAMER_DATA
names unless given. The trained weights come from the same folder, and are fine-tuned for a few
epochs first, because they were trained on the original pictures and ours are strongly compressed
JPEG; the dense figure is the one after that. Then, for each network, method, allocation, sparsity
and seed: prune, estimate the norms anew, measure. Nothing is retrained. The seed is that of the
pictures that a method may look at (1,024 training pictures), and of those for the norms.

Each measurement is one JSON record in FOLDER, written when it is done: the same command goes on
where it was stopped. `--table` measures nothing; it prints what the records say, each method with
the allocation that serves it best on average over the seeds, and its mean and spread.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections import defaultdict
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from time import perf_counter
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

import gossamer as gs
from gossamer.compress.contract import Context, Pass
from gossamer.compress.norms import reestimate_norms
from gossamer.compress.prune.one_shot import Prune
from gossamer.compress.prune.sparse_gpt import SparseGPT
from gossamer.errors import GossamerError, SpecError
from gossamer.nets.weights import load_weights
from gossamer.replacing import replacing
from gossamer.train.data import Data, load_data
from gossamer.train.evaluate import accuracy
from gossamer.train.options import options_to_dict
from gossamer.train.recipe import Recipe

RECORDS = Path(__file__).parents[1] / "docs" / "results" / "post_training_pruning"
WEIGHTS = {
    "resnet-20-cifar": "resnet20-12fca82f.th",
    "resnet-32-cifar": "resnet32-d509ac18.th",
}
NORMALISATION = {"mean": (0.485, 0.456, 0.406), "deviation": (0.229, 0.224, 0.225)}
SIZE = 32
SPARSITIES = (0.5, 0.7, 0.8, 0.9)
ALLOCATIONS = ("uniform", "erk", "global")
METHODS: dict[str, Pass] = {
    "magnitude": Prune(criterion="magnitude"),
    "OBD": Prune(criterion="obd"),
    "SparseGPT-like": SparseGPT(),
    "ExactOBS": Prune(criterion="exact-obs", compensate="inputs"),
    "ExactOBS, outputs fitted": Prune(criterion="exact-obs", compensate="outputs"),
}


def fine_tuning(epochs: int) -> Recipe:
    """Return the recipe that gets a network used to compressed pictures."""
    return Recipe(
        epochs,
        batch_size=128,
        learning_rate=0.01,
        weight_decay=1e-4,
        warmup=0.0,
        label_smoothing=0.0,
        augment="crop-mirror",
    )


def step_of(method: str, allocation: str, sparsity: float, images: int) -> Pass:
    """Return the pass of one measurement."""
    return replace(METHODS[method], sparsity=sparsity, allocation=allocation, images=images)  # type: ignore[type-var]


def parent(network: str, epochs: int, data: Data, out: Path) -> nn.Module:
    """Return the dense network after its fine-tune, from FOLDER if it is there."""
    path, followed = out / f"{network}.safetensors", fine_tuning(epochs)
    model = gs.create_model(network, num_classes=len(data.class_names))
    if path.exists():
        record = json.loads(path.with_suffix(".json").read_text())
        if record["recipe"] != followed.to_dict():
            raise SpecError("the dense network followed another recipe", where=path)
        model.load_state_dict(load_file(path))
        return model.eval()
    if network in WEIGHTS:
        if "GOSSAMER_DATA" not in os.environ:
            raise SpecError("no trained weights", hint="set GOSSAMER_DATA to their folder")
        load_weights(model, Path(os.environ["GOSSAMER_DATA"], WEIGHTS[network]))
    before = accuracy(model.eval(), data.test)
    half = out / f"{network}-training.safetensors"
    gs.fit(model, data, followed, checkpoint=half, resume=True)
    record = {
        "network": network,
        "recipe": followed.to_dict(),
        "accuracy_before": before,
        "accuracy": accuracy(model, data.test),
        **surroundings(),
    }
    write(path.with_suffix(".json"), record)
    with replacing(path) as partial:
        save_file(model.state_dict(), partial)
    half.unlink(missing_ok=True)
    print(f"{network}: dense {before:.2%} → {record['accuracy']:.2%}", flush=True)
    return model.eval()


def measure(
    network: str, dense: nn.Module, method: str, step: Pass, seed: int, data: Data, out: Path
) -> None:
    """Prune a copy and write what is left of its accuracy; nothing to do if that is there."""
    options = options_to_dict(step)
    stem = f"{network}-{method}-{options['allocation']}-{options['sparsity']:g}-seed{seed}"
    stem = stem.lower().replace(", ", "-").replace(" ", "-")
    target = out / f"{stem}.json"
    if target.exists():
        if json.loads(target.read_text())["options"] != options:
            raise SpecError("the record has other options", where=target, hint="another --out")
        return
    start, model = perf_counter(), deepcopy(dense)
    context = Context(data.train.batch(torch.arange(2).numpy())[0], data, seed, progress=False)
    step.check(model, context)
    model = step.apply(model, context).eval()
    reestimate_norms(model, data.train, seed=seed)
    record = {
        "network": network,
        "method": method,
        "options": options,
        "seed": seed,
        "got": dict(step.got(model)),
        "accuracy": accuracy(model, data.test),
        "time_s": round(perf_counter() - start, 1),
        **surroundings(),
    }
    write(target, record)
    print(f"{stem}: {record['accuracy']:.2%}", flush=True)


def surroundings() -> dict[str, Any]:
    """Return what a figure depends on beside its options."""
    return {
        "versions": {"gossamer": gs.__version__, "torch": torch.__version__},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} used",
    }


def write(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record whole or not at all."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(record, indent=1) + "\n")


Found = dict[str, dict[tuple[str, float], list[float]]]
"""Network → (method, sparsity) → accuracy of each seed, in percent."""


def read_records(out: Path) -> tuple[dict[str, float], Found]:
    """Return dense accuracies, and each method's with the allocation that serves it best."""
    dense: dict[str, float] = {}
    every: dict[str, Any] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for path in sorted(out.glob("*.json")):
        record = json.loads(path.read_text())
        if "method" not in record:
            dense[record["network"]] = 100 * record["accuracy"]
            continue
        options = record["options"]
        cell = every[record["network"]][record["method"], options["sparsity"]]
        cell[options["allocation"]].append(100 * record["accuracy"])
    best = {
        network: {key: max(cell.values(), key=mean) for key, cell in cells.items()}
        for network, cells in every.items()
    }
    return dense, best


def spread(values: list[float]) -> str:
    """Return mean ± standard deviation over the seeds."""
    return f"{mean(values):.2f}" + (f" ± {stdev(values):.2f}" if len(values) > 1 else "")


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
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "gossamer"
    figure, panels = pyplot.subplots(
        1, len(found), figsize=(4.5 * len(found), 4), layout="constrained", squeeze=False
    )
    for axes, (network, cells) in zip(panels[0], found.items(), strict=True):
        axes.axhline(dense[network], color="grey", linestyle="--", label="dense")
        for method in METHODS:
            known = sorted((s, values) for (m, s), values in cells.items() if m == method)
            x = [100 * sparsity for sparsity, _ in known]
            (line,) = axes.plot(x, [mean(v) for _, v in known], marker="o", label=method)
            lowest, highest = [min(v) for _, v in known], [max(v) for _, v in known]
            axes.fill_between(x, lowest, highest, color=line.get_color(), alpha=0.15)
        axes.set(title=network, xlabel="sparsity, %", ylabel="accuracy on CIFAR-10 (JPEG), %")
        axes.legend(fontsize="small")
    with replacing(path) as partial:
        figure.savefig(partial, format="svg", metadata={"Date": None})


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, nargs="?", help="folder with train/ and test/")
    parser.add_argument("--networks", nargs="+", default=list(WEIGHTS))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--allocations", nargs="+", default=ALLOCATIONS, choices=ALLOCATIONS)
    parser.add_argument("--sparsities", type=float, nargs="+", default=SPARSITIES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--epochs", type=int, default=5, help="of the fine-tune before")
    parser.add_argument("--images", type=int, default=1024, help="that a method may look at")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RECORDS, help="folder of the records")
    parser.add_argument("--table", action="store_true", help="print the table, measure nothing")
    parser.add_argument("--figure", type=Path, help="with --table: draw to this SVG")
    return parser


def run(chosen: argparse.Namespace, root: Path) -> None:
    """Measure what is asked and not there yet; a seed is complete before the next begins."""
    data = load_data("folder", root=root, size=SIZE)
    record = replace(data.record, **NORMALISATION)
    data = Data(*(replace(split, record=record) for split in (data.train, data.test)))
    parents = {name: parent(name, chosen.epochs, data, chosen.out) for name in chosen.networks}
    for seed in chosen.seeds:
        for network, dense in parents.items():
            for method in chosen.methods:
                for allocation in chosen.allocations:
                    for sparsity in chosen.sparsities:
                        step = step_of(method, allocation, sparsity, chosen.images)
                        measure(network, dense, method, step, seed, data, chosen.out)


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
    if not (root := chosen.root) and "GOSSAMER_DATA" not in os.environ:
        parser.error("no data: give the folder with train/ and test/, or set GOSSAMER_DATA")
    torch.set_num_threads(chosen.threads)
    chosen.out.mkdir(parents=True, exist_ok=True)
    try:
        run(chosen, root or Path(os.environ["GOSSAMER_DATA"]) / "cifar10")
    except GossamerError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
