import argparse
from types import SimpleNamespace

import pytest
from fake_chat import FakeChat
from fake_vllm import FakeVllm, serving

from core.chat_endpoint import EndpointChatWriter
from core.chat_writer import ChatMessage, ConcurrentChatWriter, StreamingTokenChatWriter, TokenChatWriter
from core.errors import ConfigError, InputError, ModelError
from pipelines.cli import parse_arguments, parser
from pipelines.engine_pool import EnginePool
from pipelines.settings import Settings
from pipelines.writer_settings import WriterSettings
from pipelines.writing import AskingBar, add_writer_options, check_writer, open_writer, with_options
from synth.asking import Request
from synth.ledger import Ledger

CHAT = (ChatMessage(role="user", text="Say yes"),)


def settings(**engine):
    return Settings.model_validate({"engines": {"mine": engine}} if engine else {})


@pytest.fixture
def pool():
    made = EnginePool()
    yield made
    made.close()


def test_a_local_model_writes_through_the_ledger(tiny_lm, pool, tmp_path):
    made = open_writer(WriterSettings(model=str(tiny_lm)), settings(), pool)
    assert (made.engine, made.model, made.context, made.batch) == ("transformers", str(tiny_lm), 8192, 8)
    assert made.revision is not None and made.revision.startswith("sha256:")
    assert not pool.opening_seconds and made.writer.count_tokens("Yes") == 1  # nothing is loaded to count
    request = Request(task="t", row="r", messages=CHAT, max_tokens=3)
    with Ledger(tmp_path / "r.jsonl") as ledger:
        told = []
        (asked,) = made.asker(ledger, progress=lambda *done: told.append(done)).ask([request])
        assert asked.error is None and asked.revision == made.revision and told == [(1, 1)]
        assert made.asker(ledger).ask([request]) == [asked]


def test_a_shorter_context_comes_from_the_engine(tiny_lm, pool):
    table = settings(kind="vllm", max_model_len=500)
    made = open_writer(WriterSettings(model=str(tiny_lm), engine="mine"), table, pool)
    assert (made.context, made.batch) == (500, 512)
    assert open_writer(WriterSettings(model=str(tiny_lm), engine="mine", batch=3), table, pool).batch == 3


def test_vllm_in_this_process_streams_and_the_others_do_not(tiny_lm, pool):
    def writer(**engine):
        return open_writer(WriterSettings(model=str(tiny_lm), engine="mine", batch=5), settings(**engine), pool).writer

    streaming = writer(kind="vllm")
    assert isinstance(streaming, StreamingTokenChatWriter) and streaming.in_flight == 5
    assert type(writer(kind="vllm", workers=2)) is type(writer(kind="transformers")) is TokenChatWriter


def test_an_endpoint_writes_without_a_model_here(pool):
    with serving(FakeChat(models=("served",))) as fake:
        table = settings(kind="endpoint", base_url=fake.url, max_model_len=900)
        check_writer("w", WriterSettings(engine="mine"), table)
        made = open_writer(WriterSettings(engine="mine"), table, pool)
        assert isinstance(made.writer, ConcurrentChatWriter) and isinstance(made.writer.inner, EndpointChatWriter)
        assert (made.engine, made.model, made.revision, made.context) == ("endpoint", "served", None, 900)
        (text,) = made.writer.write([CHAT], max_tokens=5, temperature=0, seed=0, schema=None)
        assert text.text == "SAY YES"


def test_an_endpoints_key_comes_from_the_environment(pool, monkeypatch):
    with serving(FakeChat()) as fake:
        table = settings(kind="endpoint", base_url=fake.url, api_key_env="THE_KEY")
        with pytest.raises(InputError, match="THE_KEY is not set"):
            check_writer("w", WriterSettings(engine="mine"), table)
        monkeypatch.setenv("THE_KEY", "abc")
        open_writer(WriterSettings(engine="mine"), table, pool).writer.write(
            [CHAT], max_tokens=5, temperature=0, seed=0, schema=None
        )
        assert fake.headers[-1]["Authorization"] == "Bearer abc"


