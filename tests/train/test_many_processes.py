"""The same loop in two processes, joined by torch's own launcher."""

import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

SCRIPT = """
import sys
import torch
from torch import nn
from safetensors.torch import save_file
from gossamer.train.data import load_data
from gossamer.train.fit import fit
from gossamer.train.recipe import Recipe

torch.set_num_threads(1)
torch.manual_seed(0)
# Without batch norm: its statistics are of each process's own share.
model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
history = []
fit(model, load_data("digits"), Recipe(epochs=2, batch_size=32), on_epoch=history.append)
import torch.distributed as dist
if not dist.is_initialized() or dist.get_rank() == 0:
    assert (dist.get_world_size() if dist.is_initialized() else 1) == int(sys.argv[2])
    save_file(model.state_dict(), sys.argv[1])
    print(history[-1].loss)
if dist.is_initialized():
    dist.destroy_process_group()
"""


def train(folder: Path, processes: int) -> tuple[dict, float]:
    script, out = folder / "train.py", folder / f"{processes}.safetensors"
    script.write_text(SCRIPT)
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    prefix = [sys.executable, *(launcher if processes > 1 else [])]
    done = subprocess.run(
        [*prefix, str(script), str(out), str(processes)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return load_file(out), float(done.stdout.strip().splitlines()[-1])


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(tmp_path):
    import torch

    one, loss_of_one = train(tmp_path, 1)
    two, loss_of_two = train(tmp_path, 2)
    assert loss_of_two == pytest.approx(loss_of_one, rel=1e-3)
    for key, value in one.items():
        torch.testing.assert_close(two[key], value, rtol=1e-2, atol=1e-3)
