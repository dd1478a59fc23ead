"""Read a recipe from TOML, with overrides, and say clearly what is wrong with it."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hodograph.documents import UnreadableError, read_toml
from hodograph.errors import SettingsError
from hodograph.recipes.problems import explain
from hodograph.recipes.recipe import Recipe

Tree = dict[str, Any]
WITH_A_PATH = (
    ("student",), ("teacher",), ("task",), ("rollout",), ("adapter",), ("subspace", "basis"),
)  # fmt: skip


def load_recipe(path: Path, overrides: Mapping[str, str] | None = None) -> Recipe:
    """Read the recipe at `path` and apply `overrides` (dotted key to TOML value).

    Relative model folders in the file are resolved against the file's folder, those in overrides
    against the working directory.

    Raises:
        SettingsError: no such file, not TOML, an unknown key, a wrong type or an impossible value.

    """
    tree = resolve_paths(_read_toml(path), path.parent)
    changes: Tree = {}
    for key, text in (overrides or {}).items():
        _put(changes, key, _toml_value(text))
    return parse_recipe(merged(tree, resolve_paths(changes, Path.cwd())), str(path))


def parse_recipe(mapping: Mapping[str, Any], where: str) -> Recipe:
    """Validate nested settings as a recipe; `where` names their origin in errors.

    Raises:
        SettingsError: an unknown key, a missing one, a wrong type or an impossible value.

    """
    try:
        return Recipe.model_validate(mapping)
    except ValidationError as error:
        raise SettingsError(explain(error, mapping, where)) from None


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> Tree:
    """Return `base` with `changes` laid over it, table by table.

    A table whose ``type`` changes is replaced, since the old variant's keys do not fit the new.
    """
    out = dict(base)
    for key, value in changes.items():
        old = out.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        out[key] = merged(old, value) if both and not _retyped(old, value) else value
    return out


def resolve_paths(tree: Mapping[str, Any], folder: Path) -> Tree:
    """Return `tree` with the paths it names made absolute, from `folder`."""
    for place in WITH_A_PATH:
        section: Any = tree
        for key in place:
            section = section.get(key) if isinstance(section, Mapping) else None
        if isinstance(section, Mapping) and isinstance(section.get("path"), str):
            absolute: Any = {"path": str((folder / section["path"]).resolve())}
            for key in reversed(place):
                absolute = {key: absolute}
            tree = merged(tree, absolute)
    return dict(tree)


def first_difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str | None:
    """Return the dotted key of the first setting in which two JSON recipes differ."""
    flat_old, flat_new = dict(_leaves(old)), dict(_leaves(new))
    for key in [*flat_new, *flat_old]:
        if key not in flat_old or key not in flat_new or flat_old[key] != flat_new[key]:
            return key
    return None


def _retyped(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return "type" in new and new["type"] != old.get("type")


def _read_toml(path: Path) -> Tree:
    try:
        return read_toml(path)
    except UnreadableError as error:
        raise SettingsError(f"{path}: {error}.") from None


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _put(tree: Tree, key: str, value: Any) -> None:
    *tables, leaf = key.split(".")
    for name in tables:
        tree = tree.setdefault(name, {})
    tree[leaf] = value


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
