"""The running chain modulo 10: its problems, its demonstrations and its alphabet."""

from dataclasses import dataclass
from random import Random

MODULUS = 10
OPERATORS = "+-*"
CHARACTERS = " 0123456789+-*=,>rc"
END = "$"
SHORTEST_PROMPT = 16  # eight one-digit terms, an operator or the final "=" after each


@dataclass(frozen=True)
class Chain:
    """One problem: a first value, then (operator, digit) pairs applied from left to right.

    Attributes:
        first: first value.
        operations: operators and digits.
        width: characters of its prompt.
    """

    first: int
    operations: tuple[tuple[str, int], ...]
    width: int

    @property
    def prompt(self) -> str:
        """The problem as text, left-justified so that "=" always is the last character."""
        body = f"{self.first}" + "".join(f"{op}{digit}" for op, digit in self.operations)
        return f"{body:<{self.width - 1}}="

    @property
    def values(self) -> list[int]:
        """The running values; the last is the answer."""
        return self.continued(self.first, 0)

    def continued(self, value: int, start: int) -> list[int]:
        """Return the running values from operation `start` on, when `value` stands before it."""
        out = []
        for operator, digit in self.operations[start:]:
            value = apply(operator, value, digit)
            out.append(value)
        return out


def apply(operator: str, left: int, right: int) -> int:
    """Return ``left operator right`` modulo 10."""
    match operator:
        case "+":
            return (left + right) % MODULUS
        case "-":
            return (left - right) % MODULUS
        case _:
            return left * right % MODULUS


def draw_chain(random: Random, min_terms: int, max_terms: int) -> Chain:
    """Draw a chain with a uniform number of terms, uniform digits and uniform operators.

    All prompts of one `max_terms` are equally long.
    """
    operations = random.randint(min_terms, max_terms) - 1
    first = random.randrange(MODULUS)
    return Chain(
        first,
        tuple((random.choice(OPERATORS), random.randrange(MODULUS)) for _ in range(operations)),
        prompt_length(max_terms),
    )


def prompt_length(max_terms: int) -> int:
    """Characters of the prompts of chains with at most so many terms."""
    return max(SHORTEST_PROMPT, 2 * max_terms)


def demonstrated(chain: Chain, random: Random, noise: float, arrows: float) -> str:
    """Write out the running values, ``2,8,0$``, or with probability `arrows` ``2>8>0$``.

    With probability `noise` each value is replaced by a uniform digit, and the chain carries on
    from there: a slip, consistently worked out.
    """
    values = chain.values
    for index in range(len(values) if noise else 0):
        if random.random() < noise:
            slip = random.randrange(MODULUS)
            values[index:] = [slip, *chain.continued(slip, index + 1)]
    separator = ">" if arrows and random.random() < arrows else ","
    return separator.join(map(str, values)) + END
