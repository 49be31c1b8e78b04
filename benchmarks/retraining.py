"""Prune CIFAR ResNets with retraining and compare accuracy and time with the dense parent.

    python benchmarks/retraining.py [ROOT] [--networks …] [--parts …] [--epochs 12] [--out FOLDER]
    python benchmarks/retraining.py --speed [--networks …] [--out FOLDER]
    python benchmarks/retraining.py --table [--out FOLDER] [--figure FILE.svg]

ROOT has `train/CLASS/*.jpg` and `test/CLASS/*.jpg`: `cifar10/` under the folder that GOSSAMER_DATA
names unless given; the trained weights lie beside it. They were trained on the original pictures
and ours are strongly compressed JPEG: the dense parent is what a fine-tune of five epochs gives.

The parts, each one pass of the package and a training with the parent as a teacher:

- `sparsity-80`, `sparsity-90`: gradual pruning of single weights, one ranking over all layers by
  magnitude, on a cubic curve during the first half of the training;
- `channels-50`: half of the MACs go with whole channels at once, then the rest is trained;
- `dense`: nothing is removed, the parent is trained on in the same way, to tell what pruning costs
  from what epochs give.

Every run (part, network, seed) leaves a record in FOLDER, the network beside it in `networks/`, and
until then a checkpoint after each epoch: the same command goes on where it was stopped. `--speed`
times what is there and the parents on one thread, in gossamer's runtime and in ONNX Runtime, all in
turns. `--table` only prints what the records say.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import asdict, replace
from pathlib import Path
from statistics import mean
from time import perf_counter
from typing import Any

import numpy as np
import torch
from cifar_resnets import (
    RESULTS,
    SIZE,
    Curve,
    add_options,
    panels,
    parents,
    pictures,
    read,
    spread,
    surroundings,
    training,
    write,
)
from safetensors.torch import load_file
from torch import nn

import gossamer as gs
from gossamer.bench.clock import Protocol, Timing, speedup, time_interleaved
from gossamer.bench.engines import ENGINES, Subject
from gossamer.bench.machine import detect_machine
from gossamer.compress.channels.remove import RemoveChannels
from gossamer.compress.contract import Pass
from gossamer.compress.prune.gradual import GradualPrune
from gossamer.errors import GossamerError, SpecError, VerificationError
from gossamer.graph import Graph
from gossamer.graph.check import distance
from gossamer.train.data import Data
from gossamer.train.evaluate import accuracy
from gossamer.train.recipe import Recipe

RECORDS = RESULTS / "retraining"
PARTS = ("channels-50", "sparsity-80", "sparsity-90", "dense")
ALLOWED = {"sparsity-80": 0.5, "sparsity-90": 1.5, "channels-50": 1.5}
"""Points that may be lost against the parent."""
ENGINES_TIMED = ("gossamer", "onnxruntime")


def recipe(chosen: argparse.Namespace) -> Recipe:
    """Return how all parts are trained."""
    return training(
        chosen.epochs,
        chosen.learning_rate,
        warmup=0.2,
        distil=chosen.distil,
        precision=chosen.precision,
    )


def step_of(part: str, followed: Recipe) -> Pass | None:
    """Return the pass of a part; None where nothing is removed."""
    if part == "dense":
        return None
    kind, percent = part.split("-")
    if kind == "channels":
        return RemoveChannels(amount=int(percent) / 100, training=followed)
    return GradualPrune(int(percent) / 100, ramp=0.5, every=40, training=followed)


def measure(
    part: str, network: str, seed: int, dense: nn.Module, followed: Recipe, data: Data, out: Path
) -> None:
    """Make a network smaller and train it; nothing to do if its record is there."""
    stem = f"{network}-{part}-seed{seed}"
    target, checkpoints = out / f"{stem}.json", out / "checkpoints" / stem
    if target.exists():
        if Recipe.from_dict(read(target)["recipe"]) != followed:
            raise SpecError("the record follows another recipe", where=target, hint="another --out")
        print(f"{stem}: done before", flush=True)
        return
    start, step, curve = perf_counter(), step_of(part, followed), Curve(stem)
    example = torch.zeros(1, 3, SIZE, SIZE)
    model = deepcopy(dense).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    found: dict[str, Any] = {"accuracy_of_parent": accuracy(dense, data.test)}
    if step is None:
        path = checkpoints / "dense.safetensors"
        gs.fit(
            model, data, replace(followed, seed=seed), checkpoint=path, resume=True, progress=False,
            teacher=dense, on_epoch=curve,
        )  # fmt: skip
        found["accuracy"] = accuracy(model, data.test)
    else:
        result = gs.compress(
            model, example, [step], data=data, seed=seed, progress=False,
            checkpoint=checkpoints, resume=True, on_epoch=curve,
        )  # fmt: skip
        model, (entry,) = result.model, result.ledger.entries
        found |= {"accuracy": entry.accuracy_after, "got": dict(entry.got)}
        for name, whole in (("before", entry.before), ("after", entry.after)):
            counts = ("parameters", "nonzeros", "macs", "effective_macs")
            found[name] = {count: getattr(whole, count) for count in counts}
    kept = out / "networks" / f"{stem}.goss"
    kept.parent.mkdir(parents=True, exist_ok=True)
    gs.save(gs.export(model, example), kept)
    record = {"part": part, "network": network, "seed": seed, "recipe": followed.to_dict(), **found}
    record |= {"curve": curve.epochs, "time_s": round(perf_counter() - start, 1), **surroundings()}
    write(target, record)
    for path in checkpoints.glob("*.safetensors"):
        path.unlink()
    print(f"{stem}: {found['accuracy_of_parent']:.2%} → {found['accuracy']:.2%}", flush=True)


def run(chosen: argparse.Namespace) -> None:
    """Train what is asked and not there yet; a seed is complete before the next begins."""
    data, followed = pictures(chosen.root), recipe(chosen)
    dense = parents(chosen, data)
    for seed in chosen.seeds:
        for network, model in dense.items():
            for part in chosen.parts:
                measure(part, network, seed, model, followed, data, chosen.out)


def graphs(network: str, chosen: argparse.Namespace) -> dict[str, Graph]:
    """Return the parent and what was made of it, as far as it is there."""
    model = gs.create_model(network)
    model.load_state_dict(load_file(chosen.parents / f"{network}.safetensors"))
    found = {"parent": gs.export(model.eval(), torch.zeros(1, 3, SIZE, SIZE))}
    for part in (part for part in chosen.parts if part in ALLOWED):
        path = chosen.out / "networks" / f"{network}-{part}-seed{chosen.seeds[0]}.goss"
        if path.exists():
            found[part] = gs.load(path)
    return found


def time(network: str, chosen: argparse.Namespace) -> None:
    """Time the parent and its descendants in all engines, in turns, and write the record."""
    x = np.random.default_rng(0).standard_normal((chosen.batch, 3, SIZE, SIZE), np.float32)
    calls, versions = {}, {}
    with ExitStack() as stack:
        for part, graph in graphs(network, chosen).items():
            program = stack.enter_context(gs.compile(graph, threads=1))
            subject, expected = Subject(graph, program=program, shape=x.shape), program(x).copy()
            for name in ENGINES_TIMED:
                engine = stack.enter_context(ENGINES[name](subject, threads=1))
                if distance(np.array(engine(x)), expected) > 1e-4:
                    raise VerificationError("the outputs differ", where=f"{name}, {part}")
                calls[f"{part}, {name}"] = engine.bind(x)
                versions |= engine.versions()
        timings = time_interleaved(calls, Protocol(chosen.rounds))
    record = {
        "network": network,
        "shape": list(x.shape),
        "threads": 1,
        "timings": {key: asdict(timing) for key, timing in timings.items()},
        "versions": versions,
        "machine": asdict(detect_machine()),
    }
    write(chosen.out / f"{network}-speed-batch{chosen.batch}.json", record)
    print_times([record])


def print_times(records: list[dict[str, Any]]) -> None:
    """Print what each network takes, and how many times faster it is than the parent."""
    print("| network | pictures | engine | part | median, ms | quartiles, ms | than the parent |")
    print("|---|---:|---|---|---:|---:|---:|")
    for record in records:
        timings = {key: Timing(**timing) for key, timing in record["timings"].items()}
        for engine in ENGINES_TIMED:
            for key, timing in timings.items():
                part, own = key.rsplit(", ", 1)
                if own == engine:
                    low, high = timing.quartiles_ms
                    gain = speedup(timing, timings[f"parent, {engine}"])
                    print(
                        f"| {record['network']} | {record['shape'][0]} | {engine} | {part} "
                        f"| {timing.median_ms:.3f} | {low:.3f}–{high:.3f} | {gain} |"
                    )


def print_table(records: list[dict[str, Any]]) -> None:
    """Print accuracy and what is left, one row a network and part."""
    print("| network | part | epochs | seeds | nonzeros left | MACs left | parent, % | accuracy, % "
          "| lost, points | allowed | lost against dense, trained as long |")  # fmt: skip
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for (network, part), own in grouped(records).items():
        base, got = percents(own, "accuracy_of_parent"), percents(own, "accuracy")
        lost = [a - b for a, b in zip(base, got, strict=True)]
        control = grouped(records).get((network, "dense"), [])
        against = mean(percents(control, "accuracy")) - mean(got) if control else None
        cells = (
            network,
            part,
            own[0]["recipe"]["epochs"],
            len(own),
            *(left(own[0], count) for count in ("nonzeros", "effective_macs")),
            f"{mean(base):.2f}",
            spread(got),
            spread(lost),
            ALLOWED.get(part, "–"),
            "–" if against is None else f"{against:.2f}",
        )
        print("|", " | ".join(str(cell) for cell in cells), "|")


def grouped(records: list[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Return the records of each network and part, the parts in their order."""
    networks = dict.fromkeys(record["network"] for record in records)
    keys = [(network, part) for network in networks for part in (*PARTS[::-1],)]
    found = {key: [r for r in records if (r["network"], r["part"]) == key] for key in keys}
    return {key: own for key, own in found.items() if own}


