"""Count the zeros of a trained network's activations, and how many of them a kernel could skip.

    python benchmarks/zero_activations.py CHECKPOINT IMAGES [--pictures 100]

CHECKPOINT is a file of ResNet-20 weights for CIFAR-10, IMAGES a folder of pictures by class.
A kernel reads vectors: it can skip what is zero in all lanes, which lie far apart in the picture,
and a tap of a tile only if all its vectors are zero. Printed for each rectifier: zeros, vectors of
eight that are zero (lanes 4×2 and 8×1), and whole channels of a picture that are.
"""

import argparse

import numpy as np
import torch
from torch import nn

import gossamer as gs
from gossamer.nets.weights.load import load_weights
from gossamer.train.data import load_data


def zero_vectors(zeros: np.ndarray, split_h: int, split_w: int) -> float:
    """Return the share of vectors whose lanes are all zero; lanes are tiles of the picture."""
    n, c, h, w = zeros.shape
    tiles = zeros.reshape(n, c, split_h, h // split_h, split_w, w // split_w)
    return float(tiles.all(axis=(2, 4)).mean())


def main() -> None:
    """Print one line a rectifier."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("images")
    parser.add_argument("--pictures", type=int, default=100)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = gs.create_model("resnet-20-cifar").eval()
    load_weights(model, options.checkpoint)
    test = load_data("folder", root=options.images, size=32).test
    chosen = np.random.default_rng(0).permutation(len(test))[: options.pictures]
    found: list[tuple[str, np.ndarray]] = []
    for name, module in model.named_modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(
                lambda _, __, y, name=name: found.append((name, (y == 0).numpy()))
            )
    with torch.no_grad():
        model(test.batch(chosen)[0])
    print(f"{'after':34}{'zeros':>8}{'4×2':>8}{'8×1':>8}{'channels':>10}")
    for name, zeros in found:
        shares = [zeros.mean(), zero_vectors(zeros, 4, 2), zero_vectors(zeros, 8, 1)]
        whole = zeros.all(axis=(2, 3)).mean()
        print(f"{name:34}" + "".join(f"{100 * s:7.1f}%" for s in shares) + f"{100 * whole:9.1f}%")


if __name__ == "__main__":
    main()
