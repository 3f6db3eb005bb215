"""The house keeps its shape: imports run one way, and a stored grid needs no torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parent.parent

# Parts of the engine, lowest first. A part may import its own row and the rows above it in this table.
ROWS = (
    ("types",),
    (
        "images",
        "store",
        "render",
        "encoder",
        "trace",
        "precision",
        "words",
        "phrases",
        "metrics",
        "metadata",
        "templates",
    ),
    ("registry",),
    ("methods", "adapters", "specs"),
    ("specs", "catalog", "download", "in_memory", "models", "compute", "questions", "zeroshot", "randomised"),
    ("tiles", "explain", "layers", "scores", "curves"),
    ("objects", "datasets", "sources", "runs", "jobs", "training"),
    ("cli",),
    ("__init__", "__main__"),
)
RANK = {part: rank for rank, row in enumerate(ROWS) for part in row}
DASHBOARD_MAY_USE = ("engine.types", "engine.render")
HEAVY = ("torch", "torchvision", "open_clip", "timm")
WITHOUT_TORCH = (
    "engine",
    "engine.types",
    "engine.images",
    "engine.store",
    "engine.render",
    "engine.registry",
    "engine.methods",
    "engine.explain",
    "engine.layers",
    "engine.phrases",
    "engine.scores",
    "engine.curves",
    "engine.runs",
    "engine.specs",
    "engine.catalog",
    "engine.models",
    "engine.datasets",
    "engine.jobs",
    "engine.cli",
)


def module_name(path: Path, root: Path) -> str:
    """`root/engine/methods/__init__.py` -> 'engine.methods'; the top package keeps '.__init__'."""
    parts = path.relative_to(root).with_suffix("").parts
    if parts[-1] == "__init__" and len(parts) > 2:
        parts = parts[:-1]
    return ".".join(parts)


def imports(path: Path, root: Path, annotations: bool = True) -> set[str]:
    """Every module that the file imports anywhere, functions included; relative imports made absolute.

    annotations: whether what stands under `if TYPE_CHECKING:` counts, which is never run.
    """
    package = path.relative_to(root).parent.parts
    found: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not annotations:
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            source = ".".join(part for part in (base, node.module or "") if part)
            folder = root.joinpath(*source.split("."))
            for alias in node.names:  # from engine import render: the part is the name
                whole = source in ("engine", "dashboard") or (folder / f"{alias.name}.py").exists()
                found.add(f"{source}.{alias.name}" if whole else source)
    return found


def part(module: str) -> str:
    """The part of the engine that a module belongs to: 'engine.methods.gradient' -> 'methods'."""
    return ([*module.split("."), "__init__"])[1]


def engine_violations(path: Path, root: Path) -> list[str]:
    name = module_name(path, root)
    if part(name) not in RANK:
        return [f"{name} has no place in ROWS of tests/test_architecture.py"]
    wrong = []
    for module in sorted(imports(path, root)):
        top = module.split(".")[0]
        if top == "dashboard":
            wrong.append(f"{name} imports {module}: the engine knows no pages")
        if top != "engine":
            continue
        if RANK.get(part(module), len(ROWS)) > RANK[part(name)]:
            wrong.append(f"{name} imports {module}, which lies above it")
    return wrong


def dashboard_violations(path: Path, root: Path) -> list[str]:
    name = module_name(path, root)
    wrong = []
    for module in sorted(imports(path, root, annotations=False)):
        top = module.split(".")[0]
        if top in HEAVY:
            wrong.append(f"{name} imports {module}: pages stay free of it")
        named = any(module == m or module.startswith(m + ".") for m in DASHBOARD_MAY_USE)
        if top == "engine" and not named and not name.startswith("dashboard.gateway."):
            wrong.append(f"{name} imports {module}: only dashboard/gateway calls the engine")
    return wrong


def violations(root: Path) -> list[str]:
    """One sentence for each import below `root` that breaks a rule."""
    wrong = []
    for path in sorted((root / "engine").rglob("*.py")):
        wrong += engine_violations(path, root)
    for path in sorted((root / "dashboard").rglob("*.py")):
        wrong += dashboard_violations(path, root)
    return wrong


def test_imports_run_one_way():
    assert violations(ROOT) == []


def circle(root: Path) -> list[str]:
    """Modules of the dashboard that import each other in a circle, in order; annotations count too."""
    names = {module_name(path, root): path for path in sorted((root / "dashboard").rglob("*.py"))}
    graph = {name: imports(path, root) & names.keys() for name, path in names.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_no_module_of_the_dashboard_imports_what_imports_it():
    assert circle(ROOT) == []


def test_a_planted_circle_is_found(tmp_path):
    (tmp_path / "dashboard").mkdir()
    (tmp_path / "dashboard" / "a.py").write_text("from dashboard.b import B")
    (tmp_path / "dashboard" / "b.py").write_text("if TYPE_CHECKING:\n    from dashboard.a import A")
    assert set(circle(tmp_path)) == {"dashboard.a", "dashboard.b"}


@pytest.mark.parametrize(
    ("file", "line", "complaint"),
    [
        ("engine/types.py", "import engine.images", "engine.types imports engine.images"),
        ("engine/store.py", "from engine.registry import parse", "engine.store imports engine.registry"),
        ("engine/render.py", "from engine import models", "engine.render imports engine.models"),
        ("engine/methods/gradient.py", "from ..explain import explain", "imports engine.explain"),
        ("engine/models.py", "def f():\n    from engine.jobs import Jobs", "imports engine.jobs"),
        ("engine/images.py", "from engine import explain", "imports engine.explain"),
        ("engine/registry.py", "import engine.methods", "engine.registry imports engine.methods"),
        ("engine/cli.py", "from dashboard.state import State", "the engine knows no pages"),
        ("engine/helpers.py", "", "engine.helpers has no place"),
        ("dashboard/views/compare.py", "import torch.nn", "imports torch.nn"),
        ("dashboard/gateway/maps.py", "from open_clip import tokenize", "imports open_clip"),
        ("dashboard/state.py", "from engine.registry import parse", "only dashboard/gateway"),
        ("dashboard/app.py", "from engine import types, store", "dashboard.app imports engine.store"),
        ("dashboard/app.py", "import engine", "dashboard.app imports engine"),
        (
            "dashboard/app.py",
            "def f():\n    from engine.jobs import Jobs",
            "dashboard.app imports engine.jobs",
        ),
    ],
)
def test_a_planted_violation_is_found(tmp_path, file, line, complaint):
    (tmp_path / "dashboard").mkdir()
    planted = tmp_path / file
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(line)
    assert len(violations(tmp_path)) == 1
    assert complaint in violations(tmp_path)[0]


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("engine/methods/gradient.py", "from engine.registry import method\nimport torch"),
        ("engine/store.py", "from engine.types import Map"),
        ("engine/__main__.py", "from engine.cli import main"),
        ("dashboard/gateway/maps.py", "from engine import explain, store"),
        ("dashboard/state.py", "from engine.types import Image\nfrom engine import render"),
        ("dashboard/progress.py", "if TYPE_CHECKING:\n    from engine.jobs import Job"),
    ],
)
def test_a_lawful_import_passes(tmp_path, file, line):
    planted = tmp_path / file
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(line)
    assert violations(tmp_path) == []


def test_a_card_looks_curves_up_without_scipy():
    """Importing it takes a good part of the first second of a page."""
    code = "import sys, engine.curves; print([m for m in sys.modules if m.startswith('scipy')])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("module", WITHOUT_TORCH)
def test_module_imports_without_torch(module):
    code = f"import sys, {module}; print([m for m in {(*HEAVY, 'streamlit')!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
