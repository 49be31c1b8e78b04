"""The trained CIFAR ResNets that the pruning benchmarks begin with: pictures, weights, records.

The weights are those of a public repository, trained on the original pictures; ours are strongly
compressed JPEG, so every network is fine-tuned for a few epochs first, once, and kept as a file.
The dense figure is the one after that.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from time import perf_counter
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import gossamer as gs
from gossamer.errors import SpecError
from gossamer.nets.weights import load_weights
from gossamer.replacing import replacing
from gossamer.train.data import Augment, Data, Split, load_data
from gossamer.train.evaluate import accuracy
from gossamer.train.history import EpochRecord
from gossamer.train.recipe import Recipe

RESULTS = Path(__file__).parents[1] / "docs" / "results"
PARENTS = RESULTS / "cifar_parents"
WEIGHTS = {
    "resnet-20-cifar": "resnet20-12fca82f.th",
    "resnet-32-cifar": "resnet32-d509ac18.th",
}
NORMALISATION = {"mean": (0.485, 0.456, 0.406), "deviation": (0.229, 0.224, 0.225)}
SIZE = 32


@dataclass(frozen=True, eq=False)
class ChannelsLast(Split):
    """A split whose batches lie channels-last, which is faster on CPUs and changes nothing else."""

    def batch(self, indices: np.ndarray, augment: Augment | None = None) -> tuple[Tensor, Tensor]:
        """Return normalised images float32 (N, C, H, W) and labels int64 (N,)."""
        images, labels = super().batch(indices, augment)
        return images.contiguous(memory_format=torch.channels_last), labels


def pictures(root: Path | None) -> Data:
    """Return the pictures under ROOT, normalised as the weights expect.

    Args:
        root: has `train/` and `test/`; `cifar10/` under GOSSAMER_DATA unless given.
    """
    if root is None:
        if "GOSSAMER_DATA" not in os.environ:
            raise SpecError("no data: give the folder with train/ and test/, or set GOSSAMER_DATA")
        root = Path(os.environ["GOSSAMER_DATA"]) / "cifar10"
    data = load_data("folder", root=root, size=SIZE, progress=False)
    record = replace(data.record, **NORMALISATION)
    return Data(*(ChannelsLast(s.pixels, s.labels, record) for s in (data.train, data.test)))


def training(epochs: int, learning_rate: float, **options: Any) -> Recipe:
    """Return how the networks are trained on: as their source trained them, but for the rate."""
    common = {"weight_decay": 1e-4, "label_smoothing": 0.0, "augment": "crop-mirror"}
    return Recipe(
        epochs, batch_size=128, learning_rate=learning_rate, **{"warmup": 0.0, **common, **options}
    )


def parent(network: str, recipe: Recipe, data: Data, folder: Path) -> nn.Module:
    """Return the dense network after its fine-tune, from the folder if it is there."""
    path = folder / f"{network}.safetensors"
    model = gs.create_model(network, num_classes=len(data.class_names))
    if path.exists():
        if Recipe.from_dict(read(path.with_suffix(".json"))["recipe"]) != recipe:
            raise SpecError("the dense network followed another recipe", where=path)
        model.load_state_dict(load_file(path))
        return model.eval()
    folder.mkdir(parents=True, exist_ok=True)
    if network in WEIGHTS:
        if "GOSSAMER_DATA" not in os.environ:
            raise SpecError("no trained weights", hint="set GOSSAMER_DATA to their folder")
        load_weights(model, Path(os.environ["GOSSAMER_DATA"], WEIGHTS[network]))
    before = accuracy(model.eval(), data.test)
    half = folder / f"{network}.training.safetensors"
    curve = Curve(f"{network}, dense")
    gs.fit(model, data, recipe, checkpoint=half, resume=True, on_epoch=curve, progress=False)
    record = {
        "network": network,
        "recipe": recipe.to_dict(),
        "accuracy_before": before,
        "accuracy": accuracy(model, data.test),
        "curve": curve.epochs,
        **surroundings(),
    }
    with replacing(path) as partial:
        save_file(model.state_dict(), partial)
    write(path.with_suffix(".json"), record)
    half.unlink(missing_ok=True)
    print(f"{network}: dense {before:.2%} → {record['accuracy']:.2%}", flush=True)
    return model.eval()


class Curve:
    """Keeps and prints each epoch of a training."""

    def __init__(self, title: str) -> None:
        self.title, self.start = title, perf_counter()
        self.epochs: list[dict[str, float]] = []

    def __call__(self, epoch: EpochRecord) -> None:
        self.epochs.append({"loss": round(epoch.loss, 5), "accuracy": epoch.accuracy})
        so_far = f"loss {epoch.loss:.4f}, accuracy {epoch.accuracy:.2%}"
        seconds = perf_counter() - self.start
        print(f"{self.title}: epoch {epoch.epoch}, {so_far}, {seconds:.0f} s", flush=True)


@contextmanager
def panels(networks: Sequence[str], path: Path, label: str) -> Iterator[dict[str, Any]]:
    """Draw a panel a network, network → axes, with accuracy upwards; written when that is done."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "gossamer"
    figure, (row,) = pyplot.subplots(
        1, len(networks), figsize=(4.5 * len(networks), 4), layout="constrained", squeeze=False
    )
    found = dict(zip(networks, row, strict=True))
    yield found
    for network, axes in found.items():
        axes.set(title=network, xlabel=label, ylabel="accuracy on CIFAR-10 (JPEG), %")
        axes.legend(fontsize="small")
    with replacing(path) as partial:
        figure.savefig(partial, format="svg", metadata={"Date": None})


def surroundings() -> dict[str, Any]:
    """Return what a figure depends on beside its options."""
    return {
        "versions": {"gossamer": gs.__version__, "torch": torch.__version__},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} used",
    }


def read(path: Path) -> dict[str, Any]:
    """Return a record."""
    return json.loads(path.read_text())


def write(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        partial.write_text(json.dumps(record, indent=1) + "\n")


def spread(values: Sequence[float]) -> str:
    """Return mean ± standard deviation over the seeds."""
    return f"{mean(values):.2f}" + (f" ± {stdev(values):.2f}" if len(values) > 1 else "")


def add_options(parser: argparse.ArgumentParser, out: Path) -> None:
    """Add what all of these benchmarks are asked."""
    parser.add_argument("root", type=Path, nargs="?", help="folder with train/ and test/")
    parser.add_argument("--networks", nargs="+", default=list(WEIGHTS))
    parser.add_argument("--parents", type=Path, default=PARENTS, help="folder of dense networks")
    parser.add_argument("--parent-epochs", type=int, default=5, help="of their fine-tune")
    parser.add_argument("--precision", default="bfloat16", help="of trainings, or float32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=out, help="folder of the records")
    parser.add_argument("--table", action="store_true", help="print the table, measure nothing")


def parents(chosen: argparse.Namespace, data: Data) -> dict[str, nn.Module]:
    """Return the dense networks that were asked for."""
    recipe = training(chosen.parent_epochs, 0.01, precision=chosen.precision)
    return {name: parent(name, recipe, data, chosen.parents) for name in chosen.networks}
