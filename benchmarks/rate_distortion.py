"""Bytes against accuracy: trained CIFAR ResNets coded at a distortion, by gossamer and by nncodec.

    python benchmarks/rate_distortion.py ROOT [--networks …] [--seeds …] [--out RECORDS.jsonl]
    python benchmarks/rate_distortion.py ROOT --options [--networks …] [--seeds …]
    python benchmarks/rate_distortion.py --table [--out RECORDS.jsonl]

ROOT has `train/CLASS/*.jpg` and `test/CLASS/*.jpg`; the trained weights come from the folder that
GOSSAMER_DATA names, and nothing is trained. Gossamer watches some training pictures (their number
and seed are options), nncodec needs none. Each file or stream is decoded again, and accuracy is
measured on all test pictures by a program of what was decoded.

What counts: of gossamer the whole `.goss` file. Of nncodec 2.1.3 the payload of its coder alone,
without the headers of its container, for all settings of a grid: step (QP) × λ, dependent
quantisation on, weights with the norm folded in or with its scale and shift beside them. At each
accuracy it stands with the best of them all, chosen on the test pictures, which favours it.

`--options` compares settings of `LossyOptions` instead, as they are chosen: by training pictures
alone. What is coded watching some of them is measured on 2,000 others: how far its outputs are from
the original's (Kullback–Leibler divergence), and how many are classified alike.

Each measurement is a line of JSON, written when it is done: the same command goes on where it was
stopped. `--table` measures nothing; sizes at equal accuracy are read off between the records,
along the best points, linearly in accuracy and in the logarithm of the size.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise, product
from math import exp, log
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch

import gossamer as gs
from gossamer.bench.accuracy import accuracy, predict_classes
from gossamer.codec.lossy.approximate import Approximation
from gossamer.codec.lossy.options import LossyOptions
from gossamer.codec.read import decode
from gossamer.codec.write import encode
from gossamer.errors import GossamerError, MissingDependencyError, SpecError
from gossamer.graph import Dense, Graph
from gossamer.graph.rewrite.pipeline import rewrite
from gossamer.nets.weights import load_weights
from gossamer.train.data import load_data

Record = dict[str, Any]
Curve = list[tuple[float, float]]
RECORDS = Path(__file__).parents[1] / "docs" / "results" / "rate_distortion.jsonl"
WEIGHTS = {
    "resnet-20-cifar": "resnet20-12fca82f.th",
    "resnet-32-cifar": "resnet32-d509ac18.th",
}
NORMALISATION = {"mean": (0.485, 0.456, 0.406), "deviation": (0.229, 0.224, 0.225)}
BIT_PRICES = (2.5e-5, 5e-5, 1e-4, 2e-4, 4e-4)
QPS = tuple(range(-25, -14))
LAMBDAS = {"apart": (0.0, 0.5, 1.0, 2.0), "folded": (0.0,)}
NORMS_QP = -36
DENSITY, UNARY, LEAST_ACCURACY = 2, 10, 0.75
CHOICES: tuple[tuple[str, Record, float], ...] = (
    ("defaults", {}, 1e-4),
    ("defaults", {}, 7e-5),
    ("no trellis", {"trellis": False}, 1e-4),
    ("thrift 0", {"thrift": 0.0}, 1e-4),
    ("thrift 0.5", {"thrift": 0.5}, 1e-4),
    ("rounds 1", {"rounds": 1}, 1e-4),
    ("damping 0.01", {"damping": 1e-2}, 1e-4),
    ("damping 0.0001", {"damping": 1e-4}, 1e-4),
)
"""Name, what is not the default, bit price; the second says how divergence falls with size."""
CHOICE_PICTURES = 2000
LOSSES = (0.005, 0.01, 0.02, 0.04)


def nncodec_tensor(values: np.ndarray, qp: int, scale: float, dependent: bool) -> tuple[int, Any]:
    """Return the bytes that nncodec takes for a tensor, and what it decodes them to."""
    from nncodec.extensions import deepCABAC  # pyright: ignore[reportMissingImports]

    levels, profile = np.zeros(values.shape, np.int32), 1
    encoder = deepCABAC.Encoder()
    encoder.initCtxModels(UNARY, 0)
    qp = encoder.quantLayer(values, levels, dependent, DENSITY, qp, scale, UNARY, 0, profile)
    rows = np.array([not row.any() for row in levels], np.int32)
    skips = int(values.ndim > 1)
    off = (deepCABAC.HdspMode.AlwaysOff, np.zeros(0, np.int8))
    encoder = deepCABAC.Encoder()
    encoder.initCtxModels(UNARY + 1, 1)
    encoder.encodeLayer(levels, dependent, 0, profile, 0, skips, rows, *off, 0, 0)
    data = encoder.finish()
    decoder, found = deepCABAC.Decoder(), np.zeros(values.shape, np.int32)
    decoder.setStream(data)
    decoder.initCtxModels(UNARY + 1)
    decoder.decodeLayer(found, dependent, 0, profile, 0, *off, 0, 0)
    result = np.zeros(values.shape, np.float32)
    decoder.dequantLayer(result, found, DENSITY, qp, 0)
    return len(data) + 1, result


def nncodec_graph(graph: Graph, qp: int, scale: float) -> tuple[int, Graph]:
    """Return the bytes of all weights, and the graph of what they decode to."""
    total, weights = 0, {}
    for name, layout in graph.weights.items():
        values = np.ascontiguousarray(layout.to_dense())
        settings = (qp, scale, True) if values.ndim > 1 else (NORMS_QP, 0.0, True)
        size_bytes, decoded = nncodec_tensor(values, *settings)
        total, weights[name] = total + size_bytes, Dense(decoded)
    return total, rewrite(replace(graph, weights=weights))


class Bench:
    """A network, its pictures, and the records so far."""

    def __init__(self, network: str, root: Path, out: Path) -> None:
        data = load_data("folder", root=root, size=32)
        self.network, self.out = network, out
        self.record = replace(data.record, **NORMALISATION)
        self.train, self.test = data.train.pixels, self.record.normalise(data.test.pixels)
        self.labels = data.test.labels
        model = gs.create_model(network, num_classes=len(data.class_names))
        load_weights(model, Path(os.environ["GOSSAMER_DATA"], WEIGHTS[network]))
        example = torch.zeros(2, 3, 32, 32)
        self.folded = gs.export(model.eval(), example, record=self.record)
        self.plain = gs.export(model, example, record=self.record, rewrite=False)
        self.done = {key_of(record) for record in read_records(out)}

    def measure(self, graph: Graph) -> float:
        with gs.compile(as_dense(graph)) as program:
            return accuracy(predict_classes(program, self.test), self.labels)

    def write(self, settings: Record, graph: Graph, size_bytes: int) -> float:
        found = self.measure(graph)
        self.append(settings, {"size_bytes": size_bytes, "accuracy": found})
        return found

    def append(self, settings: Record, measured: Record) -> None:
        with self.out.open("a") as file:
            file.write(json.dumps({**settings, **measured, **surroundings()}) + "\n")
        print(settings, measured, flush=True)

    def is_new(self, settings: Record) -> bool:
        return key_of(settings) not in self.done

    def run_own(self, seed: int, images: int, prices: Sequence[float]) -> None:
        base = {"network": self.network, "coder": "gossamer", "seed": seed, "images": images}
        base["trellis"] = True
        wanted = [price for price in prices if self.is_new({**base, "bit_price": price})]
        if not wanted:
            return
        watched, _ = self.training_pictures(seed, images, 0)
        approximation = Approximation(self.folded, watched, LossyOptions(seed=seed))
        for price in wanted:
            data = encode(approximation.at(price), "small")
            self.write({**base, "bit_price": price}, decode(data), len(data))

    def training_pictures(self, seed: int, *counts: int) -> list[np.ndarray]:
        """Draw pictures without their labels, no one twice."""
        drawn = np.random.default_rng(seed).choice(len(self.train), sum(counts), replace=False)
        parts = np.split(drawn, np.cumsum(counts)[:-1])
        return [self.record.normalise(self.train[part]) for part in parts]

    def run_choices(self, seed: int, images: int) -> None:
        """Compare options; nothing of the test split is looked at."""
        watched, others = self.training_pictures(seed, images, CHOICE_PICTURES)
        with gs.compile(self.folded) as program:
            wanted = program(others)
        approximation = Approximation(self.folded, watched, LossyOptions(seed=seed))
        for name, options, price in CHOICES:
            base = {"network": self.network, "coder": "choice", "options": name, "seed": seed}
            base |= {"images": images, "bit_price": price}
            if not self.is_new(base):
                continue
            approximation.options = LossyOptions(seed=seed, **options)
            data = encode(approximation.at(price), "small")
            with gs.compile(as_dense(decode(data))) as program:
                found = program(others)
            measured = {"size_bytes": len(data), "divergence": divergence(wanted, found)}
            measured["alike"] = float((wanted.argmax(1) == found.argmax(1)).mean())
            self.append(base, measured)

    def run_rival(self) -> None:
        for form, graph in (("apart", self.plain), ("folded", self.folded)):
            for scale in LAMBDAS[form]:
                for qp in QPS:
                    base = {"network": self.network, "coder": "nncodec", "form": form}
                    settings = {**base, "lambda": scale, "qp": qp}
                    if not self.is_new(settings):
                        continue
                    size_bytes, decoded = nncodec_graph(graph, qp, scale)
                    if self.write(settings, decoded, size_bytes) < LEAST_ACCURACY:
                        break

    def run_dense(self) -> None:
        settings = {"network": self.network, "coder": "none"}
        if self.is_new(settings):
            data = encode(self.folded, "small")
            self.write(settings, decode(data), len(data))


def as_dense(graph: Graph) -> Graph:
    """Return it with dense weights: one machine code serves all, and time is not measured here."""
    dense = {name: Dense(layout.to_dense()) for name, layout in graph.weights.items()}
    return replace(graph, weights=dense)


def divergence(wanted: np.ndarray, found: np.ndarray) -> float:
    """Return the mean Kullback–Leibler divergence of two sets of logits (N, classes), in nats."""
    one, other = (log_softmax(logits.astype(np.float64)) for logits in (wanted, found))
    return float((np.exp(one) * (one - other)).sum(axis=1).mean())


def log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def key_of(record: Mapping[str, Any]) -> str:
    left_out = ("size_bytes", "accuracy", "divergence", "alike", "versions", "machine")
    return json.dumps({k: v for k, v in record.items() if k not in left_out}, sort_keys=True)


def read_records(path: Path) -> list[Record]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def surroundings() -> Record:
    """Return what a figure depends on beside its settings."""
    return {
        "versions": {"gossamer": gs.__version__, "numpy": np.__version__},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }


def best_points(records: Sequence[Record]) -> Curve:
    """Return (size, accuracy) of the records that no smaller one equals, sizes ascending."""
    curve: Curve = []
    for record in sorted(records, key=lambda record: (record["size_bytes"], -record["accuracy"])):
        if not curve or record["accuracy"] > curve[-1][1]:
            curve.append((record["size_bytes"], record["accuracy"]))
    return curve


def size_at(curve: Curve, wanted: float) -> float | None:
    """Return the size at an accuracy, None outside of the curve.

    Examples:
        >>> round(size_at([(100, 0.5), (400, 0.7)], 0.6))
        200
    """
    for (small, low), (large, high) in pairwise(curve):
        if low <= wanted <= high:
            return exp(log(small) + log(large / small) * (wanted - low) / (high - low))
    return None


def own_records(records: Sequence[Record], trellis: bool) -> list[Record]:
    """Records from before there was a trellis do not say that they have none."""
    own = [record for record in records if record["coder"] == "gossamer"]
    return [record for record in own if record.get("trellis", False) == trellis]


def own_curves(own: Sequence[Record]) -> Iterator[Curve]:
    for seed in sorted({record["seed"] for record in own}):
        yield best_points([record for record in own if record["seed"] == seed])


def spread(values: Sequence[float]) -> str:
    """Return mean ± standard deviation over the seeds."""
    return f"{mean(values):,.0f}" + (f" ± {stdev(values):,.0f}" if len(values) > 1 else "")


def print_tables(records: Sequence[Record]) -> None:
    """Print sizes at equal accuracy, then our points and the best of the rival's."""
    print("| network | accuracy, % | nncodec, bytes | trellis | gossamer, bytes | smaller by |")
    print("|---|---:|---:|---|---:|---:|")
    networks = sorted({record["network"] for record in records})
    for network in networks:
        mine = [record for record in records if record["network"] == network]
        dense = next(record["accuracy"] for record in mine if record["coder"] == "none")
        rival = best_points([record for record in mine if record["coder"] == "nncodec"])
        for loss, trellis in product(LOSSES, (True, False)):
            theirs = size_at(rival, dense - loss)
            curves = own_curves(own_records(mine, trellis))
            sizes = [size_at(curve, dense - loss) for curve in curves]
            known = [size for size in sizes if size]
            if theirs and known:
                saved = [1 - size / theirs for size in known]
                label = f"{100 * (dense - loss):.2f} ({100 * dense:.2f} − {100 * loss:g})"
                worst = f"{mean(saved):.1%} (worst seed {min(saved):.1%})"
                front = f"| {network} | {label} | {theirs:,.0f} | {'yes' if trellis else 'no'}"
                print(f"{front} | {spread(known)} | {worst} |")
    for network in networks:
        mine = [record for record in records if record["network"] == network]
        rival = best_points([record for record in mine if record["coder"] == "nncodec"])
        for trellis in (True, False):
            if own := own_records(mine, trellis):
                print(f"\n{network}, with{'' if trellis else 'out'} trellis:")
                print_points(own, rival)
        print(f"\n{network}, nncodec's best points (bytes, accuracy in %): ", end="")
        print("; ".join(f"{size:,} {100 * found:.2f}" for size, found in rival))


