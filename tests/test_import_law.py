"""The law of imports: core <- {retrieval, rerank, synth, eval} <- pipelines, held over the syntax trees."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("core", "retrieval", "rerank", "synth", "eval", "pipelines")
MAY_IMPORT = {
    "core": {"core"},
    "retrieval": {"core", "retrieval"},
    "rerank": {"core", "rerank"},
    "synth": {"core", "synth"},
    "eval": {"core", "eval"},
    "pipelines": set(ROOMS),
}
HEAVY = {
    "accelerate",
    "auto_round",
    "awq",
    "bitsandbytes",
    "datasets",
    "faiss",
    "llmcompressor",
    "matplotlib",
    "peft",
    "ray",
    "sentence_transformers",
    "sympy",
    "torch",
    "transformers",
    "vllm",
}
ONLY_IN = {
    "faiss": {"retrieval/index.py"},
    "lightgbm": {"rerank/boosted.py"},
    "vllm": {"core/vllm_engine.py"},
    "polars": {f"core/{name}_table.py" for name in ("csv", "question", "bank", "hint", "ranking", "order_scores")},
}
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Give the dotted name and line of every import, wherever it stands; `from a import b` gives `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            yield from ((f"{start}.{alias.name}", node.lineno) for alias in node.names)


def imports_on_loading(node: ast.AST) -> Iterator[tuple[str, int]]:
    """Give the imports that run when a module is loaded: not in functions, not under `if TYPE_CHECKING`."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield from imports(node)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return
    elif isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
        for child in node.orelse:
            yield from imports_on_loading(child)
    else:
        for child in ast.iter_child_nodes(node):
            yield from imports_on_loading(child)


def faults_of(name: str, source: str) -> list[str]:
    """Return what breaks the law in one file, one message each."""
    tree = ast.parse(source)
    room = name.split("/", maxsplit=1)[0]
    faults = []
    for module, line in imports(tree):
        top = module.split(".", maxsplit=1)[0]
        if module.startswith("."):
            faults.append(f"{name}:{line}: relative import")
        elif top in ROOMS and top not in MAY_IMPORT[room]:
            faults.append(f"{name}:{line}: {room} may not import {module}")
        elif module in ROOMS:
            faults.append(f"{name}:{line}: bare import of {module}; import from a file of it")
        elif top in ONLY_IN and name not in ONLY_IN[top]:
            faults.append(f"{name}:{line}: only {', '.join(sorted(ONLY_IN[top]))} may import {top}")
    for module, line in imports_on_loading(tree):
        if module.split(".", maxsplit=1)[0] in HEAVY:
            faults.append(f"{name}:{line}: imports {module} on loading; import it in the function that uses it")
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and {"None", "Exception", "BaseException"} & set(caught(node)):
            faults.append(f"{name}:{node.lineno}: catches everything")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "eval", "exec"):
            faults.append(f"{name}:{node.lineno}: calls {node.func.id}")
    return faults


def caught(handler: ast.ExceptHandler) -> list[str]:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return ["None" if kind is None else ast.unparse(kind) for kind in kinds]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_file_keeps_the_law(path: Path) -> None:
    assert faults_of(name_of(path), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("*.py")), ids=name_of)
def test_tests_never_import_eval_itself(path: Path) -> None:
    modules = [module for module, _ in imports(ast.parse(path.read_text(encoding="utf-8")))]
    assert [module for module in modules if module == "eval" or module.startswith(".")] == []


@pytest.mark.parametrize(
    ("name", "source", "message"),
    [
        ("core/a.py", "from retrieval.index import x", "core may not import retrieval.index"),
        ("retrieval/a.py", "def f():\n    import rerank.b", "retrieval may not import rerank.b"),
        ("eval/a.py", "from pipelines.cli import x", "eval may not import pipelines.cli"),
        ("pipelines/a.py", "import eval", "bare import of eval"),
        ("core/a.py", "from . import b", "relative"),
        ("rerank/a.py", "def f():\n    import faiss", "only retrieval/index.py"),
        ("rerank/a.py", "def f():\n    from vllm import LLM", "only core/vllm_engine.py"),
        ("eval/a.py", "def f():\n    import polars", "may import polars"),
        ("core/a.py", "import torch", "imports torch on loading"),
        ("core/a.py", "try:\n    import torch.nn\nexcept ImportError:\n    pass", "imports torch.nn on"),
        ("core/a.py", "class A:\n    from peft import x", "imports peft.x on"),
        ("core/a.py", "if TYPE_CHECKING:\n    pass\nelse:\n    import torch", "imports torch on loading"),
        ("core/a.py", "try:\n    pass\nexcept (ValueError, Exception):\n    pass", "catches everything"),
        ("core/a.py", "try:\n    pass\nexcept:\n    pass", "catches everything"),
        ("core/a.py", "print(1)", "calls print"),
    ],
)
def test_the_law_sees_a_breach(name: str, source: str, message: str) -> None:
    (fault,) = faults_of(name, source)
    assert message in fault


@pytest.mark.parametrize(
    "source",
    [
        "if TYPE_CHECKING:\n    import torch",
        "def f():\n    import torch",
        "class A:\n    def f(self):\n        import torch",
        "from core.records import Ranking",
        "from core import records",
        "try:\n    pass\nexcept (ValueError, OSError):\n    pass",
    ],
)
def test_the_law_lets_good_code_be(source: str) -> None:
    assert faults_of("retrieval/a.py", source) == []


def test_loading_every_module_is_quiet_and_light() -> None:
    modules = [name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in FILES]
    code = (
        "import importlib, sys\n"
        f"for name in {modules!r}:\n"
        "    importlib.import_module(name)\n"
        f"heavy = sorted({HEAVY!r} & set(sys.modules))\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_scripts_outside_the_rooms_import_what_is_there():
    """A benchmark that imports a module which has moved would fail only where it is run."""
    files = [path for folder in ("benchmarks", "docs", "environments") for path in (ROOT / folder).rglob("*.py")]
    assert files
    gone = [
        f"{name_of(path)}:{node.lineno} {node.module}.{alias.name}"
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").split(".")[0] in ROOMS
        for alias in node.names
        if not there(node.module or "", alias.name)
    ]
    assert gone == []


def there(module: str, name: str) -> bool:
    """Say whether a module of this checkout defines or imports a name, or holds a module of that name."""
    place = ROOT.joinpath(*module.split("."))
    if place.is_dir():
        return (place / f"{name}.py").is_file() or (place / name).is_dir()
    if not place.with_suffix(".py").is_file():
        return False
    known: set[str] = set()
    for node in ast.walk(ast.parse(place.with_suffix(".py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            known.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            known |= {target.id for target in targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.Import | ast.ImportFrom):
            known |= {alias.asname or alias.name for alias in node.names}
    return name in known


def test_a_name_that_moved_is_seen():
    assert there("core.records", "Question") and there("core", "records")
    assert not there("core.records", "Nothing") and not there("rerank.training_batches", "training_batches")
