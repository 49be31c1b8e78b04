"""Run a `.goss` file in a process of its own, in which torch is never imported.

    python -m gossamer.cli.demo.fresh_process NET.goss IMAGES.npy OUTPUTS.npy

prints one JSON line that says whether torch was imported.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from gossamer.codec.files import load
from gossamer.compile.compile import compile
from gossamer.errors import VerificationError


def run_fresh(net: Path, images: np.ndarray) -> np.ndarray:
    """Return what a new Python process computes from a file.

    Args:
        net: a `.goss` file.
        images: (N, C, H, W) float32.

    Returns:
        The outputs, (N, classes) float32.

    Raises:
        VerificationError: if the process fails or has imported torch.
    """
    with TemporaryDirectory() as folder:
        given, made = Path(folder, "images.npy"), Path(folder, "outputs.npy")
        np.save(given, images)
        child = subprocess.run(
            [sys.executable, "-m", __name__, str(net), str(given), str(made)],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )
        if child.returncode:
            last = (child.stderr.strip().splitlines() or ["no message"])[-1]
            raise VerificationError("the fresh process failed", where=net, got=last)
        if json.loads(child.stdout)["torch_imported"]:
            raise VerificationError("the fresh process imported torch", where=net)
        return np.load(made)


def main(net: str, given: str, made: str) -> None:
    """Load, compile, run, and write the outputs."""
    with compile(load(net)) as program:
        images = np.load(given)
        np.save(made, np.concatenate([program(images[i : i + 1]) for i in range(len(images))]))
    print(json.dumps({"torch_imported": "torch" in sys.modules}))


if __name__ == "__main__":
    main(*sys.argv[1:])