def print_choices(records: Sequence[Record]) -> None:
    """Print options against the defaults at equal size, along the defaults' own curve."""
    print("\n| network | options | seed | bytes | divergence | at equal size | alike, % |")
    print("|---|---|---:|---:|---:|---:|---:|")
    choices = [record for record in records if record["coder"] == "choice"]
    for record in choices:
        alike = [r for r in choices if all(r[k] == record[k] for k in ("network", "seed"))]
        curve = sorted(
            (r["size_bytes"], r["divergence"]) for r in alike if r["options"] == "defaults"
        )
        told = "–"
        if len(curve) > 1:
            (small, high), (large, low) = curve[0], curve[-1]
            power = log(high / low) / log(large / small)
            expected = high * (small / record["size_bytes"]) ** power
            told = f"{record['divergence'] / expected - 1:+.0%}"
        front = f"| {record['network']} | {record['options']} | {record['seed']}"
        row = (f"{record['size_bytes']:,}", f"{record['divergence']:.4f}", told)
        print(f"{front} | {' | '.join(row)} | {100 * record['alike']:.2f} |")


def print_points(own: Sequence[Record], rival: Curve) -> None:
    """Print our points, each with what the rival takes at the same accuracy."""
    print("\n| network | bit price | seed | accuracy, % | bytes | nncodec there | smaller by |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for record in sorted(own, key=lambda record: (-record["bit_price"], record["seed"])):
        theirs, size = size_at(rival, record["accuracy"]), record["size_bytes"]
        saved = (f"{theirs:,.0f}", f"{1 - size / theirs:.1%}") if theirs else ("–", "–")
        front = (record["network"], f"{record['bit_price']:g}", str(record["seed"]))
        row = (*front, f"{100 * record['accuracy']:.2f}", f"{size:,}", *saved)
        print(f"| {' | '.join(row)} |")


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, nargs="?", help="folder with train/ and test/")
    parser.add_argument("--networks", nargs="+", default=list(WEIGHTS), choices=list(WEIGHTS))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--images", type=int, default=512, help="training pictures to watch")
    parser.add_argument("--prices", type=float, nargs="+", default=BIT_PRICES)
    parser.add_argument("--options", action="store_true", help="compare options instead")
    parser.add_argument("--no-rival", action="store_true", help="leave nncodec out")
    parser.add_argument("--out", type=Path, default=RECORDS, help="file of the records")
    parser.add_argument("--table", action="store_true", help="print the tables, measure nothing")
    return parser


def run(chosen: argparse.Namespace) -> None:
    """Measure what is asked and not there yet."""
    if "GOSSAMER_DATA" not in os.environ:
        raise SpecError("no trained weights", hint="set GOSSAMER_DATA to their folder")
    for network in chosen.networks:
        bench = Bench(network, chosen.root, chosen.out)
        if chosen.options:
            for seed in chosen.seeds:
                bench.run_choices(seed, chosen.images)
            continue
        bench.run_dense()
        for seed in chosen.seeds:
            bench.run_own(seed, chosen.images, chosen.prices)
        if not chosen.no_rival:
            try:
                bench.run_rival()
            except ModuleNotFoundError as error:
                raise MissingDependencyError(
                    "nncodec is not installed", got=error.name, hint="--no-rival, or install it"
                ) from None


def main() -> None:
    parser = arguments()
    chosen = parser.parse_args()
    if chosen.table:
        records = read_records(chosen.out)
        if not records:
            parser.error(f"no records in {chosen.out}")
        print_tables(records)
        print_choices(records)
        return
    if not chosen.root:
        parser.error("give the folder with train/ and test/")
    torch.set_num_threads(1)
    try:
        run(chosen)
    except GossamerError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
