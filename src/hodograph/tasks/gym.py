"""Any data set of reasoning-gym, with its own verifier or math-verify."""

from random import Random
from typing import Any

import reasoning_gym

from hodograph.errors import SettingsError
from hodograph.recipes import ReasoningGymTask
from hodograph.tasks.maths import agreement, reading
from hodograph.tasks.task import Completion, Example, Messages, stream_seed


class GymProblems:
    """A reasoning-gym data set: its questions as prompts, its answers as demonstrations."""

    def __init__(self, settings: ReasoningGymTask) -> None:
        self._settings = settings
        self._by_maths = settings.verifier == "math_verify"
        self._judge = self._open(seed=0, size=1)

    def training(self, seed: int, count: int) -> list[Example]:
        """Return training examples.

        Raises:
            SettingsError: math-verify shall judge, and reads no number or formula in an answer.
        """
        return self._examples("training", seed, count)

    def evaluation(self, seed: int, count: int) -> list[Example]:
        """Return evaluation examples.

        Raises:
            SettingsError: as `training`.
        """
        return self._examples("evaluation", seed, count)

    def score(self, completion: Completion, example: Example) -> float:
        """Return the data set's own score of the stripped answer, 0 to 1, or math-verify's."""
        if self._by_maths:
            return agreement(example.key, completion.text)
        return float(self._judge.score_answer(completion.text.strip(), example.key))

    def _examples(self, split: str, seed: int, count: int) -> list[Example]:
        entries = self._open(seed=stream_seed(split, seed) % 2**31, size=count)
        others = self._open(seed=stream_seed(split, seed, "others") % 2**31, size=count)
        return [
            self._example(entries[index], others, index, stream_seed(split, seed, index))
            for index in range(count)
        ]

    def _example(self, entry: dict[str, Any], others: Any, index: int, seed: int) -> Example:
        wrong = Random(seed).random() < self._settings.noise
        answer = others[index]["answer"] if wrong else entry["answer"]
        key = self._read(str(entry["answer"])) if self._by_maths else entry
        return Example(self._prompt(entry["question"]), str(answer), key)

    def _read(self, answer: str) -> object:
        found = reading(answer)
        if found is None:
            raise SettingsError(
                f"task.verifier: math-verify reads no number or formula in the answer {answer!r}"
                f" of {self._settings.dataset}.\n"
                "  Leave task.verifier out, so that the data set judges its own answers."
            )
        return found

    def _prompt(self, question: str) -> str | Messages:
        if not self._settings.chat:
            return f"{question}\n"
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
