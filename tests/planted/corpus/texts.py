"""Recipes and studies that cannot be trained: the file, its syntax, its values."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from planted.corpus import Bad

RECIPE = """
name = "tiny"
steps = 4
objective = { type = "sft" }
task = { type = "chain" }
batch = { prompts = 2 }
optimizer = { lr = 1e-2 }

[student]
type = "qwen3"
hidden_size = 16
layers = 1
heads = 2
kv_heads = 1
head_dim = 8
intermediate_size = 32
"""

STUDY = (
    'name = "tiny"\nseeds = [0]\n[shared]\n'
    + RECIPE.replace('name = "tiny"\n', "").replace("[student]", "[shared.student]")
    + "\n[arms.sft]\n"
)

BROKEN: dict[str, bytes] = {
    "empty": b"",
    "not TOML": b"steps = = 3",
    "JSON": b'{"steps": 3}',
    "not UTF-8": b'name = "\xff"',
    "UTF-16": RECIPE.encode("utf-16"),
    "a NUL": b"name = 'a\0b'",
    "a key twice": b"steps = 1\nsteps = 2\n",
    "a table twice": b"[student]\n[student]\n",
    "cut short": RECIPE.encode()[:60],
    "nested deeply": b"a = " + b"[" * 100_000 + b"]" * 100_000,
    "tables nested deeply": b"a = " + b"{a=" * 50_000 + b"1" + b"}" * 50_000,
    "a number of 5000 digits": b"steps = " + b"9" * 5000,
    "an image": b"\x89PNG\r\n\x1a\n" + bytes(100),
}

CHANGED: dict[str, tuple[str, str]] = {
    "steps 0": ("steps = 4", "steps = 0"),
    "steps negative": ("steps = 4", "steps = -4"),
    "steps text": ("steps = 4", 'steps = "four"'),
    "steps a list": ("steps = 4", "steps = [4]"),
    "learning rate NaN": ("lr = 1e-2", "lr = nan"),
    "learning rate infinite": ("lr = 1e-2", "lr = inf"),
    "learning rate negative": ("lr = 1e-2", "lr = -1e-2"),
    "an unknown key": ("steps = 4", "steps = 4\nstepz = 4"),
    "an unknown objective": ('"sft"', '"ppo"'),
    "an objective without a type": ('{ type = "sft" }', "{}"),
    "an objective that is text": ('{ type = "sft" }', '"sft"'),
    "no teacher for OPD": ('"sft"', '"opd"'),
    "heads that do not divide": ("kv_heads = 1", "kv_heads = 3"),
    "a negative size": ("hidden_size = 16", "hidden_size = -16"),
    "a saved step beyond the end": ("steps = 4", "steps = 4\nsave = { steps = [9] }"),
}

RECIPES: dict[str, tuple[str, str]] = {
    "a seed beyond 32 bits": ("steps = 4", "steps = 4\nseed = 4294967296"),
    "a name that leaves the folder": ('name = "tiny"', 'name = ".."'),
    "a name with a slash": ('name = "tiny"', 'name = "../tiny"'),
    "a name that is hidden": ('name = "tiny"', 'name = ".tiny"'),
    "a name with an escape": ('name = "tiny"', 'name = "\\u001b[2J"'),
    "no student": ("[student]", "[pupil]"),
}

STUDIES: dict[str, tuple[str, str]] = {
    "no arms": ("[arms.sft]", ""),
    "a seed twice": ("seeds = [0]", "seeds = [0, 0]"),
    "no seeds": ("seeds = [0]", "seeds = []"),
    "a seed beyond 32 bits": ("seeds = [0]", "seeds = [4294967296]"),
    "a negative seed": ("seeds = [0]", "seeds = [-1]"),
    "an arm that leaves the folder": ("[arms.sft]", '[arms.".."]'),
    "an arm with a slash": ("[arms.sft]", '[arms."../../sft"]'),
    "an arm and a stage": ("[arms.sft]", "[stages.sft]\n[arms.sft]"),
    "an unknown parent": ("[arms.sft]", '[arms.sft.student]\ntype="path"\npath="@nobody"'),
    "a ring": (
        "[arms.sft]",
        '[arms.a.student]\ntype="path"\npath="@b"\n[arms.b.student]\ntype="path"\npath="@a"',
    ),
    "its own parent": ("[arms.sft]", '[arms.a.student]\ntype="path"\npath="@a"'),
    "an unknown scope": ("[shared]", 'measure = { scope = "everything" }\n[shared]'),
    "a name that leaves the folder": ('name = "tiny"', 'name = ".."'),
}


def recipes() -> Iterator[Bad]:
    """Every bad recipe."""
    for name, content in BROKEN.items():
        yield Bad("recipe", name, _written(content))
    for name, (old, new) in (CHANGED | RECIPES).items():
        yield Bad("recipe", name, _written(RECIPE.replace(old, new).encode()))
    for name, build in FILES.items():
        yield Bad("recipe", name, build)


def studies() -> Iterator[Bad]:
    """Every bad study."""
    for name, content in BROKEN.items():
        yield Bad("study", name, _written(content))
    for name, (old, new) in (CHANGED | STUDIES).items():
        yield Bad("study", name, _written(STUDY.replace(old, new).encode()))
    for name, build in FILES.items():
        yield Bad("study", name, build)


def _written(content: bytes) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        (folder / "x.toml").write_bytes(content)
        return folder / "x.toml"

    return build


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "x.toml")
    return folder / "x.toml"


def _loop(folder: Path) -> Path:
    (folder / "x.toml").symlink_to(folder / "x.toml")
    return folder / "x.toml"


def _huge(folder: Path) -> Path:
    with (folder / "x.toml").open("wb") as opened:
        opened.truncate(1 << 31)
    return folder / "x.toml"


FILES: dict[str, Callable[[Path], Path]] = {
    "nothing there": lambda folder: folder / "x.toml",
    "a folder": lambda folder: folder,
    "a pipe": _pipe,
    "a device": lambda folder: Path("/dev/zero"),
    "a link to itself": _loop,
    "two gigabytes long": _huge,
    "a name too long": lambda folder: folder / ("a" * 300),
}
