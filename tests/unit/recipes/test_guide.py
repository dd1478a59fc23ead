"""The guide names every key a recipe may set."""

from pathlib import Path

from hodograph.recipes.problems import known_keys

GUIDE = Path(__file__).parents[3] / "docs/guides/train.md"
SECTIONS = {"student", "teacher", "objective", "task", "batch", "optimizer", "sampling"} | {
    "optimizer.schedule",
    "save",
    "evaluation",
    "stop",
    "selection",
    "rollout",
    "monitor",
    "subspace",
    "subspace.basis",
    "adapter",
    "generation",
}


def test_every_key_is_in_the_guide() -> None:
    text = GUIDE.read_text()
    keys = [key for key in known_keys() if key not in SECTIONS]
    assert len(keys) > 40
    assert [key for key in keys if f"`{key}`" not in text] == []
