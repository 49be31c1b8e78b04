import numpy as np

from gossamer.compress.blocks.cocluster import cocluster


def test_hidden_blocks_on_the_diagonal_are_found():
    rng = np.random.default_rng(0)
    true = np.kron(np.eye(4, dtype=bool), np.ones((6, 9), bool)) & (rng.random((24, 36)) < 0.8)
    rows, columns = rng.permutation(24), rng.permutation(36)
    of_rows, of_columns = cocluster(true[rows][:, columns], 4)
    same = {(int(a), int(b)) for a, b in zip(rows // 6, of_rows, strict=True)}
    assert len(same) == 4
    assert {(int(a), int(b)) for a, b in zip(columns // 9, of_columns, strict=True)} == same


def test_what_is_empty_belongs_nowhere():
    mask = np.kron(np.eye(2, dtype=bool), np.ones((2, 3), bool))
    mask[1], mask[:, 5] = False, False
    rows, columns = cocluster(mask, 2)
    assert (rows < 0).tolist() == [False, True, False, False]
    assert (columns < 0).tolist() == [False] * 5 + [True]


def test_more_clusters_than_different_rows():
    rows, columns = cocluster(np.ones((3, 4), bool), 5)
    assert not rows.any()
    assert not columns.any()
    assert (cocluster(np.zeros((3, 4), bool), 2)[0] == -1).all()
    mask = np.array([[1, 0, 0], [0, 1, 1], [1, 0, 0], [0, 1, 1]], bool)
    rows, _ = cocluster(mask, 4)
    assert rows[0] == rows[2] != rows[1] == rows[3]
