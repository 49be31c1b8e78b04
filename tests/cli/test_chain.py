"""train → compress → export → inspect → run, each verb reading only what the one before wrote."""

import json

import numpy as np
import pytest

import gossamer

RECIPE = """
passes:
  - {pass: gradual-prune, sparsity: 0.8, training: {epochs: 0}}
  - {pass: share-weights, bits: 4, training: {epochs: 0}}
"""


def printed(done):
    assert done.status == 0, done.err
    return json.loads(done.out)


@pytest.fixture
def trained(gossamer_program, tmp_path):
    command = "train digits-plain --epochs 1 --out net.safetensors --json"
    printed(gossamer_program(*command.split()))
    return tmp_path / "net.safetensors"


def test_the_verbs_hand_the_network_on(gossamer_program, trained, tmp_path):
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    made = printed(
        gossamer_program(
            *(
                "compress",
                trained,
                "--recipe",
                "recipe.yaml",
                "--out",
                "small.safetensors",
                "--json",
            )
        )
    )
    assert made["network"] == "digits-plain"
    entries = made["ledger"]["entries"]
    assert [entry["name"] for entry in entries] == ["gradual-prune", "share-weights"]
    assert entries[0]["asked"]["sparsity"] == 0.8

    done = printed(gossamer_program("export", "small.safetensors", "--out", "net.goss", "--json"))
    assert done["size_bytes"] == (tmp_path / "net.goss").stat().st_size
    file = printed(gossamer_program("inspect", "net.goss", "--json"))
    assert file["profile"] == "small"
    layouts = {tensor["layout"] for tensor in file["tensors"] if len(tensor["shape"]) > 1}
    assert layouts == {"codebook"}

    export = ("export", "net.goss", "--out", "fast.goss", "--profile", "fast")
    assert gossamer_program(*export).status == 0
    assert printed(gossamer_program("inspect", "fast.goss", "--json"))["profile"] == "fast"

    np.save(tmp_path / "x.npy", np.zeros((1, 1, 8, 8)))
    (found,) = printed(gossamer_program("run", "net.goss", "x.npy", "--json"))
    assert {guess["class"] for guess in found["softmax"]} <= set("0123456789")


def test_onnx_is_written_by_its_suffix(gossamer_program, trained, tmp_path):
    import onnx

    assert gossamer_program("export", trained, "--out", "net.onnx").status == 0
    wrong = ("export", trained, "--out", "net.onnx", "--profile", "fast")
    assert "profile" in gossamer_program(*wrong).err
    onnx.checker.check_model(str(tmp_path / "net.onnx"))


def test_the_text_says_what_was_made(gossamer_program, trained, tmp_path):
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    done = gossamer_program(
        "compress", trained, "--recipe", "recipe.yaml", "--out", "small.safetensors"
    )
    assert "gradual-prune: asked sparsity 0.8" in done.out
    assert "wrote small.safetensors" in done.out
    done = gossamer_program("export", "digits-plain", "small.safetensors")
    assert done.out.startswith("digits-plain: ")
    assert gossamer.load(tmp_path / "net.goss").name == "digits-plain"


def test_training_resumes_from_its_checkpoint(gossamer_program, trained, tmp_path):
    first = trained.read_bytes()
    trained.unlink()
    command = "train digits-plain --epochs 1 --out net.safetensors --resume"
    done = gossamer_program(*command.split())
    assert "test accuracy" in done.out
    assert trained.read_bytes() == first
    (tmp_path / "recipe.json").write_text('{"batch_size": 32}')
    done = gossamer_program(*command.split(), "--recipe", "recipe.json")
    assert done.status == 2
    assert "another recipe" in done.err


def test_the_seed_decides_the_weights(gossamer_program, tmp_path):
    for seed, name in ((1, "a"), (1, "b"), (2, "c")):
        arguments = f"train digits-plain --epochs 0 --seed {seed} --out {name}.safetensors"
        done = gossamer_program(*arguments.split())
        assert "test accuracy –" in done.out
    a, b, c = ((tmp_path / f"{name}.safetensors").read_bytes() for name in "abc")
    assert a == b != c
