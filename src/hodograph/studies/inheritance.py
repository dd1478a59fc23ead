"""A study's file laid over those it extends, and a run over the one it is like."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hodograph.documents import UnreadableError, read_toml
from hodograph.errors import SettingsError
from hodograph.recipes import WITH_A_PATH, merged, resolve_paths

Tree = dict[str, Any]
EXTENDS = "extends"
LIKE = "like"
GROUPS = ("stages", "arms")
WHOLE = ("shared", "arm")


def read_study(path: Path) -> Tree:
    """The study in `path`, laid over the files its ``extends`` names, in their order.

    Relative paths of models and data are made absolute from the file that states them.

    Raises:
        SettingsError: a file cannot be read, or extends itself.
    """
    return _read(path, ())


def run_named(members: Mapping[str, Tree], name: str, where: str) -> Tree:
    """The table of a run, laid over the one its ``like`` names, and so on.

    Args:
        members: every stage, or every arm, of the study.
        name: of the run.
        where: for messages.

    Raises:
        SettingsError: ``like`` names no such run, or runs are like each other in a ring.
    """
    chain = [name]
    while (like := members[chain[-1]].get(LIKE)) is not None:
        if like not in members:
            known = ", ".join(members)
            raise SettingsError(f"{where}: like = {like!r} names none of {known}.")
        if like in chain:
            raise SettingsError(f"{where}: these are like each other in a ring: {', '.join(chain)}")
        chain.append(like)
    tree: Tree = {}
    for member in reversed(chain):
        tree = merged(tree, members[member])
    tree.pop(LIKE, None)
    return tree


def reference(tree: Mapping[str, Any], place: tuple[str, ...]) -> str | None:
    """The run that the path at `place` of a run's table names as "@name", or None."""
    path = _path(tree, place)
    return path.removeprefix("@") if path is not None and path.startswith("@") else None


def replaced(tree: Tree, place: tuple[str, ...], path: Path) -> Tree:
    """`tree` with the path at `place` set."""
    change: Tree = {"path": str(path)}
    for key in reversed(place):
        change = {key: change}
    return merged(tree, change)


def _read(path: Path, above: tuple[Path, ...]) -> Tree:
    try:
        own = read_toml(path)
    except UnreadableError as error:
        raise SettingsError(f"{path}: {error}.") from None
    here = path.resolve()
    if here in above:
        raise SettingsError(f"{path} extends itself, through {above[-1].name}.")
    tree: Tree = {}
    for name in _extended(own, path):
        tree = merged(tree, _read(path.parent / name, (*above, here)))
    return merged(tree, _located(own, path.parent))


def _extended(own: Tree, path: Path) -> list[str]:
    names = own.pop(EXTENDS, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SettingsError(f'{path}: extends: a list of files is expected, as ["setting.toml"].')
    return names


def _located(own: Tree, folder: Path) -> Tree:
    """Relative paths made absolute, but for "@name"."""
    out = dict(own)
    for key in WHOLE:
        if isinstance(own.get(key), dict):
            out[key] = _absolute(own[key], folder)
    for group in GROUPS:
        if isinstance(own.get(group), dict):
            out[group] = {
                name: _absolute(member, folder) if isinstance(member, dict) else member
                for name, member in own[group].items()
            }
    return out


def _absolute(tree: Tree, folder: Path) -> Tree:
    named = {place: name for place in WITH_A_PATH if (name := reference(tree, place)) is not None}
    tree = resolve_paths(tree, folder)
    for place, name in named.items():
        tree = replaced(tree, place, Path(f"@{name}"))
    return tree


def _path(tree: Mapping[str, Any], place: tuple[str, ...]) -> str | None:
    section: Any = tree
    for key in place:
        section = section.get(key) if isinstance(section, Mapping) else None
    path = section.get("path") if isinstance(section, Mapping) else None
    return path if isinstance(path, str) else None
