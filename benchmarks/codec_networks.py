"""Make the networks that coders of weights are compared on, as files for `gossamer bench codec`.

    python benchmarks/codec_networks.py --out codec-files [--igcv3 CHECKPOINT.safetensors]
        [--mobilenet CHECKPOINT.safetensors] [--pictures ROOT]
    gossamer bench codec codec-files/*.goss

ResNet-20 and ResNet-32 (checkpoints in the folder GOSSAMER_DATA) pruned by global magnitude to 50,
80 and 90 % and rounded to 4, 5, 6 and 8 bits with one step a tensor, without retraining: for sizes,
not for accuracy; ResNet-20 of eight bits with no zeros; and the small IGCV3 of
`benchmarks/cifar_families.py`, if its checkpoint is given, 50 % at 6 bits, and dense at 8; and a
MobileNetV2 of 0.35 of the width, 395,000 weights, 80 % at 5 bits, 50 % at 6 and dense at 8, from
its checkpoint, which eight epochs on the CIFAR-10 pictures of ROOT make if it is not there.

LeNets come from `benchmarks/lenet_chain.py`.
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from cifar_resnets import Curve, pictures, training
from safetensors.torch import load_file, save_file
from torch import nn

import gossamer as gs
from gossamer.graph import Codebook, Graph
from gossamer.nets.weights.load import load_weights
from gossamer.replacing import replacing

CHECKPOINTS = {"resnet-20": "resnet20-12fca82f.th", "resnet-32": "resnet32-d509ac18.th"}
IGCV3 = {"width_multiplier": 0.15, "depths": [1] * 7, "head": 72}
MOBILENET = {"width_multiplier": 0.35}
EXAMPLE = torch.zeros(1, 3, 32, 32)


def on_steps(values: np.ndarray, bits: int) -> Codebook:
    """Round a tensor to multiples of one step that fit into some bits."""
    step = np.abs(values).max() / np.float32(2 ** (bits - 1) - 1)
    return Codebook.from_dense(np.rint(values / step).astype(np.float32) * step)


def rounded(model: nn.Module, sparsity: float, bits: int) -> Graph:
    """Prune by global magnitude, export, which may fold norms, and round the graph's tensors."""
    weights = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    magnitudes = torch.cat([weight.detach().abs().flatten() for weight in weights])
    threshold = np.quantile(magnitudes.numpy(), sparsity) if sparsity else -1.0
    with torch.no_grad():
        for weight in weights:
            weight.mul_(weight.abs() > threshold)
    graph = gs.export(model.eval(), EXAMPLE)
    layouts = {
        name: on_steps(layout.to_dense(), bits) if len(layout.shape) > 1 else layout
        for name, layout in graph.weights.items()
    }
    return replace(graph, weights=layouts)


def mobilenet(checkpoint: Path, root: Path | None) -> nn.Module:
    """Return the trained MobileNetV2; train it if its checkpoint is not there."""
    model = gs.create_model("mobilenet-v2-cifar", **MOBILENET)
    if checkpoint.exists():
        model.load_state_dict(load_file(checkpoint))
        return model
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    half = checkpoint.with_suffix(".training.safetensors")
    recipe = training(8, 0.1, warmup=0.5, precision="bfloat16")
    gs.fit(model, pictures(root), recipe, checkpoint=half, resume=True, on_epoch=Curve("mobilenet"))
    with replacing(checkpoint) as partial:
        save_file({name: t.contiguous() for name, t in model.state_dict().items()}, partial)
    half.unlink(missing_ok=True)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("codec-files"))
    parser.add_argument("--igcv3", type=Path)
    parser.add_argument("--mobilenet", type=Path)
    parser.add_argument("--pictures", type=Path, help="folder with train/ and test/")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    folder = Path(os.environ["GOSSAMER_DATA"])

    def write(name: str, model: nn.Module, sparsity: float, bits: int) -> None:
        path = options.out / f"{name}-{100 * sparsity:.0f}-{bits}.goss"
        gs.save(rounded(model, sparsity, bits), path, profile="small")
        print(f"{path}: {path.stat().st_size:,} bytes", flush=True)

    for name, file in CHECKPOINTS.items():
        for sparsity in (0.5, 0.8, 0.9):
            for bits in (4, 5, 6, 8):
                model = load_weights(gs.create_model(f"{name}-cifar"), folder / file)
                write(name, model, sparsity, bits)
    model = load_weights(gs.create_model("resnet-20-cifar"), folder / CHECKPOINTS["resnet-20"])
    write("resnet-20", model, 0.0, 8)
    if options.igcv3:
        for sparsity, bits in ((0.5, 6), (0.0, 8)):
            model = gs.create_model("igcv3-d-cifar", **IGCV3)
            tensors = load_file(options.igcv3)
            prefix = "model." if any(name.startswith("model.") for name in tensors) else ""
            own = {prefix + name: name for name in model.state_dict()}
            model.load_state_dict({own[name]: tensors[name] for name in own})
            write("igcv3", model, sparsity, bits)
    if options.mobilenet:
        for sparsity, bits in ((0.8, 5), (0.5, 6), (0.0, 8)):
            write("mobilenet-v2", mobilenet(options.mobilenet, options.pictures), sparsity, bits)


if __name__ == "__main__":
    main()
