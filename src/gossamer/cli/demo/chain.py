"""The demo as a chain of functions: train, compress, export, save, run afresh, measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

import gossamer
from gossamer.bench.accuracy import accuracy, predict_classes
from gossamer.bench.engines import ENGINES, Subject
from gossamer.bench.engines.torch import torch_threads
from gossamer.cli.demo.fresh_process import run_fresh
from gossamer.cli.demo.parts import file_parts
from gossamer.cli.demo.result import DemoResult, Mistake, Outcome, State
from gossamer.cli.network_file import NetworkFile, save_network
from gossamer.compile.compile import compile
from gossamer.compress.compress import compress
from gossamer.graph import Graph
from gossamer.graph.counting import count
from gossamer.replacing import check_target
from gossamer.train.data import Data, load_data

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gossamer.compress.ledger import Ledger

Say = Callable[[str], object]

NETWORKS = {"digits-plain": "demo-plain", "digits-igc": "demo-igc"}
RECIPE = "digits"


@dataclass(frozen=True)
class Bench:
    """What every network of the demo is tested and timed on."""

    data: Data
    seed: int
    out: Path
    say: Say

    @property
    def example(self) -> Tensor:
        """One test image, (1, 1, 8, 8)."""
        return self.data.test.batch(np.arange(1))[0]

    @property
    def images(self) -> np.ndarray:
        """The test split, float32 (N, 1, 8, 8)."""
        return self.data.record.normalise(self.data.test.pixels)

    @property
    def labels(self) -> np.ndarray:
        """The right classes, (N,)."""
        return self.data.test.labels


def run_demo(out: Path, *, seed: int = 0, say: Say = lambda line: None) -> DemoResult:
    """Run the whole chain for both networks, and write their files to a folder.

    Args:
        out: folder; made if it is not there.
        seed: of the split, the weights and the training.
        say: called with one line before each step.

    Raises:
        SpecError: if nothing can be written to the folder, or there is no such seed.
        VerificationError: if a step changed what the network computes.
    """
    start = perf_counter()
    data = load_data("digits", seed=seed)
    out.mkdir(parents=True, exist_ok=True)
    check_target(out / "demo.html")
    bench = Bench(data, seed, out, say)
    # One thread: networks this small gain little from two, and the result depends on the number.
    with torch_threads(1):
        outcomes = tuple(_run_network(bench, name, stem) for name, stem in NETWORKS.items())
    return DemoResult(seed, outcomes, perf_counter() - start)


def _run_network(bench: Bench, name: str, stem: str) -> Outcome:
    bench.say(f"{name}: training")
    dense = gossamer.create_model(name, seed=bench.seed)
    gossamer.fit(dense, bench.data, _training(bench.seed))
    dense_path = bench.out / f"{stem}-dense.safetensors"
    save_network(dense_path, NetworkFile(name, dense))
    bench.say(f"{name}: timing the dense network")
    dense_graph = _export(bench, dense, name)
    designed = count(dense_graph).weights
    before, _ = _measure(bench, dense, dense_graph, dense_path, designed)

    bench.say(f"{name}: pruning, sharing weights, retraining")
    small = compress(dense, bench.example, RECIPE, data=bench.data, seed=bench.seed)
    graph = _export(bench, small.model, name)
    path = bench.out / f"{stem}.goss"
    gossamer.save(graph, path)
    bench.say(f"{name}: timing the compressed network")
    after, explanation = _measure(bench, small.model, gossamer.load(path), path, designed)

    bench.say(f"{name}: running the file in a fresh process without torch")
    predicted = run_fresh(path, bench.images).argmax(axis=1)
    agreeing = int((predicted == _classes_of_module(bench, small.model, graph)).sum())
    return Outcome(
        network=name,
        before=before,
        after=after,
        asked_sparsity=_asked_sparsity(small.ledger),
        images=len(predicted),
        agreeing=agreeing,
        mistakes=_mistakes(predicted, bench.labels),
        parts=file_parts(path),
        explanation=explanation,
        graph=graph,
    )


def _training(seed: int) -> object:
    from gossamer.train.recipe import Recipe

    return Recipe(seed=seed)


def _asked_sparsity(ledger: Ledger) -> float:
    return max(float(entry.asked.get("sparsity", 0.0)) for entry in ledger.entries)


def _export(bench: Bench, model: nn.Module, name: str) -> Graph:
    return gossamer.export(model, bench.example, record=bench.data.record, name=name)


def _measure(
    bench: Bench, model: nn.Module, graph: Graph, path: Path, designed: int
) -> tuple[State, str]:
    """Return a network's state, and what the compiler says about it."""
    rivals = ["torch", *(["onnxruntime"] if _has_onnxruntime() else [])]
    with compile(graph, threads=1) as program:
        record = gossamer.benchmark(
            program, bench.images[:1], against=rivals, module=model, command="gossamer demo"
        )
        predicted = predict_classes(program, bench.images, batch=1)
        explanation = program.explain()
    counted = count(graph)
    state = State(
        accuracy=accuracy(predicted, bench.labels),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        weights=designed,
        nonzeros=counted.nonzeros,
        effective_macs=counted.effective_macs,
        size_bytes=path.stat().st_size,
        record=record,
    )
    return state, explanation


def _has_onnxruntime() -> bool:
    return bool(find_spec("onnxruntime") and find_spec("onnx"))


def _classes_of_module(bench: Bench, model: nn.Module, graph: Graph) -> np.ndarray:
    with ENGINES["torch"](Subject(graph, module=model)) as engine:
        return predict_classes(engine, bench.images)


def _mistakes(predicted: np.ndarray, labels: np.ndarray) -> tuple[Mistake, ...]:
    return tuple(
        Mistake(int(index), int(labels[index]), int(predicted[index]))
        for index in np.flatnonzero(predicted != labels)
    )
