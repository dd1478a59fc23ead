"""JSON and TOML documents as they come from outside: read within bounds, or a reason why not."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from stat import S_ISREG
from typing import Any

MOST_BYTES = 64 << 20


class UnreadableError(Exception):
    """Why a document cannot be read, in words that follow its path and a colon."""


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        UnreadableError: no regular file, too large, not UTF-8, not JSON, or nested too deeply.
    """
    return _read(path, json.loads, "JSON")


def read_object(path: Path) -> dict[str, Any]:
    """The content of a JSON file that holds an object.

    Raises:
        UnreadableError: as `read_json`, or something else than an object.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise UnreadableError("a JSON object was expected")
    return content


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        UnreadableError: no regular file, too large, not UTF-8, not TOML, or nested too deeply.
    """
    return _read(path, tomllib.loads, "TOML")


def _read(path: Path, parse: Callable[[str], Any], language: str) -> Any:
    try:
        return parse(_text(path))
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UnreadableError(f"not valid {language}: not UTF-8 (byte {error.start})") from error
    except ValueError as error:
        raise UnreadableError(f"not valid {language}: {error}") from error
    except RecursionError as error:
        raise UnreadableError(f"not valid {language}: nested too deeply") from error


def require_file(path: Path) -> None:
    """Refuse what is no regular file: opening a pipe would wait for ever.

    Raises:
        UnreadableError: a folder, pipe, socket or device.
        OSError: nothing is there, or it cannot be looked at.
    """
    if not S_ISREG(path.stat().st_mode):
        raise UnreadableError("not a file")


def _text(path: Path) -> str:
    require_file(path)
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise UnreadableError(f"larger than {MOST_BYTES >> 20} MiB")
    return path.read_text(encoding="utf-8")
