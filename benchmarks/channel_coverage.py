"""Remove channels from many networks, and print of each how much went, or why not.

Run with:

    python benchmarks/channel_coverage.py                  # all of benchmarks/channel_coverage.txt
    python benchmarks/channel_coverage.py timm:dla34 resnet-20-cifar
    python benchmarks/channel_coverage.py --table         # what is finished, for the results page

The networks have random weights; their norms get random scales, shifts and statistics, so that no
branch is silent when removed and masked channels are compared. A network passes if at least 30 % of
its convolution channels and 40 % of its MACs are gone and the comparison holds. What is finished is
kept in a file (--out), one line of JSON a network, and is not done again.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from torch import nn

from gossamer.compress.channels.search import Search
from gossamer.compress.channels.select import Share
from gossamer.compress.channels.work import work
from gossamer.compress.prune.criteria.magnitude import magnitude
from gossamer.errors import GossamerError
from gossamer.nets.create import create_model
from gossamer.nets.external import is_external
from gossamer.nets.registry import NETWORKS

CHANNELS, MACS = 0.30, 0.40
NAMES = Path(__file__).with_suffix(".txt")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="as in the list: NAME or NAME@SIZE")
    parser.add_argument("--out", type=Path, default=Path("channel_coverage.jsonl"))
    parser.add_argument("--table", action="store_true", help="measure nothing; print Markdown")
    options = parser.parse_args()
    names = options.names or listed_names()
    done = finished(options.out)
    if options.table:
        print_table([done[name] for name in names if name in done], len(names))
        return
    declare_missing_operators()
    warnings.filterwarnings("ignore")
    for name in names:
        if name not in done:
            done[name] = examine(name)
            with options.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(done[name]) + "\n")
        print(line(done[name]), flush=True)
    passed = sum(done[name]["passed"] for name in names)
    print(f"{passed} of {len(names)} pass ({passed / len(names):.1%})")


def listed_names() -> list[str]:
    """Return the names of the list, comments left out."""
    lines = (text.partition("#")[0].strip() for text in NAMES.read_text("utf-8").splitlines())
    return [text for text in lines if text]


def finished(path: Path) -> dict[str, dict]:
    """Return the results that are there already."""
    if not path.exists():
        return {}
    results = map(json.loads, path.read_text("utf-8").splitlines())
    return {result["name"]: result for result in results}


def examine(name: str) -> dict:
    """Return what came of one network."""
    start = perf_counter()
    result = {"name": name, "channels": 0.0, "macs": 0.0, "reason": ""}
    try:
        result |= remove(*build(name))
    except GossamerError as error:
        result["reason"] = " ".join(str(error).split())
    except Exception as error:  # one network must not end the walk; the line names what happened
        result["reason"] = " ".join(f"{type(error).__name__}: {error}".split())
    result["passed"] = result["channels"] >= CHANNELS and result["macs"] >= MACS
    result["time_s"] = round(perf_counter() - start, 1)
    return result


def build(name: str) -> tuple[nn.Module, torch.Tensor]:
    """Return a network with random weights, and an example for it."""
    name, _, size = name.partition("@")
    shape = (3, 64, 64) if is_external(name) else NETWORKS[name].input_shape
    if size:
        shape = (shape[0], int(size), int(size))
    model = create_model(name).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._NormBase | nn.GroupNorm | nn.LayerNorm):
                scatter(module, generator)
    return model, torch.randn((1, *shape), generator=generator)


def scatter(norm: nn.Module, generator: torch.Generator) -> None:
    """Give a norm random numbers, as if it had been trained."""
    for key, low, high in (
        ("weight", 0.5, 1.5),
        ("bias", -0.3, 0.3),
        ("running_mean", -0.3, 0.3),
        ("running_var", 0.5, 1.5),
    ):
        tensor = getattr(norm, key, None)
        if tensor is not None:
            tensor.copy_(low + (high - low) * torch.rand(tensor.shape, generator=generator))


def remove(model: nn.Module, example: torch.Tensor) -> dict:
    """Remove as little as passes, and return the shares that went."""
    search = Search(model, example, lambda name: False)
    found = {}
    for of, amount in (("macs", MACS), ("channels", CHANNELS)):
        share = Share(of, amount, allocation="uniform", min_density=0.05)
        structure, _, removed = search.settle(share, magnitude)
        whole = work(structure, np.zeros(structure.count, bool))
        left = work(structure, removed)
        found = {measure: whole.removed(left, measure) for measure in ("channels", "macs")}
        if found["channels"] >= CHANNELS and found["macs"] >= MACS:
            break
    return found


def line(result: dict) -> str:
    shares = f"channels {result['channels']:5.1%}  MACs {result['macs']:5.1%}"
    verdict = "pass" if result["passed"] else result["reason"] or "too little"
    return f"{result['name']:44} {shares}  {verdict}"


def print_table(results: list[dict], listed: int) -> None:
    """Print what passed, what did not and why, and a line for each network."""
    passed = sum(result["passed"] for result in results)
    print(
        f"**{passed} of {len(results)} pass ({passed / len(results):.1%}); {listed} are listed.**\n"
    )
    print("| network | why not |\n|---|---|")
    for result in results:
        if not result["passed"]:
            print(f"| `{result['name']}` | {result['reason'] or 'too little'} |")
    print("\n| network | channels removed | MACs removed | |\n|---|---|---|---|")
    for result in results:
        shares = f"{result['channels']:.1%} | {result['macs']:.1%}"
        print(f"| `{result['name']}` | {shares} | {'pass' if result['passed'] else 'no'} |")


def declare_missing_operators() -> None:
    """Let torchvision be imported beside a torch that it was not built for."""
    try:
        import torchvision  # noqa: F401
    except ImportError:
        return
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        declare_missing_operators.library = library  # it undoes its definitions when collected


if __name__ == "__main__":
    main()
