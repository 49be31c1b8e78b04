import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gossamer.compress.prune.granularity import parse_granularity
from gossamer.errors import PassError

shapes = st.tuples(
    st.integers(1, 9), st.integers(1, 6), st.sampled_from([1, 3]), st.sampled_from([1, 2])
)


@pytest.mark.parametrize(
    "text", ["", "4", "0x4", "4x", "4:2", "2:2", "x1", "rows", "2 : 4", "1e3x1"]
)
def test_what_is_no_granularity_is_refused(text):
    with pytest.raises(PassError, match=r"here: unknown granularity"):
        parse_granularity(text, where="here")


@given(shape=shapes, rows=st.integers(1, 5), columns=st.integers(1, 7))
def test_blocks_tile_the_matrix(shape, rows, columns):
    labels = parse_granularity(f"{rows}x{columns}").labels(shape).flatten(1)
    for i in range(labels.shape[0]):
        for j in range(labels.shape[1]):
            same = (labels == labels[i, j]).nonzero().tolist()
            assert same == [
                [a, b]
                for a in range(i // rows * rows, min(i // rows * rows + rows, labels.shape[0]))
                for b in range(
                    j // columns * columns, min(j // columns * columns + columns, labels.shape[1])
                )
            ]
    assert sorted(labels.unique().tolist()) == list(range(int(labels.max()) + 1))


@given(shape=shapes, of=st.integers(2, 5))
def test_groups_of_n_of_m_run_along_the_input_channels(shape, of):
    labels = parse_granularity(f"1:{of}").labels(shape)
    for label in labels.unique():
        where = (labels == label).nonzero()
        assert (where[:, [0, 2, 3]] == where[0, [0, 2, 3]]).all()
        start = int(where[0, 1])
        assert start % of == 0
        assert where[:, 1].tolist() == list(range(start, min(start + of, shape[1])))


def test_blocks_do_not_reach_over_groups_of_a_convolution():
    labels = parse_granularity("4x1").labels((6, 2, 1, 1), groups=2).flatten(1)
    assert labels[:3].unique().numel() == labels[3:].unique().numel() == 2
    assert not set(labels[:3].flatten().tolist()) & set(labels[3:].flatten().tolist())


def test_filter_layer_and_element():
    shape = torch.Size((3, 2, 2, 2))
    assert parse_granularity("filter").labels(shape)[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert parse_granularity("layer").labels(shape).unique().tolist() == [0]
    assert parse_granularity("element").labels(shape).flatten().tolist() == list(range(24))
    assert parse_granularity("element").is_element
    assert not parse_granularity("1:4").is_element