def test_a_vllm_server_gets_tokens_and_needs_no_flags_to_write(tiny_lm, pool):
    """An old server whose scores are not exact cannot rank, but it can write."""
    with serving(FakeVllm(kind="old")) as fake:
        table = settings(kind="vllm-server", base_url=fake.url)
        chosen = WriterSettings(engine="mine", model=str(tiny_lm))
        check_writer("w", chosen, table)
        assert not fake.asked
        made = open_writer(chosen, table, pool)
        assert isinstance(made.writer.inner, TokenChatWriter) and (made.model, made.revision) == ("base", None)
        made.writer.write([CHAT], max_tokens=5, temperature=0, seed=0, schema={"type": "object"})
        assert fake.asked[-1]["prompt"][:1] == [1] and fake.asked[-1]["response_format"]["type"] == "json_schema"


def faults(chosen, table=None):
    with pytest.raises(InputError) as caught:
        check_writer("synthesis.writer", chosen, table or settings())
    return str(caught.value)


def test_what_cannot_write_is_told_before_any_cost(tiny_lm, tiny_model, make_tokenizer, tmp_path):
    assert "expected the model that writes (--model MODEL" in faults(WriterSettings())
    assert "no table [engines.mien] (did you mean 'mine'?)" in faults(
        WriterSettings(engine="mien", model=str(tiny_lm)), settings(kind="vllm")
    )
    assert "no causal language model" in faults(WriterSettings(model=str(tiny_model)))
    assert "no such folder" in faults(WriterSettings(model=str(tmp_path / "none")))
    assert "adapter_config.json" in faults(WriterSettings(model=str(tiny_lm), adapter=str(tmp_path)))
    dead = settings(kind="endpoint", base_url="http://127.0.0.1:9/v1", retries=0)
    assert "Is it running" in faults(WriterSettings(engine="mine"), dead)
    gone = settings(kind="vllm-server", base_url="http://127.0.0.1:9/v1", retries=0)
    assert "Is it running" in faults(WriterSettings(engine="mine", model=str(tiny_lm)), gone)
    assert "loads adapters itself" in faults(
        WriterSettings(engine="mine", model=str(tiny_lm), adapter=str(tmp_path)), gone
    )


def test_a_model_without_a_chat_template_is_refused(tiny_lm, tmp_path):
    import shutil

    bare = tmp_path / "bare"
    shutil.copytree(tiny_lm, bare)
    (bare / "chat_template.jinja").unlink(missing_ok=True)
    config = bare / "tokenizer_config.json"
    import json

    told = json.loads(config.read_text(encoding="utf-8"))
    told.pop("chat_template", None)
    config.write_text(json.dumps(told), encoding="utf-8")
    assert "no chat template" in faults(WriterSettings(model=str(bare)))


def test_opening_what_was_not_checked_fails_too(pool):
    with pytest.raises(ConfigError, match="expected the model"):
        open_writer(WriterSettings(), settings(), pool)
    with pytest.raises(ModelError, match="Is it running"):
        open_writer(
            WriterSettings(engine="mine"), settings(kind="endpoint", base_url="http://127.0.0.1:9/v1", retries=0), pool
        )


def test_the_command_line_chooses_model_and_engine():
    made = parser("x")
    add_writer_options(made)
    table = WriterSettings(model="a", revision="b" * 40, adapter="c")
    options = parse_arguments(made, ["--model", "d", "--engine", "vllm"])
    assert with_options(table, options) == WriterSettings(model="d", engine="vllm")
    assert with_options(table, argparse.Namespace(model=None, engine=None)) == table
    assert with_options(table, argparse.Namespace(model="a", engine=None)).adapter == "c"


def test_a_bar_follows_several_calls(monkeypatch):
    seen = []

    class Bar(SimpleNamespace):
        n = 0

        def update(self, count):
            self.n += count
            seen.append((self.n, self.total))

        def close(self):
            seen.append("closed")

    monkeypatch.setattr("tqdm.tqdm", lambda **facts: Bar(total=facts["total"]))
    bar = AskingBar()
    for done in ((2, 3), (3, 3), (1, 1)):
        bar(*done)
    bar.close()
    assert seen == [(2, 3), (3, 3), "closed", (1, 1), "closed"]
