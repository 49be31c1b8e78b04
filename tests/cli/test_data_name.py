import pytest

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
    ],
)
def test_other_words_are_refused(text, error):
    with pytest.raises(error):
        load_named_data(text)


def test_a_folder_may_have_colons(tmp_path):
    with pytest.raises(DataError, match="a:b"):
        load_named_data(f"folder:{tmp_path / 'a:b'}")
