import pytest
import torch

from retrieval.soup import average_models, blend_weights, copy_weights


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


@pytest.fixture
def tiny_encoder_folders(tiny, tmp_path):
    folders = []
    for seed in (1, 2):
        model = tiny()
        torch.manual_seed(seed)
        with torch.no_grad():
            for value in model.parameters():
                value.add_(torch.randn_like(value))
        folders.append(tmp_path / f"member{seed}")
        model.save_pretrained(str(folders[-1]), create_model_card=False)
    return folders


def wider(folder):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel

    first = folder / "member1"
    transformer = Transformer(str(first))
    transformer.model = BertModel(BertConfig(vocab_size=99, hidden_size=64, num_hidden_layers=2, num_attention_heads=4))
    model = SentenceTransformer(modules=[transformer, Pooling(64)], device="cpu")
    model.save_pretrained(str(folder / "wider"), create_model_card=False)
    return folder / "wider"


def test_the_mean_of_models_is_the_mean_of_their_weights(tiny_encoder_folders, tmp_path):
    from safetensors.torch import load_file

    first, second = tiny_encoder_folders
    average_models([first, second, second], tmp_path / "mean")
    parts = [load_file(folder / "model.safetensors") for folder in (first, second, tmp_path / "mean")]
    for name, value in parts[2].items():
        torch.testing.assert_close(value, (parts[0][name] + 2 * parts[1][name]) / 3, atol=1e-6, rtol=0)
    average_models([first], tmp_path / "one")
    assert (tmp_path / "one" / "model.safetensors").read_bytes() == (first / "model.safetensors").read_bytes()


def test_models_of_other_shapes_and_none_are_refused(tiny_encoder_folders, tmp_path):
    with pytest.raises(ValueError, match="no model"):
        average_models([], tmp_path / "mean")
    with pytest.raises(ValueError, match="other names or shapes"):
        average_models([tiny_encoder_folders[0], wider(tmp_path)], tmp_path / "mean")
    assert not (tmp_path / "mean").exists()
