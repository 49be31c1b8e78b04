import pytest

from gossamer.cli.network_file import NetworkFile, save_network
from gossamer.compress.prune.one_shot import Prune
from gossamer.nets.create import create_model

RECIPE = "passes: [{{pass: prune, sparsity: {}, training: {{epochs: 0}}}}]"


@pytest.fixture
def path(tmp_path):
    model = create_model("digits-plain", width=4)
    save_network(tmp_path / "plain.safetensors", NetworkFile("digits-plain", model, {"width": 4}))
    return tmp_path / "plain.safetensors"


def test_an_interrupted_compression_goes_on(gossamer_program, path, tmp_path, monkeypatch):
    def interrupt(*_args, **_options):
        raise KeyboardInterrupt

    def never(*_args, **_options):
        raise AssertionError("applied again")

    recipe = tmp_path / "half.yaml"
    recipe.write_text(RECIPE.format(0.5))
    command = ("compress", path, "--recipe", recipe, "--resume")
    with monkeypatch.context() as patched:
        patched.setattr("gossamer.cli.network_file.save_network", interrupt)
        assert gossamer_program(*command).status == 130
    assert not (tmp_path / "small.safetensors").exists()
    monkeypatch.setattr(Prune, "apply", never)
    done = gossamer_program(*command)
    assert (done.status, done.err) == (0, "")
    assert (tmp_path / "small.safetensors").exists()
    recipe.write_text(RECIPE.format(0.6))
    done = gossamer_program(*command)
    assert done.status == 2
    assert "another recipe" in done.err
