"""Text to pre-train a model of the chain alphabet on: facts and drills, not worked chains."""

from random import Random

from hodograph.recipes import ChainMixtureTask, ChainTask
from hodograph.tasks.arithmetic import (
    END,
    MODULUS,
    OPERATORS,
    apply,
    draw_chain,
    prompt_length,
)
from hodograph.tasks.chain import ChainProblems
from hodograph.tasks.task import Completion, Example, stream_seed

SHORTEST_ITEM = 6  # "7+5=2$"


class ChainMixture:
    """Pre-training text with a share of clean chain demonstrations; evaluated on chains."""

    def __init__(self, settings: ChainMixtureTask) -> None:
        self._settings = settings
        terms = {"min_terms": settings.min_terms, "max_terms": settings.max_terms}
        self._chains = ChainProblems(ChainTask(type="chain", arrows=settings.arrows, **terms))

    def training(self, seed: int, count: int) -> list[Example]:
        """Return texts without a prompt, and chain demonstrations in the recipe's share."""
        chains = self._chains.training(seed, count)
        return [self._example(index, seed, chains[index]) for index in range(count)]

    def evaluation(self, seed: int, count: int) -> list[Example]:
        """Return chain problems."""
        return self._chains.evaluation(seed, count)

    def score(self, completion: Completion, example: Example) -> float:
        """Return the chain verifier's reward."""
        return self._chains.score(completion, example)

    def _example(self, index: int, seed: int, chain: Example) -> Example:
        random = Random(stream_seed("chain_mixture", seed, index))
        if random.random() < self._settings.demonstrations:
            return chain
        return Example("", self._drills(random), "")

    def _drills(self, random: Random) -> str:
        """Join drills, each ended by ``$``, up to the length of the longest worked chain."""
        shortest, longest = self._settings.min_terms, self._settings.max_terms
        length = text_length(longest)
        text = _drill(random, shortest, longest)
        while len(text) <= length - SHORTEST_ITEM:
            item = _drill(random, shortest, longest)
            if len(text) + len(item) <= length:
                text += item
        return text


def text_length(max_terms: int) -> int:
    """Characters of the longest worked chain: its prompt, its values, a mark after each."""
    return prompt_length(max_terms) + 2 * (max_terms - 1)


def _drill(random: Random, min_terms: int, max_terms: int) -> str:
    """Draw a one-step fact (60 %), a copy, a reversal, a count or a chain without working."""
    kind = random.random()
    if kind < 0.6:
        left, operator, right = random.randrange(10), random.choice(OPERATORS), random.randrange(10)
        return f"{left}{operator}{right}={apply(operator, left, right)}{END}"
    if kind < 0.8:
        digits = "".join(random.choice("0123456789") for _ in range(6))
        return f"c{digits}>{digits}{END}" if kind < 0.7 else f"r{digits}>{digits[::-1]}{END}"
    if kind < 0.9:
        start = random.randrange(MODULUS)
        return ",".join(str((start + step) % MODULUS) for step in range(5)) + END
    chain = draw_chain(random, min_terms, max_terms)
    return f"{chain.prompt}{chain.values[-1]}{END}"
