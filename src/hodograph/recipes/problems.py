"""Turn pydantic's account of a bad recipe into one line a problem."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from hodograph.recipes.recipe import Recipe


def explain(error: ValidationError, tree: Mapping[str, Any], where: str) -> str:
    """Return one line for each problem: the file, the key, what is wrong and the way on."""
    return "\n".join(_line(problem, tree, where) for problem in error.errors())


def known_keys() -> list[str]:
    """Return every dotted key a recipe may set, in the order of the schema."""
    schema = Recipe.model_json_schema()
    return list(dict.fromkeys(_keys(schema, schema["$defs"], "")))


def _line(problem: Any, tree: Mapping[str, Any], where: str) -> str:
    key = _dotted(problem["loc"], tree)
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown key {key!r}.{_did_you_mean(key)}"
    if problem["type"] == "missing":
        return f"{where}: {key!r} is missing."
    if problem["type"] == "union_tag_not_found":
        return f"{where}: '{key}.type' is missing."
    message = problem["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if key and not isinstance(problem["input"], Mapping):
        return f"{where}: {key}: {message}, not {problem['input']!r}."
    return f"{where}: {key + ': ' if key else ''}{message}."


def _dotted(loc: tuple[int | str, ...], tree: Any) -> str:
    """Join a location to a dotted key, leaving out the tags of unions."""
    parts: list[str] = []
    node, tagged = tree, False
    for part in loc:
        if not tagged and isinstance(node, Mapping) and node.get("type") == part:
            tagged = True  # the union's tag, which pydantic puts after the section's name
            continue
        parts.append(str(part))
        node, tagged = (node.get(part) if isinstance(node, Mapping) else None), False
    return ".".join(parts)


def _did_you_mean(key: str) -> str:
    known = known_keys()
    if key in known:
        return " It belongs to another type of this section."
    by_name = {name.rpartition(".")[2]: name for name in known}
    if close := difflib.get_close_matches(key, known, n=1, cutoff=0.75):
        return f" Did you mean {close[0]!r}?"
    if close := difflib.get_close_matches(key.rpartition(".")[2], list(by_name), n=1, cutoff=0.8):
        return f" Did you mean {by_name[close[0]]!r}?"
    return " docs/guides/train.md lists every key."


def _keys(schema: Mapping[str, Any], defs: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for variant in schema.get("anyOf", schema.get("oneOf", [schema])):
        if "$ref" in variant:
            yield from _keys(defs[variant["$ref"].rpartition("/")[2]], defs, prefix)
        elif variant is not schema:
            yield from _keys(variant, defs, prefix)
        for name, child in variant.get("properties", {}).items():
            yield f"{prefix}{name}"
            yield from _keys(child, defs, f"{prefix}{name}.")
