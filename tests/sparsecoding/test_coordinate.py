import numpy as np

from gossamer.sparsecoding.coder import Stop
from gossamer.sparsecoding.coordinate import CoordinateDescent
from gossamer.sparsecoding.lasso import Lasso


def best_of_one(lasso, x, alpha, atom):
    """Return the best code of one atom, the others held, from the residual without it."""
    d = lasso.dictionary[:, atom]
    rest = x - lasso.dictionary @ alpha + alpha[atom] * d
    size = max(abs(d @ rest) - lasso.penalty, 0.0)
    return np.sign(d @ rest) * size / (d @ d)


def test_a_sweep_puts_each_atom_at_its_best():
    rng = np.random.default_rng(0)
    lasso, signals = Lasso(rng.standard_normal((6, 9)), 0.4), rng.standard_normal((3, 6))
    found = CoordinateDescent(Stop(0.0, 5))(lasso, signals)
    for row, x in enumerate(signals):
        alpha = np.zeros(9)
        for _ in range(5):
            for atom in range(9):
                alpha[atom] = best_of_one(lasso, x, alpha, atom)
        np.testing.assert_allclose(found.codes[row], alpha, atol=1e-12)


def test_orthogonal_atoms_take_one_sweep():
    rng = np.random.default_rng(1)
    basis = np.linalg.qr(rng.standard_normal((8, 8)))[0] * rng.uniform(0.5, 2.0, 8)
    found = CoordinateDescent(Stop(1e-12))(Lasso(basis, 0.1), rng.standard_normal((5, 8)))
    assert found.iterations.tolist() == [1] * 5
