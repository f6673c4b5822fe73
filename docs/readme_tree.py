"""Write the README's file tree: one line a module, its docstring's first line. `make tree` runs it."""

import ast
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("core", "retrieval", "rerank", "synth", "eval", "pipelines")
WIDTH = 120


def main() -> None:
    """Replace the lines of each room between its heading and the next one's."""
    readme = ROOT / "README.md"
    lines = readme.read_text(encoding="utf-8").splitlines()
    for room in ROOMS:
        start = next(number for number, line in enumerate(lines) if line.startswith(f"{room}/ "))
        end = next(n for n, line in enumerate(lines[start + 1 :], start=start + 1) if not line.startswith("  "))
        own = {path.name: _first_line(path) for path in (ROOT / room).glob("*.py") if path.name != "__init__.py"}
        others = [line for line in lines[start + 1 : end] if _stays(room, line)]
        width = max(map(len, own))
        made = [_line(name, own[name], width) for name in sorted(own)]
        lines[start + 1 : end] = made + others
    readme.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _first_line(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split()).rstrip(".")


def _line(name: str, text: str, width: int) -> str:
    room = WIDTH - width - 4
    return f"  {name:<{width}}  {textwrap.shorten(text, room, placeholder=' …')}"


def _stays(room: str, line: str) -> bool:
    """Whether a line names something that is no module: a folder, a template."""
    return (ROOT / room / line.split()[0]).exists() and not line.split()[0].endswith(".py")


if __name__ == "__main__":
    main()
