"""Toys for hints: questions, a writer that follows a script, and a language model small enough to learn by heart."""

from dataclasses import dataclass, field

from core.language_model import Generation
from core.records import Question

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def question(number, *, label=None, text=None):
    """One whose wrong answer B may carry a label."""
    labels = ((), () if label is None else (label,), (), ())
    return Question(
        id=number,
        text=text or f"What is {number} + {number}?",
        answers=(str(2 * number), f"{number}{number}", str(number), "0"),
        correct="A",
        labels=labels,
        construct="Add whole numbers",
        subject="Addition",
    )


KINDS = {
    "doubles": "The student doubles the number.",
    "halves": "The student takes half of it.",
    "swaps": "The student swaps the digits.",
    "drops": "The student drops the sign.",
}
"""What a wrong answer of `kind_questions` reads, and the hint that belongs to it."""
TEMPLATE = "[user]\n{question}\n{incorrect}\n"


def kind_questions(count, *, first=0):
    """Questions with a number of their own whose wrong answer B names its kind, in turn; a label on B alone."""
    kinds = list(KINDS)
    return [
        Question(
            id=number,
            text=f"Number {number}?",
            answers=("right", kinds[number % len(kinds)], "left", "none"),
            correct="A",
            labels=((), (number % len(kinds),), (), ()),
        )
        for number in range(first, first + count)
    ]


def kind_hint(question):
    """The hint of such a question's answer B."""
    return KINDS[question.answers[1]]


@dataclass
class ScriptedWriter:
    """Answers chats as `answer(chat, seed)` says: a text, or a `Generation`."""

    answer: object
    asked: list = field(default_factory=list)

    def write(self, chats, *, max_tokens, temperature, seed, schema):
        made = []
        for chat in chats:
            self.asked.append((chat, max_tokens, temperature, seed, schema))
            said = self.answer(chat, seed)
            if isinstance(said, Exception):
                raise said
            if isinstance(said, str):
                said = Generation(text=said, finish_reason="stop", prompt_tokens=5, output_tokens=len(said.split()))
            made.append(said)
        return made

    def count_tokens(self, text):
        return len(text.split())


def failed(why="no answer after 6 attempts"):
    return Generation(text="", finish_reason="error", prompt_tokens=0, output_tokens=0, error=why)


def write_toy_lm(folder, texts, *, width=64):
    """Write a Llama of two layers with seeded random weights and a tokenizer that knows the words of the texts."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=["<|pad|>", "<|im_start|>", "<|im_end|>"],
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|pad|>")
    tokenizer.chat_template = CHATML
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=made.get_vocab_size(),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        initializer_range=0.1,
        bos_token_id=None,
        eos_token_id=2,
        pad_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
