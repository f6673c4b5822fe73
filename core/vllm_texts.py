"""Texts from vLLM: its outputs read, and requests kept in flight, a next one as soon as one ends.

vLLM itself is imported by `core/vllm_engine.py` alone.
"""

from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, suppress
from itertools import count
from typing import Any

from core.language_model import Generation, TokenIds

_NUMBERS = count()
"""An id is never used twice: what an ended stream asked for may still be on its way out of the engine."""


def streamed(
    engine: Any,  # noqa: ANN401 - vllm may not be installed
    prompts: Iterable[TokenIds],
    *,
    in_flight: int,
    submit: Callable[[str, int, TokenIds], None],
    faults: tuple[type[Exception], ...],
    read: Callable[[TokenIds, Any], Generation],
    clock: Callable[[], AbstractContextManager[None]],
) -> Generator[list[tuple[int, Generation]]]:
    """Yield (place of a prompt, what came of it) of all that ended together, and keep the engine full.

    A `vllm.LLM` waits for all of its prompts; its `llm_engine` (`add_request`, `step`, `abort_request`: 0.24 to 0.32)
    does not. Room is filled before answers are handed over, so that the engine has work while the caller keeps them.

    Args:
        engine: A `vllm.LLM.llm_engine` that nothing else is asked of meanwhile.
        prompts: Token ids, taken as there is room.
        in_flight: Requests in the engine at most, at least 1.
        submit: Hands the engine, under a name, the prompt of a place.
        faults: What `submit` and the engine raise for requests that cannot be answered: they come out as failed.
        read: Reads a finished output.
        clock: Times what the engine itself takes.

    Raises:
        ValueError: `in_flight` is below 1.
    """
    if in_flight < 1:
        raise ValueError(f"in_flight: expected at least 1, got {in_flight}")
    waiting = enumerate(prompts)
    flying: dict[str, tuple[int, TokenIds]] = {}
    ended: list[tuple[int, Generation]] = []
    try:
        while True:
            full = True
            while len(flying) < in_flight and (taken := next(waiting, None)) is not None:
                place, prompt = taken
                name = f"stream-{next(_NUMBERS)}"
                # Noted before it is sent: whatever interrupts the sending, nothing is left in the engine.
                flying[name] = place, prompt
                try:
                    with clock():
                        submit(name, place, prompt)
                except faults as error:
                    del flying[name]
                    ended.append((place, failed(prompt, str(error))))
                    full = False  # told at once: a caller may stop where all are refused
                    break
            if ended:
                yield ended
                ended = []
            if not full:
                continue
            if not flying:
                return
            try:
                with clock():
                    outputs = engine.step()
            except faults as error:  # all in flight are lost; whether the engine lives shows when it is sent the next
                ended = [(place, failed(prompt, str(error))) for place, prompt in flying.values()]
                with suppress(*faults):
                    engine.abort_request(list(flying))
                flying.clear()
                continue
            for output in outputs:
                if output.finished and output.request_id in flying:
                    place, prompt = flying.pop(output.request_id)
                    ended.append((place, read(prompt, output)))
    finally:
        if flying:
            with suppress(*faults):
                engine.abort_request(list(flying))


def prompt_fault(prompt: TokenIds, room: int) -> str | None:
    """Return why a prompt cannot be continued by `max_tokens`, None where it can.

    Args:
        prompt: Token ids.
        room: Tokens that the model can read, less `max_tokens`.
    """
    fits = 0 < len(prompt) <= room
    return None if fits else f"a prompt must have 1 to {room} tokens (max_model_len - max_tokens)"


def generation(prompt: TokenIds, output: Any) -> Generation:  # noqa: ANN401
    """Read what vLLM made of a prompt; an end that is neither the model's nor `max_tokens` is an error."""
    made = output.outputs[0]
    if made.finish_reason not in ("stop", "length"):
        return failed(prompt, f"vLLM ended it with finish_reason {made.finish_reason!r}")
    return Generation(
        text=made.text,
        finish_reason=made.finish_reason,
        prompt_tokens=len(prompt),
        output_tokens=len(made.token_ids),
    )


def failed(prompt: TokenIds, error: str) -> Generation:
    """Return what comes of a prompt that vLLM did not take."""
    return Generation(text="", finish_reason="error", prompt_tokens=len(prompt), output_tokens=0, error=error)
