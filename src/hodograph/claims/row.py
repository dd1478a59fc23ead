"""One row of `ledger.json`: a claim, the paper's value, ours, and what may be said of it."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from hodograph.documents import UnreadableError, read_json
from hodograph.errors import StorageError

LEDGER_FILE = "ledger.json"
Declared = Literal[
    "before measuring", "after measuring", "changed after measuring", "withdrawn after measuring"
]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class Number(_Record):
    """A mean over seeds, with the interval they support.

    Attributes:
        what: it is the mean of.
        mean: over the seeds.
        low: lower end of the interval; None with one seed.
        high: upper end.
        n: seeds.
    """

    what: str
    mean: float
    low: float | None
    high: float | None
    n: int


class PartRow(_Record):
    """One part of a claim; the claim holds if all its parts do.

    Attributes:
        part: what is tested, in words.
        type: kind of the test.
        verdict: as of the row.
        reason: what the verdict rests on.
        ours: our value, in words.
        interval: its interval over seeds, in words.
        null: what is found where there is nothing to find, in words.
        numbers: what was tested.
        nulls: what stands beside it.
        declared: the part as the study's file states it, thresholds and defaults included.
    """

    part: str
    type: str
    verdict: str
    reason: str
    ours: str
    interval: str
    null: str
    numbers: tuple[Number, ...]
    nulls: tuple[Number, ...]
    declared: dict[str, object]


class Row(_Record):
    """One claim.

    Attributes:
        id: "C1", or "C1 unmatched" for the same claim on other arms.
        claim: in words.
        paper: the paper's value.
        ours: our value, in words; parts are separated by "; ".
        interval: its 95 % interval over seeds, in words, in the order of `ours`.
        null: what is found where there is nothing to find, in words.
        seeds: those that every part was judged on.
        verdict: "holds", "holds, explained by ...", "does not hold" or "undetermined (why)".
        reason: what the verdict rests on, the failing part first.
        study: name of the study.
        declared: whether the claim stood in the file before its arms were measured, and stands.
        arms: those it is judged on.
        parts: its parts.
    """

    id: str
    claim: str
    paper: str
    ours: str
    interval: str
    null: str
    seeds: tuple[int, ...]
    verdict: str
    reason: str
    study: str
    declared: Declared
    arms: tuple[str, ...]
    parts: tuple[PartRow, ...]


_ROWS = TypeAdapter(tuple[Row, ...])


def read_ledger(folder: Path) -> tuple[Row, ...]:
    """The rows of a study folder's `ledger.json`; none where the study declares no claims.

    Raises:
        StorageError: the file is not as a study writes it.
    """
    path = folder / LEDGER_FILE
    if not path.exists():
        return ()
    try:
        return _ROWS.validate_python(read_json(path), strict=False)
    except UnreadableError as error:
        why = str(error)
    except ValidationError as error:
        first = error.errors()[0]
        why = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    raise StorageError(f"{path}: {why}.\n  Run hodograph report {folder}: it is written anew.")
