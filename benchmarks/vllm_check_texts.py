"""The check of texts: a JSON schema is followed, and the product writes hints; returns its numbers."""

import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vllm_check_setting import Setting

from core.chat_writer import TokenChatWriter
from core.tokenizer import ChatPart, load_tokenizer
from core.vllm_engine import VllmEngine
from synth.asking import Asker
from synth.hint_parsing import HintLimits
from synth.hint_prompt import default_prompt
from synth.hints import HintSampling, HintWriter
from synth.ledger import Ledger

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "wrong": {"type": "boolean"},
        "grade": {"type": "integer", "enum": [1, 2, 3, 4, 5]},
        "topic": {"type": "string", "maxLength": 40},
    },
    "required": ["wrong", "grade", "topic"],
    "additionalProperties": False,
}


def check_generate(setting: Setting) -> dict[str, Any]:
    """Texts under a JSON schema, all of which parse, and hints written through the product's own writer."""
    tokenizer = load_tokenizer(setting.model.folder)
    queries = setting.queries(setting.answers)
    asked = [
        f"Question: {query.question.text}\nA student answered {query.wrong_answer}. Reply with a JSON object: wrong "
        "(is the answer wrong), grade (1 to 5, how hard the question is), topic."
        for query in queries
    ]
    prompts = [tokenizer.render_chat([ChatPart(role="user", content=text)], generation_prompt=True) for text in asked]
    engine = VllmEngine.open(setting.model.folder, setting.options())
    began = time.perf_counter()
    made = engine.generate(prompts, max_tokens=96, schema=SCHEMA)
    seconds = time.perf_counter() - began
    good = [one for one in made if one.error is None and follows(one.text)]
    with tempfile.TemporaryDirectory() as holder:
        ledger = Ledger(Path(holder) / "requests.jsonl")
        asker = Asker(
            TokenChatWriter(engine, tokenizer),
            ledger,
            engine="vllm",
            model=setting.model.name,
            revision=setting.model.revision,
            batch=8,
        )
        writer = HintWriter(
            asker,
            ledger,
            prompt=default_prompt("json"),
            form="json",
            sampling=HintSampling(max_tokens=400),
            limits=HintLimits(),
        )
        hints = writer.write(queries[:8])
        ledger.close()
    engine.close()
    return {
        "answers": len(made),
        "parsed": len(good),
        "example": made[0].text,
        "errors": sorted({one.error for one in made if one.error}),
        "finish_reasons": sorted({one.finish_reason for one in made}),
        "output_tokens": sum(one.output_tokens for one in made),
        "seconds": seconds,
        "hints_asked": len(queries[:8]),
        "hints_written": len(hints.hints),
        "hint_example": next((one.hint.hint for one in hints.hints.values()), None),
        "hint_rejections": dict(hints.rejections),
        "passed": len(good) == len(made) > 0 and len(hints.hints) > 0,
    }


def follows(text: str) -> bool:
    """Say whether a text is JSON that `SCHEMA` allows."""
    try:
        found = json.loads(text)
    except ValueError:
        return False
    return (
        isinstance(found, dict)
        and sorted(found) == sorted(SCHEMA["properties"])
        and isinstance(found["wrong"], bool)
        and found["grade"] in (1, 2, 3, 4, 5)
        and isinstance(found["topic"], str)
        and len(found["topic"]) <= 40
    )
