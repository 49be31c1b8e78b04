import pytest
import torch
from torch.nn.functional import cross_entropy

from gossamer.train.loss import AUXILIARY_WEIGHT, classification_loss, distillation_loss


@pytest.fixture
def heads():
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(6, 5, generator=generator) for _ in range(3))


LABELS = torch.tensor([0, 1, 2, 3, 4, 0])


def test_one_head_is_cross_entropy(heads):
    assert classification_loss(heads[0], LABELS) == cross_entropy(heads[0], LABELS)
    smooth = classification_loss(heads[0], LABELS, label_smoothing=0.1)
    assert smooth == cross_entropy(heads[0], LABELS, label_smoothing=0.1)


def test_auxiliary_heads_count_less(heads):
    own, first, second = (cross_entropy(head, LABELS) for head in heads)
    got = classification_loss(heads, LABELS)
    torch.testing.assert_close(got, own + AUXILIARY_WEIGHT * (first + second))


def test_a_network_with_heads_trains():
    from gossamer.train.data import load_data
    from gossamer.train.fit import fit
    from gossamer.train.recipe import Recipe

    tiny_data = load_data("digits")

    class TwoHeads(torch.nn.Module):
        def __init__(self):
            super().__init__()
            features = tiny_data.test.batch(torch.arange(1).numpy())[0].numel()
            classes = len(tiny_data.class_names)
            self.own, self.other = (torch.nn.Linear(features, classes) for _ in range(2))

        def forward(self, x):
            x = x.flatten(1)
            return (self.own(x), self.other(x)) if self.training else self.own(x)

    model = TwoHeads()
    before = model.other.weight.detach().clone()
    fit(model, tiny_data, Recipe(epochs=1, batch_size=256), progress=False)
    assert not torch.equal(model.other.weight, before)


def test_distillation_is_the_divergence_of_softened_answers_times_the_square_of_t():
    own, teacher = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0))
    for t in (1.0, 4.0):
        p, q = torch.softmax(teacher / t, 1), torch.softmax(own / t, 1)
        expected = t**2 * (p * (p / q).log()).sum(1).mean()
        torch.testing.assert_close(distillation_loss(own, teacher, t), expected)
    assert distillation_loss((own, teacher), own, 2.0).item() == pytest.approx(0, abs=1e-6)


def test_hot_distillation_compares_logits():
    """Hinton et al., section 2.1: at high temperatures, half the mean squared difference / C."""
    own, teacher = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0)).double()
    own, teacher = (x - x.mean(1, keepdim=True) for x in (own, teacher))
    expected = (own - teacher).square().sum(1).mean() / 7 / 2
    torch.testing.assert_close(distillation_loss(own, teacher, 1e3), expected, rtol=1e-2, atol=0)
