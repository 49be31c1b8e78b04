"""Every bad input to every verb ends with one clear line and exit status 2."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from gossamer.nets.create import create_model


@pytest.fixture
def folder(tmp_path, net, picture):
    """A folder with good and bad files; its names are what the table below uses."""
    (tmp_path / "text.goss").write_text("not a network\n" * 9)
    (tmp_path / "empty.goss").write_bytes(b"")
    (tmp_path / "cut.goss").write_bytes(net.read_bytes()[:-5])
    data = bytearray(net.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "flipped.goss").write_bytes(data)
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "text.npy").write_text("not an array")
    (tmp_path / "text.json").write_text("{")
    (tmp_path / "wrong.json").write_text('{"epocks": 3}')
    (tmp_path / "text.safetensors").write_text("not weights")
    np.save(tmp_path / "channels.npy", np.zeros((1, 3, 6, 6)))
    np.save(tmp_path / "size.npy", np.zeros((1, 1, 7, 6)))
    np.save(tmp_path / "axes.npy", np.zeros((6, 6)))
    np.save(tmp_path / "huge.npy", np.full((1, 1, 6, 6), 1e300))
    np.save(tmp_path / "none.npy", np.zeros((0, 1, 6, 6)))
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    np.savez(tmp_path / "archive.npz", np.zeros(3))
    (tmp_path / "archive.npz").rename(tmp_path / "archive.npy")
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    save_file(create_model("digits-plain").state_dict(), tmp_path / "nameless.safetensors")
    save_file(create_model("squeezenet-1.0").state_dict(), tmp_path / "large.safetensors")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("inspect absent.goss", "no such file"),
        ("inspect text.goss", "text.goss"),
        ("inspect empty.goss", "empty.goss"),
        ("inspect cut.goss", "cut.goss"),
        ("inspect flipped.goss", "flipped.goss"),
        ("inspect .", "directory"),
        ("run absent.goss picture.png", "no such file"),
        ("run text.goss picture.png", "text.goss"),
        ("run tiny.goss absent.png", "no such file"),
        ("run tiny.goss text.jpg", "not a picture"),
        ("run tiny.goss absent.npy", "no such file"),
        ("run tiny.goss text.npy", "not a .npy array"),
        ("run tiny.goss channels.npy", "N=1×1×6×6"),
        ("run tiny.goss size.npy", "size.npy"),
        ("run tiny.goss axes.npy", "axes.npy"),
        ("run tiny.goss none.npy", "none.npy"),
        ("run tiny.goss huge.npy", "huge.npy: the network's output is not finite"),
        ("run tiny.goss words.npy", "array of numbers"),
        ("run tiny.goss objects.npy", "not a .npy array"),
        ("run tiny.goss archive.npy", "array of numbers"),
        ("run tiny.goss picture.png --top 0", "--top"),
        ("run tiny.goss picture.png --threads 9999", "threads"),
        ("bench absent.goss", "no such file"),
        ("bench tiny.goss --against nosuchengine", "unknown engine"),
        ("bench tiny.goss --against torch", "module"),
        ("bench tiny.goss --out absent/record.jsonl", "absent"),
        ("train nosuchnetwork", "unknown network"),
        ("train digits-plain --data nosuchdata", "unknown data set"),
        ("train digits-plain --data folder:absent", "no such folder"),
        ("train digits-plain --recipe absent.json", "no such file"),
        ("train digits-plain --recipe text.json", "not JSON"),
        ("train digits-plain --recipe wrong.json", "epocks"),
        ("compress absent.safetensors", "no such file"),
        ("compress digits-plain text.safetensors", "not a safetensors file"),
        ("compress digits-plain other.safetensors", "another network"),
        ("compress nameless.safetensors", "which network"),
        ("compress digits-plain nameless.safetensors --recipe nosuchrecipe", "unknown recipe"),
        ("compress digits-plain nameless.safetensors --recipe absent.yaml", "absent.yaml"),
        ("compress digits-plain nameless.safetensors --data nosuchdata", "unknown data set"),
        ("export absent.safetensors", "no such file"),
        ("export digits-plane nameless.safetensors", "did you mean 'digits-plain'"),
        ("export digits-igc nameless.safetensors", "another network"),
        ("export digits-plain nameless.safetensors --out absent/net.goss", "absent"),
        ("export digits-plain nameless.safetensors --out absent/net.onnx", "absent"),
        ("export nameless.safetensors --out nameless.safetensors", "NAME.goss or NAME.onnx"),
        ("export tiny.goss --out .", "NAME.goss"),
        ("export digits-plain tiny.goss", "leave out the name"),
        ("export channels.npy", "not a safetensors file"),
        ("compress . --recipe one-shot", "directory"),
        ("compress digits-plain", "without weights"),
        ("compress tiny.goss", "a graph"),
        ("compress digits-plain nameless.safetensors --out tiny.goss", "NAME.safetensors"),
        ("compress digits-plain nameless.safetensors --out nameless.safetensors", "replace"),
        ("compress digits-plain nameless.safetensors --recipe one-shto", "did you mean 'one-shot'"),
        ("train digits-plain --out .", "NAME.safetensors"),
        ("train digits-plain --out absent/plain.safetensors", "no such folder"),
        ("train digits-plain --recipe .", "directory"),
        ("train digits-plain --seed -1", "--seed"),
        ("train squeezenet-1.0", "does not take the pictures"),
        ("activations squeezenet-1.0 large.safetensors", "does not take the pictures"),
        ("bench tiny.goss --out .", "not a file"),
        ("bench tiny.goss --out /dev/null", "not a file"),
        ("bench codec tiny.goss --against lzm", "did you mean 'lzma'"),
        ("bench suite --networks resnet-5", "did you mean 'resnet-50'"),
        ("bench suite --quick --rounds 9", "--rounds"),
        ("demo --out text.goss", "text.goss"),
        ("demo --seed 4294967296", "seed"),
    ],
)
def test_bad_input_is_one_clear_line(gossamer_program, folder, command, says):
    before = {path.name for path in folder.iterdir()}
    done = gossamer_program(*command.split())
    assert done.status == 2
    assert done.out == ""
    assert done.err.startswith("gossamer: ")
    assert done.err.count("\n") == 1
    assert says in done.err
    assert "Traceback" not in done.err
    assert {path.name for path in folder.iterdir()} == before
