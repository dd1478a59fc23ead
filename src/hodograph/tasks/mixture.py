"""Text to pre-train a model of the chain alphabet on: facts and drills, not worked chains."""

from random import Random

from hodograph.recipes import ChainMixtureTask, ChainTask
from hodograph.tasks.arithmetic import END, MODULUS, OPERATORS, PROMPT_LENGTH, apply, draw_chain
from hodograph.tasks.chain import ChainProblems
from hodograph.tasks.task import Completion, Example, stream_seed

TEXT_LENGTH = 30  # as long as the longest worked chain
SHORTEST_ITEM = 6  # "7+5=2$"


class ChainMixture:
    """Pre-training text with a share of clean chain demonstrations; evaluated on chains."""

    def __init__(self, settings: ChainMixtureTask) -> None:
        self._share = settings.demonstrations
        self._chains = ChainProblems(ChainTask(type="chain", arrows=settings.arrows))

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
        if random.random() < self._share:
            return chain
        return Example("", drill_text(random), "")


def drill_text(random: Random) -> str:
    """Join drills, each ended by ``$``, up to the length of the longest worked chain."""
    text = _drill(random)
    while len(text) <= TEXT_LENGTH - SHORTEST_ITEM:
        item = _drill(random)
        if len(text) + len(item) <= TEXT_LENGTH:
            text += item
    return text


def _drill(random: Random) -> str:
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
    chain = draw_chain(random, 4, PROMPT_LENGTH // 2)
    return f"{chain.prompt}{chain.values[-1]}{END}"