def percents(records: list[dict[str, Any]], key: str) -> list[float]:
    return [100 * record[key] for record in records]


def left(record: Mapping[str, Any], count: str) -> str:
    """Return which share of the parent's is left."""
    if "after" not in record:
        return "100.0 %"
    return f"{100 * record['after'][count] / record['before'][count]:.1f} %"


def draw(records: list[dict[str, Any]], path: Path) -> None:
    """Draw accuracy against the epoch, one panel a network."""
    networks = list(dict.fromkeys(record["network"] for record in records))
    with panels(networks, path, "epoch") as axes:
        for network in networks:
            parts = {part: rs for (name, part), rs in grouped(records).items() if name == network}
            base = mean(percents([r for rs in parts.values() for r in rs], "accuracy_of_parent"))
            axes[network].axhline(base, color="grey", linestyle="--", label="parent")
            axes[network].xaxis.get_major_locator().set_params(integer=True)
            for part, runs in parts.items():
                curves = [[100 * epoch["accuracy"] for epoch in run["curve"]] for run in runs]
                values = [mean(at) for at in zip(*curves, strict=True)]
                axes[network].plot(range(1, len(values) + 1), values, marker=".", label=part)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser, RECORDS)
    parser.add_argument("--figure", type=Path, help="with --table: draw to this SVG")
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--learning-rate", type=float, default=0.05)
    parser.add_argument("--distil", type=float, default=0.7, help="share of the parent's answers")
    parser.add_argument("--speed", action="store_true", help="time what is there, train nothing")
    parser.add_argument("--batch", type=int, default=1, help="with --speed: pictures a call")
    parser.add_argument("--rounds", type=int, default=101, help="with --speed: samples of each")
    return parser


def main() -> None:
    parser = arguments()
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    try:
        if chosen.table:
            found = [read(path) for path in sorted(chosen.out.glob("*.json"))]
            if not (runs := [record for record in found if "part" in record]):
                parser.error(f"no records in {chosen.out}")
            print_table(runs)
            if times := [record for record in found if "timings" in record]:
                print()
                print_times(times)
            if chosen.figure:
                draw(runs, chosen.figure)
        elif chosen.speed:
            for network in chosen.networks:
                time(network, chosen)
        else:
            run(chosen)
    except GossamerError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
