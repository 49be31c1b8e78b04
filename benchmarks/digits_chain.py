"""Train, prune and share the two digit networks over three seeds, and print a table.

    python benchmarks/digits_chain.py [--seeds 3] [--threads 1] [--recipe digits]

The size is an estimate: code and gap bits at their zero-order entropies, eight bytes a norm
channel, biases and codebooks in float32, and 2,500 bytes of header; the written file decides.
"CPU s" adds up the threads, and is the steadier figure on a busy machine, where a second thread of
such small steps mostly waits for the first.
"""

import argparse
from statistics import mean
from time import perf_counter, process_time

import numpy as np
import torch
from safetensors.torch import save
from torch import nn

from gossamer.compress.compress import compress
from gossamer.compress.layers import WEIGHTED
from gossamer.counts import entropy_bits, position_bits
from gossamer.nets.create import create_model
from gossamer.train.data import load_data
from gossamer.train.evaluate import accuracy
from gossamer.train.fit import fit
from gossamer.train.recipe import Recipe

NETWORKS = ("digits-plain", "digits-igc")
HEADER_BYTES = 2500


def estimated_bytes(model: nn.Module) -> float:
    total = float(HEADER_BYTES)
    for module in model.modules():
        if isinstance(module, WEIGHTED):
            weight = module.weight.detach().numpy()
            nonzeros = weight[weight != 0]
            bits = position_bits(weight.size, nonzeros.size)
            bits += entropy_bits(np.unique(nonzeros, return_inverse=True)[1])
            bias = 0 if module.bias is None else module.bias.numel()
            total += bits / 8 + 4 * (bias + np.unique(nonzeros).size)
        elif isinstance(module, nn.BatchNorm2d):
            total += 8 * module.num_features
    return total


def chain(name: str, seed: int, recipe: str) -> dict[str, float]:
    data = load_data("digits", seed=seed)
    example = data.test.batch(np.arange(1))[0]
    start, start_cpu = perf_counter(), process_time()
    dense = fit(create_model(name, seed=seed), data, Recipe(seed=seed), progress=False)
    trained = perf_counter() - start
    result = compress(dense, example, recipe, data=data, seed=seed, progress=False)
    pruned, shared = result.ledger.entries
    return {
        "dense %": 100 * accuracy(dense, data.test),
        "pruned %": 100 * (pruned.accuracy_after or 0),
        "shared %": 100 * (shared.accuracy_after or 0),
        "sparsity %": 100 * shared.after.sparsity,
        "values": shared.after.distinct_values,
        "eff. MACs %": 100 * shared.after.effective_macs / shared.after.macs,
        "1/size": len(save(dense.state_dict())) / estimated_bytes(result.model),
        "train s": trained,
        "prune s": pruned.time_s,
        "share s": shared.time_s,
        "CPU s": process_time() - start_cpu,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--recipe", default="digits")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for name in NETWORKS:
        rows = [chain(name, seed, args.recipe) for seed in range(args.seeds)]
        print(name.ljust(14), *(f"{key:>12}" for key in rows[0]))
        for seed, row in enumerate(rows):
            print(f"  seed {seed}".ljust(14), *(f"{value:12.2f}" for value in row.values()))
        print("  mean".ljust(14), *(f"{mean(r[key] for r in rows):12.2f}" for key in rows[0]))


if __name__ == "__main__":
    main()
