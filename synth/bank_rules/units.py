"""Wrong factors between metric units and between units of time."""

from fractions import Fraction as F

from synth.answers import number
from synth.bank_rules.parts import rule
from synth.mal_rule import MalRule, Procedure, Task

METRIC = "Metric units"
TIME = "Time"
SPEED = "Speed, distance and time"
WAYS = (
    r"How many <small> are there in \( <n> \) <big>?",
    r"Convert \( <n> \) <big> to <small>.",
    r"\( <n> \) <big> is the same as how many <small>?",
)


def conversion(big: str, small: str, factor: int, *factors: int, subject: str = METRIC) -> Task:
    """Return the task to change a unit to a smaller one, with rules that remember another factor."""
    slug = f"{big}-to-{small}".replace(" ", "-")

    def by(k: int) -> tuple[MalRule, Procedure]:
        known = rule(f"{slug}-by-{k}", f"Thinks that there are {k} {small} in one of the {big}")
        return known, lambda n: number(n * k)

    return Task(
        slug=f"convert-{slug}",
        construct=f"Convert {big} to {small}",
        subject=subject,
        wordings=tuple(way.replace("<big>", big).replace("<small>", small) for way in WAYS),
        parameters="n",
        draw=lambda r: (r.choice((2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 20, 25, 30, 45, 60, 72)),),
        right=lambda n: number(n * factor),
        wrong=tuple(by(k) for k in factors),
        slips=(lambda n: number(F(n, factor)), lambda n: number(n + factor), lambda n: number(n)),
    )


TASKS = (
    conversion("metres", "centimetres", 100, 10, 1000),
    conversion("metres", "millimetres", 1000, 10, 100, 10_000),
    conversion("centimetres", "millimetres", 10, 100, 1000),
    conversion("kilometres", "metres", 1000, 10, 100),
    conversion("kilometres", "millimetres", 1_000_000, 100, 1000, 10_000, 10_000_000),
    conversion("kilograms", "grams", 1000, 10, 100, 10_000),
    conversion("tonnes", "kilograms", 1000, 10, 100, 10_000),
    conversion("grams", "milligrams", 1000, 10, 100),
    conversion("litres", "millilitres", 1000, 10, 100, 10_000),
    conversion("litres", "centilitres", 100, 10, 1000),
    conversion("centilitres", "millilitres", 10, 100, 1000),
    conversion("litres", "cubic centimetres", 1000, 1, 10, 100, 10_000),
    conversion("cubic metres", "litres", 1000, 1, 10, 100),
    conversion("square metres", "square centimetres", 10_000, 10, 100, 1000),
    conversion("cubic metres", "cubic centimetres", 1_000_000, 100, 1000, 100_000),
    conversion("square centimetres", "square millimetres", 100, 10, 1000),
    conversion("hours", "minutes", 60, 10, 20, 30, 50, 100, subject=TIME),
    conversion("minutes", "seconds", 60, 10, 30, 100, subject=TIME),
    conversion("hours", "seconds", 3600, 60, 100, 1000, subject=TIME),
    conversion("days", "hours", 24, 7, 12, 60, subject=TIME),
    conversion("weeks", "days", 7, 5, 10, subject=TIME),
    conversion("years", "weeks", 52, 12, 50, subject=TIME),
)
