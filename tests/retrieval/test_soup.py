import pytest
import torch

from retrieval.soup import blend_weights, copy_weights


class Two(torch.nn.Module):
    def __init__(self, value, steps=3):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.full((2,), float(value)))
        self.register_buffer("steps", torch.tensor(steps))


def test_a_share_of_a_quarter_is_a_quarter_of_the_way_back():
    model = Two(10)
    blend_weights(model, copy_weights(Two(2, steps=9)), base_share=0.25)
    assert model.weight.tolist() == [8.0, 8.0]  # 0.75 * 10 + 0.25 * 2
    assert model.steps.item() == 3  # counters are no weights


@pytest.mark.parametrize(("share", "expected"), [(0.0, 10.0), (1.0, 2.0)])
def test_the_ends_are_the_two_models(share, expected):
    model = Two(10)
    blend_weights(model, copy_weights(Two(2)), base_share=share)
    assert model.weight.tolist() == [expected, expected]


def test_the_copy_does_not_move_with_the_model():
    model = Two(10)
    base = copy_weights(model)
    with torch.no_grad():
        model.weight.fill_(0)
    assert base["weight"].tolist() == [10.0, 10.0]


def test_another_model_and_another_range_are_refused():
    with pytest.raises(ValueError, match="names or shapes"):
        blend_weights(Two(1), {"weight": torch.zeros(3)}, base_share=0.5)
    with pytest.raises(ValueError, match="from 0 to 1"):
        blend_weights(Two(1), copy_weights(Two(2)), base_share=1.5)
