"""Rules of the repository, as tests."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "hodograph"
LAYERS = {  # a folder, and what of hodograph it may import
    "errors": set(),
    "documents": set(),
    "atomic": {"errors"},
    "exclusive": {"errors", "atomic"},
    "storage": {"errors", "atomic", "exclusive"},
    "printable": set(),
    "processes": set(),
    "machine": set(),
    "world": {"errors"},
    "linalg": {"errors"},
    "checkpoints": {"errors", "documents"},
    "modules": set(),
    "matrices": {"errors", "checkpoints", "modules"},
    "statistics": set(),
    "tables": {"errors", "documents", "atomic", "storage", "statistics"},
    "orderings": {"modules", "statistics"},
    "claims": {
        "errors",
        "documents",
        "atomic",
        "recipes",
        "statistics",
        "tables",
        "orderings",
    },
    "diagnostics": {"linalg", "matrices", "tables"},
    "engine": {
        "errors",
        "processes",
        "machine",
        "checkpoints",
        "matrices",
        "linalg",
        "diagnostics",
        "tables",
    },
    "inputs": {
        "errors",
        "modules",
        "atomic",
        "processes",
        "checkpoints",
        "matrices",
        "linalg",
        "diagnostics",
        "recipes",
        "tasks",
    },
    "measurement": {"errors", "checkpoints", "matrices", "engine", "inputs", "tables"},
    "sharding": {"errors", "matrices", "engine", "measurement", "storage", "tables"},
    "comparison": {"errors", "checkpoints", "matrices", "engine", "measurement", "tables"},
    "difference": {"checkpoints", "matrices"},
    "inspection": {"errors", "checkpoints", "matrices"},
    "sweep": {"errors", "checkpoints", "matrices", "engine", "measurement", "tables"},
    "gates": {
        "errors",
        "processes",
        "checkpoints",
        "matrices",
        "linalg",
        "diagnostics",
        "statistics",
        "tables",
        "engine",
        "measurement",
        "inputs",
        "recipes",
        "tasks",
    },
    "placement": {"errors", "documents", "tables"},
    "report": {
        "errors",
        "documents",
        "printable",
        "modules",
        "atomic",
        "machine",
        "statistics",
        "tables",
        "orderings",
        "claims",
    },
    "recipes": {"errors", "documents"},
    "tasks": {"errors", "recipes"},
    "watching": {"errors"},
    "monitor": {"errors", "atomic", "matrices", "linalg", "diagnostics", "tables"},
    "training": {
        "errors",
        "documents",
        "atomic",
        "exclusive",
        "recipes",
        "tasks",
        "checkpoints",
        "matrices",
        "linalg",
        "inputs",
        "monitor",
        "world",
    },
    "studies": {
        "errors",
        "documents",
        "atomic",
        "processes",
        "recipes",
        "exclusive",
        "watching",
        "training",
        "engine",
        "measurement",
        "tables",
        "claims",
        "gates",
    },
}
HEAVY = {
    "torch",
    "transformers",
    "trl",
    "numba",
    "numpy",
    "pandas",
    "pyarrow",
    "matplotlib",
    "scipy",
}


def python_files():
    return sorted(SOURCE.rglob("*.py"))


def imports(path):
    """Modules a file imports while it runs; TYPE_CHECKING blocks do not count."""
    tree = ast.parse(path.read_text())
    skipped = {
        id(node)
        for test in ast.walk(tree)
        if isinstance(test, ast.If) and getattr(test.test, "id", "") == "TYPE_CHECKING"
        for node in ast.walk(test)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (
                [f"hodograph.{alias.name}" for alias in node.names]
                if node.module == "hodograph"
                else [node.module]
            )


@pytest.mark.parametrize("layer", sorted(LAYERS))
def test_dependencies_point_one_way(layer):
    files = [
        f for f in python_files() if f.relative_to(SOURCE).parts[0].removesuffix(".py") == layer
    ]
    assert files
    for file in files:
        used = {name.split(".")[1] for name in imports(file) if name.startswith("hodograph.")}
        assert used <= LAYERS[layer] | {layer}, file


def test_every_folder_has_its_rule():
    present = {path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in python_files()}
    assert present - set(LAYERS) == {"__init__", "__main__", "cli"}


def test_the_page_on_shape_lists_every_folder():
    page = (ROOT / "docs" / "design" / "shape.md").read_text()
    table = page.partition("\n## Folders\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.*?`) \|", table, flags=re.MULTILINE)
    listed = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(listed) == sorted([*LAYERS, "cli"])


@pytest.mark.parametrize(
    "module", ["hodograph", "hodograph.cli", "hodograph.errors", "hodograph.recipes"]
)
def test_light_imports(module):
    code = f"import sys, {module}; print(*sorted({{n.split('.')[0] for n in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


def test_measuring_needs_no_training_extra():
    modules = "hodograph.measurement, hodograph.comparison, hodograph.cli.measure"
    code = f"import sys, {modules}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    extra = {"transformers", "trl", "datasets", "accelerate", "reasoning_gym", "math_verify"}
    assert not extra & set(done.stdout.split())


def test_measuring_loads_no_statistics_it_does_not_need():
    modules = "hodograph.measurement, hodograph.report.page, hodograph.engine.worker"
    code = f"import sys, {modules}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    rare = {"scipy.stats", "scipy.optimize", "scipy.interpolate", "altair", "vl_convert"}
    assert not rare & set(done.stdout.split())


def test_a_worker_loads_neither_tables_nor_drawings():
    modules = "hodograph.engine.worker, hodograph.engine.local"
    code = f"import sys, {modules}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pandas", "matplotlib", "pydantic", "scipy.stats"} & set(done.stdout.split())


def test_no_file_is_long():
    assert [f.name for f in python_files() if len(f.read_text().splitlines()) > 500] == []


def test_nothing_is_left_unfinished_or_swept_aside():
    marks = re.compile(r"\b(TODO|FIXME|XXX)\b|NotImplementedError|# type: ignore\s*$")
    assert [str(f) for f in python_files() if marks.search(f.read_text())] == []


def test_packages_say_what_they_are_for():
    for file in python_files():
        assert ast.get_docstring(ast.parse(file.read_text())), file


def test_every_command_prints_where_names_are_text():
    """Names from files pass through hodograph.cli.terminal, which writes out what would act."""
    for file in (SOURCE / "cli").glob("*.py"):
        nodes = ast.walk(ast.parse(file.read_text()))
        called = [getattr(node.func, "id", "") for node in nodes if isinstance(node, ast.Call)]
        assert "Console" not in called, file
