import pytest
from PIL import Image

from gossamer.cli.data_name import load_named_data
from gossamer.errors import DataError, SpecError, UnknownNameError


def test_a_name_is_enough():
    assert len(load_named_data("digits").test) == 360


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("nosuchdata", UnknownNameError),
        ("folder", SpecError),
        ("folder:/nowhere", DataError),
        ("digits:/nowhere", SpecError),
        ("folder:/nowhere@160", DataError),
    ],
)
def test_other_words_are_refused(text, error):
    with pytest.raises(error):
        load_named_data(text)


def write_pictures(root):
    for split in ("train", "test"):
        (root / split / "cat").mkdir(parents=True)
        Image.new("RGB", (30, 20)).save(root / split / "cat" / "0.png")


def test_a_folder_may_name_the_size_of_its_pictures(tmp_path):
    write_pictures(tmp_path)
    assert load_named_data(f"folder:{tmp_path}").record.height == 32
    assert load_named_data(f"folder:{tmp_path}@12").record.height == 12
    with pytest.raises(SpecError, match="size"):
        load_named_data(f"folder:{tmp_path}@0")


def test_a_folder_may_have_at_signs(tmp_path):
    write_pictures(tmp_path / "photos@12")
    assert load_named_data(f"folder:{tmp_path / 'photos@12'}").record.height == 32


def test_a_folder_may_have_colons(tmp_path):
    with pytest.raises(DataError, match="a:b"):
        load_named_data(f"folder:{tmp_path / 'a:b'}")
