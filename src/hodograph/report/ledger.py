"""The ledger of claims on a page: a row a claim, its verdict in word, colour and shape."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from hodograph.claims.row import PartRow, Row
from hodograph.report.views import Body, Cell, Head, Table

KINDS = {
    "holds": ("holds", "●"),
    "holds, explained": ("explained", "◐"),
    "does not hold": ("fails", "✕"),
    "undetermined": ("open", "○"),
}
"""What a verdict starts with, longest first where one starts another; its class and its shape."""


@dataclass(frozen=True)
class Verdict:
    """A verdict as a page shows it: its words, the class of its colour, and its shape."""

    words: str
    kind: str
    shape: str


@dataclass(frozen=True)
class Claim:
    """A row of the ledger as a page shows it; `ident` is its anchor."""

    ident: str
    row: Row
    verdict: Verdict
    parts: tuple[tuple[PartRow, Verdict], ...]


def verdict(words: str) -> Verdict:
    """Return a verdict with its colour and shape; an unknown word is shown as undetermined."""
    starts = max((start for start in KINDS if words.startswith(start)), key=len, default=None)
    kind, shape = KINDS[starts or "undetermined"]
    return Verdict(words, kind, shape)


def claims(rows: Iterable[Row]) -> list[Claim]:
    """Return the rows of a ledger as a page shows them."""
    return [
        Claim(
            ident="claim-" + "-".join(row.id.split()),
            row=row,
            verdict=verdict(row.verdict),
            parts=tuple((part, verdict(part.verdict)) for part in row.parts),
        )
        for row in rows
    ]


def ledger_table(found: Sequence[Claim]) -> Table:
    """Return the ledger as a table of text, a row a claim, to be written beside the page."""
    names = ("claim", "words", "verdict", "paper", "here", "95 % interval", "null", "seeds",
             "reason", "declared")  # fmt: skip
    rows = [
        [
            Cell(row.id, header=True), Cell(row.claim), Cell(row.verdict), Cell(row.paper),
            Cell(row.ours), Cell(row.interval), Cell(row.null),
            Cell(", ".join(map(str, row.seeds))), Cell(row.reason), Cell(row.declared),
        ]
        for row in (claim.row for claim in found)
    ]  # fmt: skip
    heads = [Head(name, words=True) for name in names]
    return Table("Claims, what was found, and what may be said", heads, [Body(rows)], "ledger")


def claims_of(found: Sequence[Claim], ids: Sequence[str], named: Collection[str]) -> list[Claim]:
    """Return the claims of one question: those it names, and variants of those by first word.

    Args:
        found: The ledger.
        ids: What the question names.
        named: What any question names; a variant named itself does not follow its first word.
    """
    return [
        claim
        for claim in found
        if claim.row.id in ids or (claim.row.id not in named and claim.row.id.split()[0] in ids)
    ]


def counted(found: Sequence[Claim]) -> str:
    """Say how many claims have each verdict, and which; empty without any claim."""
    groups = {kind: [claim for claim in found if claim.verdict.kind == kind]
              for kind, _ in KINDS.values()}  # fmt: skip
    words = {"holds": "holds", "explained": "holds but is explained by something else",
             "fails": "does not hold", "open": "is undetermined"}  # fmt: skip
    plural = {"holds": "hold", "explained": "hold but are explained by something else",
              "fails": "do not hold", "open": "are undetermined"}  # fmt: skip
    said = [
        f"{len(group)} {(words if len(group) == 1 else plural)[kind]}"
        f" ({', '.join(claim.row.id for claim in group)})"
        for kind, group in groups.items()
        if group
    ]
    if not said:
        return ""
    total = f"Of {len(found)} claims tested" if len(found) > 1 else "Of one claim tested"
    return f"{total}, {'; '.join(said)}."
