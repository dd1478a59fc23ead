"""Any data set of reasoning-gym, with its own verifier."""

from typing import Any

import reasoning_gym

from hodograph.errors import SettingsError
from hodograph.recipes import ReasoningGymTask
from hodograph.tasks.task import Completion, Example, Messages, stream_seed


class GymProblems:
    """A reasoning-gym data set: questions as chat messages, its answers as demonstrations."""

    def __init__(self, settings: ReasoningGymTask) -> None:
        self._settings = settings
        self._judge = self._open(seed=0, size=1)

    def training(self, seed: int, count: int) -> list[Example]:
        """Return training examples."""
        return self._examples("training", seed, count)

    def evaluation(self, seed: int, count: int) -> list[Example]:
        """Return evaluation examples."""
        return self._examples("evaluation", seed, count)

    def score(self, completion: Completion, example: Example) -> float:
        """Return the data set's own score of the stripped answer, 0 to 1."""
        return float(self._judge.score_answer(completion.text.strip(), example.key))

    def _examples(self, split: str, seed: int, count: int) -> list[Example]:
        entries = self._open(seed=stream_seed(split, seed) % 2**31, size=count)
        return [self._example(entry) for entry in entries]

    def _example(self, entry: dict[str, Any]) -> Example:
        return Example(self._messages(entry["question"]), str(entry["answer"]), entry)

    def _messages(self, question: str) -> Messages:
        system = self._settings.system
        opening = [{"role": "system", "content": system}] if system is not None else []
        return [*opening, {"role": "user", "content": question}]

    def _open(self, seed: int, size: int) -> Any:
        name, config = self._settings.dataset, self._settings.config
        try:
            return reasoning_gym.create_dataset(name, seed=seed, size=size, **config)
        except (ValueError, TypeError, AssertionError) as error:
            raise SettingsError(
                f"task.dataset {name!r} with {dict(config)} cannot be opened: {error}.\n"
                "  reasoning-gym's gallery lists the names and settings of its data sets."
            ) from None
