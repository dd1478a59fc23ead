"""`claims.json`: claims as declared, and whether they stood there before their arms were measured.

It is written when a study starts. A claim whose tests change after one of its arms was measured
keeps its first form beside the new one, one that is taken out then stays, and their rows in the
ledger say so.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from hodograph.atomic import write_json
from hodograph.claims.declared import Claim
from hodograph.claims.row import Declared
from hodograph.documents import UnreadableError, read_json
from hodograph.errors import StorageError

CLAIMS_FILE = "claims.json"
WITHDRAWN: Declared = "withdrawn after measuring"


class First(BaseModel):
    """The form a claim had before it was changed."""

    model_config = ConfigDict(frozen=True)
    claim: Claim
    declared: Declared


class Recorded(First):
    """A claim as declared last; `first` where it was changed or taken out after measuring."""

    first: First | None = None


_RECORD = TypeAdapter(dict[str, Recorded])


def declare(folder: Path, claims: Mapping[str, Claim], measured: set[str]) -> None:
    """Write the claims of a study that starts, or goes on; nothing where it has none.

    Args:
        folder: of the study.
        claims: as its file declares them.
        measured: arms of which a seed is measured already.

    Raises:
        StorageError: an earlier claims.json cannot be read.
    """
    before = read_declared(folder)
    if not claims and not before:
        return
    record = {
        name: _recorded(claim, before.get(name), bool(measured.intersection(claim.arms)))
        for name, claim in claims.items()
    } | {
        name: _withdrawn(one)
        for name, one in before.items()
        if name not in claims and measured.intersection(one.claim.arms)
    }
    write_json(folder / CLAIMS_FILE, _RECORD.dump_python(record, mode="json"))


def read_declared(folder: Path) -> dict[str, Recorded]:
    """The claims of a study folder; none where it has no claims.json.

    Raises:
        StorageError: the file is not as a study writes it.
    """
    path = folder / CLAIMS_FILE
    if not path.exists():
        return {}
    try:
        return _RECORD.validate_python(read_json(path))
    except (UnreadableError, ValidationError) as error:
        why: Any = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise StorageError(
            f"{path}: {why}.\n  Remove it and run the study again: claims then count as declared "
            "after measuring."
        ) from error


def _recorded(claim: Claim, before: Recorded | None, measured: bool) -> Recorded:
    if before is None:
        return Recorded(claim=claim, declared="after measuring" if measured else "before measuring")
    if before.claim.parts == claim.parts and before.declared != WITHDRAWN:
        return before.model_copy(update={"claim": claim})
    first = _first(before)
    if first.claim.parts == claim.parts:
        return Recorded(claim=claim, declared=first.declared)
    if not measured:
        return Recorded(claim=claim, declared="before measuring")
    return Recorded(claim=claim, declared="changed after measuring", first=first)


def _withdrawn(before: Recorded) -> Recorded:
    return Recorded(claim=before.claim, declared=WITHDRAWN, first=_first(before))


def _first(before: Recorded) -> First:
    return before.first or First(claim=before.claim, declared=before.declared)
