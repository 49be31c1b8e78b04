"""Train seven families of equal parameter budget on CIFAR-10 pictures and compare them.

    python benchmarks/cifar_families.py [ROOT] [--seeds 0 1 2] [--epochs 5] [--out FOLDER]
    python benchmarks/cifar_families.py --table [--out FOLDER] [--figure FILE.svg]

ROOT has `train/CLASS/*.jpg` and `test/CLASS/*.jpg`; `cifar10/` under the folder that GOSSAMER_DATA
names unless given. Every run (family, seed) leaves a record in FOLDER when it is done and, until
then, a checkpoint after each epoch: the same command goes on where it was stopped. A seed is
complete before the next begins. `--table` trains nothing; it prints what the records say.

Every network has 17.4 thousand parameters, give or take 3 %, and follows the same recipe; the seed
is that of weights, order and augmentation. Weights lie channels-last, which is several times
faster for grouped convolutions on a CPU and changes nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from statistics import mean, stdev
from time import perf_counter
from typing import Any

import torch

import gossamer as gs
from gossamer.errors import GossamerError, SpecError
from gossamer.graph.counting import count
from gossamer.replacing import replacing
from gossamer.train.data import Data, load_data
from gossamer.train.history import EpochRecord
from gossamer.train.recipe import Recipe

RECORDS = Path(__file__).parents[1] / "docs" / "results" / "cifar_families"
SIZE = 32

FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "IGCV1": (
        "igcv1-l24m2-d20",
        {"primary": 10, "secondary": 2, "depth": 8, "identity": True},
    ),
    "IGCV2": ("igcv2-star-c80-d8", {"width": 40, "depth": 8}),
    "IGCV3": ("igcv3-d-cifar", {"width_multiplier": 0.15, "depths": [1] * 7, "head": 72}),
    "SparseNet[sum]": ("sparsenet-sum-20-cifar", {"depth": 14, "width": 5}),
    "SparseNet[concat]": ("sparsenet-concat-40-k24-cifar", {"depth": 16, "growth": [3, 6, 12]}),
    "Inception": ("inception-cifar", {"width": 18, "modules": 1}),
    "ResNet": ("resnet-20-cifar", {"depth": 14, "width": 5}),
}

# What the papers lead one to expect at equal parameters: the first is the more accurate.
CLAIMS = (
    ("IGCV1", "ResNet", "IGCV1 (Zhang et al. 2017)"),
    ("IGCV2", "IGCV1", "IGCV2 (Xie et al. 2018)"),
    ("IGCV3", "IGCV2", "IGCV3 (Sun et al. 2018)"),
    ("SparseNet[sum]", "ResNet", "SparseNet (Zhu et al. 2018)"),
    ("SparseNet[concat]", "SparseNet[sum]", "SparseNet (Zhu et al. 2018)"),
)


def recipe(seed: int, epochs: int) -> Recipe:
    """Return the recipe that all families follow."""
    return Recipe(
        epochs,
        batch_size=128,
        learning_rate=0.1,
        weight_decay=1e-4,
        warmup=0.5,
        label_smoothing=0.0,
        augment="crop-mirror",
        seed=seed,
    )


def stem_of(family: str, seed: int) -> str:
    """Return the name of a run's files."""
    plain = family.lower().replace("[", "-").replace("]", "")
    return f"{plain}-seed{seed}"


