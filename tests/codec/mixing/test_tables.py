import math

import numpy as np

from gossamer.codec.mixing.tables import COST, LARGEST, PACE, SQUASH, STRETCH, tables


def test_squash_and_stretch_are_the_logistic_function_and_its_inverse():
    found = tables()
    for x in range(-LARGEST, LARGEST + 1):
        exact = 65536 / (1 + math.exp(-x / 256))
        assert exact - 1.001 <= found[SQUASH + x + LARGEST] <= exact
    for index in range(4096):
        p = (index + 0.5) / 4096
        exact = 256 * math.log(p / (1 - p))
        # Near both ends a step of the probability is several of the stretch.
        assert abs(found[STRETCH + index] - max(-LARGEST, min(LARGEST, exact))) <= 1.5


def test_costs_are_logarithms():
    for index in range(4096):
        exact = -4096 * math.log2((index + 0.5) / 4096)
        assert exact - 0.01 <= tables()[COST + index] <= exact + 1.01


def test_rates_and_trusts_are_their_formulas():
    n = np.arange(1024)
    paces = tables()[PACE : PACE + 1024]
    assert np.abs((paces >> 9) - 65536 / (n + 1.6)).max() < 1
    trust = 256 * np.sqrt((n + 0.3) / (n + 2.5))
    assert np.abs(paces % 512 - trust).max() < 1
    assert not tables().flags.writeable
