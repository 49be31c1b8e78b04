import torch

from gossamer.compress.factor.product import fit_product, output_loss, product
from gossamer.compress.factor.stage import Stage

STAGES = (Stage(4, 6, (1, 1), 2, shuffle=2), Stage(6, 4, groups=2))


def random_weights(rng: torch.Generator) -> list[torch.Tensor]:
    return [torch.randn(s.weight_shape, generator=rng, dtype=torch.float64) for s in STAGES]


def test_the_loss_is_one_of_nothing_and_zero_of_all(rng):
    wanted, moment = product(STAGES, random_weights(rng)), torch.eye(4, dtype=torch.float64)
    assert output_loss(wanted * 0, wanted, moment) == 1
    assert output_loss(wanted, wanted, moment) == 0


def test_the_fit_finds_a_product_and_is_never_worse(rng):
    weights, moment = random_weights(rng), torch.eye(4, dtype=torch.float64)
    wanted = product(STAGES, weights)
    near = [w + 0.1 * torch.randn(w.shape, generator=rng, dtype=w.dtype) for w in weights]
    made = fit_product(STAGES, near, wanted, moment)
    assert output_loss(product(STAGES, made), wanted, moment) < 1e-6
    same = fit_product(STAGES, weights, wanted, moment)
    assert output_loss(product(STAGES, same), wanted, moment) < 1e-20
    assert not any(w.requires_grad for w in made)
