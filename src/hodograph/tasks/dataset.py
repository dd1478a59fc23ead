"""A data set of prompts and answers, judged by math-verify."""

from pathlib import Path
from random import Random
from typing import Any

from hodograph.errors import SettingsError
from hodograph.recipes import DatasetTask
from hodograph.tasks.maths import agreement, in_words, reading
from hodograph.tasks.rows import Row, read_rows
from hodograph.tasks.task import Completion, Example, Messages, stream_seed

WHOLE = 1 << 63  # stream_seed is below it


class DatasetProblems:
    """Rows of a data set, split for good into training and evaluation by a hash of the prompt."""

    def __init__(self, settings: DatasetTask) -> None:
        self._settings = settings
        self._rows = read_rows(Path(settings.path), settings.split)
        self._demonstrated = any(row.get(settings.completion) is not None for row in self._rows)
        for number, row in enumerate(self._rows, start=1):
            self._check(number, row)
        held = [self._is_held_out(row) for row in self._rows]
        self._training = [index for index, out in enumerate(held) if not out]
        self._evaluation = [index for index, out in enumerate(held) if out]
        self._examples: dict[int, Example] = {}

    def training(self, seed: int, count: int) -> list[Example]:
        """Return training examples: pass after pass over the rows, each in an order of its own.

        Raises:
            SettingsError: no row is left for training, or an answer cannot be read.
        """
        rows = self._training
        if not rows:
            raise SettingsError(
                f"{self._settings.path}: all {len(self._rows)} rows are held out for evaluation.\n"
                "  Lower task.evaluation_share."
            )
        passes = range(-(-count // len(rows)))
        order = [index for number in passes for index in self._shuffled(rows, seed, number)]
        return [self._example(index) for index in order[:count]]

    def evaluation(self, seed: int, count: int) -> list[Example]:
        """Return evaluation examples, rows that no training sees.

        Raises:
            SettingsError: fewer are held out, or an answer cannot be read.
        """
        rows = self._evaluation
        if count > len(rows):
            raise SettingsError(
                f"{self._settings.path}: {count} evaluation prompts are asked for, and"
                f" {len(rows)} of {len(self._rows)} rows are held out.\n"
                "  Lower evaluation.prompts (and stop.prompts), or raise task.evaluation_share."
            )
        return [self._example(index) for index in self._shuffled(rows, seed, "evaluation")[:count]]

    def score(self, completion: Completion, example: Example) -> float:
        """Return 1 if math-verify finds the answer in the completion, else 0."""
        return agreement(example.key, completion.text)

    def _shuffled(self, rows: list[int], seed: int, part: object) -> list[int]:
        return Random(stream_seed("dataset", seed, part)).sample(rows, len(rows))

    def _is_held_out(self, row: Row) -> bool:
        hashed = stream_seed("held out", row[self._settings.prompt])
        return hashed < self._settings.evaluation_share * WHOLE

    def _example(self, index: int) -> Example:
        if index not in self._examples:
            row, names = self._rows[index], self._settings
            answer = str(row[names.answer])
            found = reading(answer)
            if found is None:
                raise self._unreadable(index + 1, answer)
            shown = str(row[names.completion]) if self._demonstrated else answer
            self._examples[index] = Example(self._prompt(row[names.prompt]), shown, found)
        return self._examples[index]

    def _prompt(self, prompt: Any) -> str | Messages:
        system = self._settings.system
        if not self._settings.chat:
            return prompt
        messages = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
        return [*([{"role": "system", "content": system}] if system else []), *messages]

    def _check(self, number: int, row: Row) -> None:
        names, where = self._settings, self._row(number)
        for key, name in (("prompt", names.prompt), ("answer", names.answer)):
            if name not in row:
                raise SettingsError(
                    f"{where}: no field {name!r}; there are {', '.join(row)}.\n"
                    f"  Name the right one with task.{key}."
                )
            if row[name] is None or not str(row[name]).strip():
                raise SettingsError(f"{where}: the field {name!r} is empty.")
        if in_words(answer := str(row[names.answer])):
            raise self._unreadable(number, answer)
        if not (isinstance(row[names.prompt], str) or (names.chat and _chat(row[names.prompt]))):
            kinds = "text, or a list of chat messages" if names.chat else "text"
            raise SettingsError(f"{where}: the field {names.prompt!r} is not {kinds}.")
        if self._demonstrated and not row.get(names.completion):
            raise SettingsError(
                f"{where}: the field {names.completion!r} is empty, which other rows fill.\n"
                "  Fill it everywhere, or name another field with task.completion."
            )

    def _unreadable(self, number: int, answer: str) -> SettingsError:
        return SettingsError(
            f"{self._row(number)}: math-verify reads no number or formula in the answer"
            f" {answer!r}.\n  The field {self._settings.answer!r} must hold the final answer alone:"
            " 12, 1/2, 4.5, 2x+1, \\frac{1}{2}."
        )

    def _row(self, number: int) -> str:
        return f"{self._settings.path}, row {number}"


def _chat(prompt: Any) -> bool:
    return (
        isinstance(prompt, list)
        and bool(prompt)
        and all(isinstance(turn, dict) and {"role", "content"} <= turn.keys() for turn in prompt)
    )