def facts(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of a network before it is trained."""
    model = gs.create_model(name, **options).eval()
    graph = gs.export(model, torch.zeros(1, 3, SIZE, SIZE), rewrite=False)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return {
        "network": name,
        "options": dict(options),
        "params": parameters,
        "macs": count(graph).macs,
    }


def train(family: str, seed: int, epochs: int, data: Data, out: Path) -> None:
    """Train one member and write its record; nothing to do if that is there."""
    stem, (name, options) = stem_of(family, seed), FAMILIES[family]
    target = out / f"{stem}.json"
    if target.exists():
        if Recipe.from_dict(json.loads(target.read_text())["recipe"]) != recipe(seed, epochs):
            raise SpecError("the record follows another recipe", where=target, hint="another --out")
        print(f"{stem}: done before", flush=True)
        return
    record = {"family": family, "seed": seed, **facts(name, options)}
    model = gs.create_model(name, seed=seed, **options)
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    followed, curve, start = recipe(seed, epochs), list[dict[str, float]](), perf_counter()

    def on_epoch(epoch: EpochRecord) -> None:
        curve.append({"loss": round(epoch.loss, 5), "accuracy": epoch.accuracy})
        so_far = f"loss {epoch.loss:.4f}, accuracy {100 * epoch.accuracy:.2f} %"
        print(f"{stem}: epoch {epoch.epoch}, {so_far}, {perf_counter() - start:.0f} s", flush=True)

    checkpoint = out / "checkpoints" / f"{stem}.safetensors"
    gs.fit(model, data, followed, checkpoint=checkpoint, resume=True, on_epoch=on_epoch)
    record |= {
        "recipe": followed.to_dict(),
        "curve": curve,
        "time_s": round(perf_counter() - start, 1),
        "versions": {"gossamer": gs.__version__, "torch": torch.__version__},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} used",
    }
    with replacing(target) as partial:
        partial.write_text(json.dumps(record, indent=1) + "\n")
    checkpoint.unlink(missing_ok=True)


def read_records(out: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the records of each family, by seed."""
    found: dict[str, list[dict[str, Any]]] = {family: [] for family in FAMILIES}
    for path in sorted(out.glob("*-seed*.json")):
        record = json.loads(path.read_text())
        found[record["family"]].append(record)
    return {family: records for family, records in found.items() if records}


def accuracies(records: list[dict[str, Any]]) -> list[float]:
    """Return the accuracy after the last epoch, in percent, one a seed."""
    return [100 * record["curve"][-1]["accuracy"] for record in records]


def differences(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> list[float]:
    """Return how much the first is more accurate, in points, one a seed that both have."""
    others = {record["seed"]: record for record in second}
    pairs = [(one, others[one["seed"]]) for one in first if one["seed"] in others]
    return [accuracies([one])[0] - accuracies([other])[0] for one, other in pairs]


def spread(values: list[float]) -> str:
    """Return mean ± standard deviation over the seeds."""
    return f"{mean(values):.2f}" + (f" ± {stdev(values):.2f}" if len(values) > 1 else "")


def print_tables(found: dict[str, list[dict[str, Any]]]) -> None:
    """Print accuracies, best first, and what becomes of the papers' claims."""
    print("| family | parameters | MACs | seeds | test accuracy, % | training loss |")
    print("|---|---:|---:|---:|---:|---:|")
    ordered = sorted(found.items(), key=lambda item: -mean(accuracies(item[1])))
    for family, records in ordered:
        params, macs = f"{records[0]['params']:,}", f"{records[0]['macs'] / 1e6:.2f} M"
        loss = spread([record["curve"][-1]["loss"] for record in records])
        cells = (family, params, macs, len(records), spread(accuracies(records)), loss)
        print("|", " | ".join(str(cell) for cell in cells), "|")
    print("\n| expected | source | seeds | difference found, points | found |")
    print("|---|---|---:|---:|---|")
    for better, worse, source in CLAIMS:
        if gaps := differences(found.get(better, []), found.get(worse, [])):
            verdict = "yes" if min(gaps) > 0 else "no" if max(gaps) < 0 else "seeds disagree"
            cells = (f"{better} over {worse}", source, len(gaps), spread(gaps), verdict)
            print("|", " | ".join(str(cell) for cell in cells), "|")


def draw(found: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Draw loss and accuracy against the epoch: the mean over the seeds, and their range."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "gossamer"
    figure, panels = pyplot.subplots(1, 2, figsize=(9, 4), layout="constrained")
    for family, records in found.items():
        for axes, key, factor in zip(panels, ("loss", "accuracy"), (1, 100), strict=True):
            curves = [[factor * epoch[key] for epoch in one["curve"]] for one in records]
            epochs = range(1, len(curves[0]) + 1)
            values = list(zip(*curves, strict=True))
            (line,) = axes.plot(epochs, [mean(v) for v in values], marker="o", label=family)
            lowest, highest = [min(v) for v in values], [max(v) for v in values]
            axes.fill_between(epochs, lowest, highest, color=line.get_color(), alpha=0.15)
    for axes, label in zip(panels, ("mean training loss", "test accuracy, %"), strict=True):
        axes.set(xlabel="epoch", ylabel=label)
        axes.xaxis.get_major_locator().set_params(integer=True)
    panels[1].legend(fontsize="small")
    with replacing(path) as partial:
        figure.savefig(partial, format="svg", metadata={"Date": None})


def default_root(parser: argparse.ArgumentParser) -> Path:
    """Return `cifar10/` under GOSSAMER_DATA."""
    if "GOSSAMER_DATA" not in os.environ:
        parser.error("no data: give the folder with train/ and test/, or set GOSSAMER_DATA")
    return Path(os.environ["GOSSAMER_DATA"]) / "cifar10"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, nargs="?", help="folder with train/ and test/")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RECORDS, help="folder of the records")
    parser.add_argument("--table", action="store_true", help="print the tables, train nothing")
    parser.add_argument("--figure", type=Path, help="with --table: draw the curves to this SVG")
    chosen = parser.parse_args()
    if chosen.table:
        if not (found := read_records(chosen.out)):
            parser.error(f"no records in {chosen.out}")
        print_tables(found)
        if chosen.figure:
            draw(found, chosen.figure)
        return
    torch.set_num_threads(chosen.threads)
    chosen.out.mkdir(parents=True, exist_ok=True)
    try:
        data = load_data("folder", root=chosen.root or default_root(parser), size=SIZE)
        for seed in chosen.seeds:
            for family in FAMILIES:
                train(family, seed, chosen.epochs, data, chosen.out)
    except GossamerError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
