import gossamer
from gossamer.cli.demo.parts import file_parts


def test_the_parts_are_the_whole_file(demo_result, tmp_path):
    path = gossamer.save(demo_result.outcomes[0].graph, tmp_path / "net.goss")
    parts = file_parts(path)
    assert sum(part.amount for part in parts) == path.stat().st_size
    assert [part.name for part in parts] == ["c", "m", "f", "biases and scales", "header", "frame"]
