"""LeNet-300-100 and LeNet-5 on MNIST through the chain of deep compression, to the bytes of files.

    python benchmarks/lenet_chain.py                     both networks, one seed
    python benchmarks/lenet_chain.py lenet-5 --seed 1 --out files

Train, prune step by step to a fraction of the weights (Zhu & Gupta 2017; removed weights may come
back while sparsity rises), let the rest of each layer take few values and train those (Han, Mao &
Dally 2016), round biases to a few bits, export, write. The size is that of the written file; the
error is that of the graph decoded from it, on the 10,000 test digits. "fp32" counts four bytes a
weight and bias of the dense network. MNIST comes from `mnist/` in the folder GOSSAMER_DATA.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

import gossamer as gs
from gossamer.compress.cluster.share import ShareWeights
from gossamer.compress.prune.gradual import GradualPrune
from gossamer.train.data import load_data
from gossamer.train.recipe import Recipe

BIAS_MANTISSA_BITS = 3


@dataclass(frozen=True)
class Plan:
    """How far one network is pruned, and how long it is trained; `bar` is what is to be reached."""

    sparsity: float
    bits: int
    dense_epochs: int
    prune_epochs: int
    share_epochs: int
    bar: tuple[int, float]


PLANS = {
    "lenet-300-100": Plan(0.965, 3, 15, 45, 6, bar=(100, 1.7)),
    "lenet-5": Plan(0.9915, 3, 5, 22, 4, bar=(300, 0.9)),
}


def recipe(epochs: int, **options: object) -> Recipe:
    return Recipe.from_dict(
        {"epochs": epochs, "batch_size": 128, "label_smoothing": 0.0, "augment": "shift"} | options
    )


def passes(plan: Plan) -> list[GradualPrune | ShareWeights]:
    prune = recipe(plan.prune_epochs, learning_rate=0.05, weight_decay=2e-4)
    share = recipe(plan.share_epochs, optimiser="adamw", learning_rate=5e-4, weight_decay=0.0)
    return [
        GradualPrune(
            plan.sparsity, min_density=0.002, ramp=0.6, every=100, regrow=True, training=prune
        ),
        ShareWeights(plan.bits, training=share),
    ]


def round_biases(model: nn.Module) -> None:
    """Keep a few bits of the mantissa of each bias."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                mantissa, exponent = torch.frexp(parameter)
                steps = 2.0 ** (BIAS_MANTISSA_BITS + 1)
                parameter.copy_(torch.ldexp(torch.round(mantissa * steps) / steps, exponent))


def error_percent(path: Path, images: np.ndarray, labels: np.ndarray) -> float:
    """Return the percentage of wrong answers of the network in a file."""
    with gs.compile(gs.load(path)) as program:
        answers = [program(images[i : i + 1]).argmax() for i in range(len(images))]
    return 100 * float(np.mean(np.array(answers) != labels))


def chain(name: str, seed: int, folder: Path) -> None:
    plan, data = PLANS[name], load_data("mnist")
    images, labels = data.test.batch(np.arange(len(data.test)))
    training = recipe(plan.dense_epochs, learning_rate=0.05, seed=seed)
    dense = gs.fit(gs.create_model(name, seed=seed), data, training, progress=False)
    gs.save(gs.export(dense, images[:1], record=data.record), folder / f"{name}-dense.goss")
    small = gs.compress(dense, images[:1], passes(plan), data=data, seed=seed, progress=False).model
    round_biases(small)
    path = folder / f"{name}.goss"
    gs.save(gs.export(small, images[:1], record=data.record, name=name), path, profile="small")
    fp32_bytes = 4 * sum(parameter.numel() for parameter in dense.parameters())
    size_bytes = path.stat().st_size
    errors = [
        error_percent(file, images.numpy(), labels.numpy())
        for file in (folder / f"{name}-dense.goss", path)
    ]
    print(
        f"{name}, seed {seed}: fp32 {fp32_bytes:,} bytes, error {errors[0]:.2f} %; "
        f"file {size_bytes:,} bytes = 1/{fp32_bytes / size_bytes:.1f} (asked 1/{plan.bar[0]}), "
        f"error {errors[1]:.2f} % (asked ≤ {plan.bar[1]} %)",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=list(PLANS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("lenet-files"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.networks:
        chain(name, options.seed, options.out)


if __name__ == "__main__":
    main()
