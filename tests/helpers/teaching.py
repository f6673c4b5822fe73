"""A teacher behind an endpoint: writes good questions, solves them as they are meant, and judges them well."""

import json
import zlib

from fake_vllm import Answer
from scripted_writer import question

from synth.judge import JUDGE_INSTRUCTION
from synth.prompts import INSTRUCTION
from synth.solving import SOLVE_INSTRUCTION, UNDER_INSTRUCTION

TASKS = {
    INSTRUCTION: "write",
    SOLVE_INSTRUCTION: "solve",
    UNDER_INSTRUCTION: "solve-under",
    JUDGE_INSTRUCTION: "judge",
}


def task_of(body: dict) -> str:
    return TASKS[body["messages"][0]["content"]]


def wanted(body: dict) -> str:
    """The misconception that a question is asked for."""
    return body["messages"][-1]["content"].split("Write one question for this misconception:\n")[1].split("\n")[0]


def marks(mark: int) -> str:
    return json.dumps({"comment": "So it is.", "follows": mark, "right": mark, "clear": mark, "level": mark})


def solved(letter: str) -> str:
    return json.dumps({"working": "I add \\( 3 \\).", "answer": letter})


def teach(body: dict) -> str:
    """Answer as a good model would; every prompt gets a question of its own."""
    task = task_of(body)
    if task == "write":
        return question(zlib.crc32(f"{body['messages'][-1]['content']} {body['seed']}".encode()) % 9000)
    if task == "judge":
        return marks(9)
    return solved("B" if task == "solve" else "C")


def refuses(status: int = 500) -> Answer:
    return status, {}, {"error": {"message": "gone"}}
