"""The chain task: work out ``7+5*9-8   =`` as ``2,8,0`` and be judged by the last value."""

from random import Random

from hodograph.recipes import ChainTask
from hodograph.tasks.arithmetic import demonstrated, draw_chain
from hodograph.tasks.task import Completion, Example, stream_seed


class ChainProblems:
    """The chain task as a recipe sets it."""

    def __init__(self, settings: ChainTask) -> None:
        self._settings = settings
        self._name = settings.model_dump_json(exclude={"arrows"})  # one problem in either style

    def training(self, seed: int, count: int) -> list[Example]:
        """Return training examples; their demonstrations carry the recipe's noise."""
        return [self._example(index, "training", seed) for index in range(count)]

    def evaluation(self, seed: int, count: int) -> list[Example]:
        """Return evaluation examples."""
        return [self._example(index, "evaluation", seed) for index in range(count)]

    def score(self, completion: Completion, example: Example) -> float:
        """Return 1 if the answer ended by itself and its last value is right, else 0."""
        last = completion.text.replace(">", ",").split(",")[-1]
        return float(completion.finished and last == example.key)

    def _example(self, index: int, split: str, seed: int) -> Example:
        name = self._name if split == "training" else "chain"
        random = Random(stream_seed(name, split, seed, index))
        chain = draw_chain(random, self._settings.min_terms, self._settings.max_terms)
        answer = demonstrated(chain, random, self._settings.noise, self._settings.arrows)
        return Example(chain.prompt, answer, str(chain.values[-1]))
