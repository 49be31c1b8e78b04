import json


def test_every_byte_is_accounted_for(gossamer_program, net):
    file = json.loads(gossamer_program("inspect", net, "--json").out)
    assert file["size_bytes"] == net.stat().st_size
    parts = [file["header_bytes"], file["frame_bytes"]]
    parts += [tensor["size_bytes"] for tensor in file["tensors"]]
    assert sum(parts) == file["size_bytes"]


def test_each_tensor_has_a_line(gossamer_program, net):
    out = gossamer_program("inspect", net).out
    assert "tiny" in out.splitlines()[0]
    assert [line.split()[0] for line in out.splitlines()[2:]] == [
        "c",
        "f",
        "header",
        "frame",
        "file",
    ]
    assert "4×1×3×3" in out
