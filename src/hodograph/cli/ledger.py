"""The ledger of claims, as a terminal shows it: one line a claim."""

from collections.abc import Sequence

from rich.console import Console

from hodograph.claims.row import Row


def print_ledger(console: Console, rows: Sequence[Row]) -> None:
    """Print each claim's verdict, our value and the null's; nothing where there are no claims."""
    if not rows:
        return
    width = max(len(row.id) for row in rows)
    console.print("\nClaims: verdict | ours | null. ledger.json has intervals, parts, thresholds.",
                  markup=False, highlight=False, soft_wrap=True)  # fmt: skip
    for row in rows:
        line = (
            f"  {row.id:<{width}}  {row.verdict} | {row.ours or 'nothing'} | {row.null or 'none'}"
        )
        console.print(line, markup=False, highlight=False, soft_wrap=True)
