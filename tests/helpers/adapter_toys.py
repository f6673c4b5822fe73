"""A Llama of two layers, 64 wide (NF4 works on blocks of 64), and adapters on it with seeded random factors."""

from pathlib import Path

import torch

IDS = torch.tensor([[1, 5, 9, 2, 7, 3]])
TEMPLATE = "{% for message in messages %}{{ message.content }}{% endfor %}"


def toy_base(folder: Path, *, seed: int = 0, layers: int = 2, hidden: int = 64) -> Path:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = {"[PAD]": 0, **{f"w{number}": number for number in range(1, 32)}}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel(words, unk_token="w1")), pad_token="[PAD]")
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=32,
        hidden_size=hidden,
        intermediate_size=128,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=64,
        initializer_range=0.2,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=2,
    )
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(max_new_tokens=7, pad_token_id=0, eos_token_id=2)
    model.save_pretrained(folder)
    return folder


def toy_adapter(base: Path, folder: Path, *, seed: int = 1, rank: int = 4, alpha: int = 8, **options: object) -> Path:
    """Write an adapter on all linear layers; `options` are LoraConfig's."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    given = {"target_modules": "all-linear", "task_type": "CAUSAL_LM", **options}
    model = get_peft_model(open_base(base, AutoModelForCausalLM), LoraConfig(r=rank, lora_alpha=alpha, **given))
    randomise(model, seed)
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink()
    return folder


def randomise(model: torch.nn.Module, seed: int) -> None:
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if "lora_" in name:
                parameter.normal_(std=0.1)


def open_base(folder: Path, opener: object, **options: object) -> torch.nn.Module:
    return opener.from_pretrained(folder, **{"dtype": torch.float32, **options}).eval()


def adapted(base: Path, adapter: Path, **options: object) -> torch.nn.Module:
    """Return the trained model: the adapter on its base, not merged."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    return PeftModel.from_pretrained(open_base(base, AutoModelForCausalLM, **options), adapter).eval()


def whole(folder: Path) -> torch.nn.Module:
    from transformers import AutoModelForCausalLM

    return open_base(folder, AutoModelForCausalLM)


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=IDS).logits[0].float()


def in_float32(model: torch.nn.Module) -> torch.nn.Module:
    """Keep bitsandbytes from its bfloat16 kernel, which it takes for inference on CPUs with AVX512-bf16.

    Training does not take it; once taken, the weights are packed in another way, and `dequantize()` reads them wrongly.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return model
