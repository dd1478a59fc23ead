"""Eigenvectors of a tridiagonal matrix: some of them, or all by divide and conquer.

    python benchmarks/eigenvectors.py

The tridiagonal matrices are those of Gram matrices of weight-like matrices, n x 2 n. Both columns
include all eigenvalues; `linalg/tridiagonal.py` takes the faster one by k / n alone.
"""

from scipy.linalg import hessenberg

from harness import interleaved, machine, power_law, table
from hodograph.linalg.tridiagonal import MANY, few_vectors, many_vectors

SIDES, SHARES, LARGEST, ROUNDS = (192, 576, 1024, 2048), (16, 8, 6, 4, 2), 512, 3


def rows_of(side: int) -> list[list[str]]:
    """Both times for several numbers of vectors."""
    weights = power_law(side, 2 * side).double().numpy()
    reduced = hessenberg(weights @ weights.T)
    diagonal, off = reduced.diagonal().copy(), reduced.diagonal(-1).copy()
    lines = []
    for k in dict.fromkeys(min(side // share, LARGEST) for share in SHARES):
        seconds = interleaved(
            {
                "few": lambda k=k: few_vectors(diagonal.copy(), off.copy(), k),
                "many": lambda k=k: many_vectors(diagonal.copy(), off.copy(), k),
            },
            ROUNDS,
        )
        taken = "dstevd" if k * MANY > side else "dstemr"
        shown = [f"{1e3 * seconds[name]:.1f}" for name in ("few", "many")]
        lines.append([f"{side}", f"{k}", *shown, taken])
    return lines


def main() -> None:
    """Print the table as Markdown."""
    print(machine(), "\n")
    rows = [line for side in SIDES for line in rows_of(side)]
    print(table(["n", "k", "dsterf and dstemr, ms", "dstevd, ms", "taken"], rows))


if __name__ == "__main__":
    main()
