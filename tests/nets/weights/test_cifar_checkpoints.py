"""CIFAR ResNets trained elsewhere, on CIFAR-10 (JPEG); strong compression costs them ten points."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from gossamer.images import InputRecord
from gossamer.nets.create import create_model
from gossamer.nets.weights import load_weights

RECORD = InputRecord(32, 32, mean=(0.485, 0.456, 0.406), deviation=(0.229, 0.224, 0.225))
SAMPLE = 1000


@pytest.fixture(scope="module")
def folder() -> Path:
    """Give the folder of the data, or skip."""
    name = os.environ.get("GOSSAMER_DATA")
    if name is None or not (Path(name) / "cifar10-jpeg.tar.gz").is_file():
        pytest.skip("GOSSAMER_DATA names no folder with CIFAR-10 (JPEG)")
    return Path(name)


@pytest.fixture(scope="module")
def sample(folder: Path, tmp_path_factory) -> tuple[torch.Tensor, torch.Tensor]:
    """Give 1,000 test pictures drawn at random, normalised, and their labels."""
    pil = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    pixels, classes = [], []
    with tarfile.open(folder / "cifar10-jpeg.tar.gz") as archive:
        for member in archive:
            parts = Path(member.name).parts
            if parts[-3:-2] == ("test",) and member.isfile():
                content = archive.extractfile(member)
                assert content is not None
                pixels.append(np.asarray(pil.open(io.BytesIO(content.read())).convert("RGB")))
                classes.append(parts[-2])
    _, labels = np.unique(classes, return_inverse=True)
    chosen = np.random.default_rng(0).choice(len(pixels), SAMPLE, replace=False)
    x = RECORD.normalise(np.stack([pixels[i] for i in chosen]))
    return torch.from_numpy(x), torch.from_numpy(labels[chosen])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "file", "accuracy"),
    [
        ("resnet-20-cifar", "resnet20-12fca82f.th", 0.810),
        ("resnet-32-cifar", "resnet32-d509ac18.th", 0.826),
    ],
)
@torch.no_grad()
def test_classifies_as_published(folder, sample, name, file, accuracy):
    model = load_weights(create_model(name), folder / file).eval()
    x, labels = sample
    right = torch.cat([model(part).argmax(1) for part in x.split(250)]) == labels
    # Three standard deviations of a sample of a thousand are 0.037.
    assert right.float().mean().item() == pytest.approx(accuracy, abs=0.037)
