"""Which texts the layers are shown: lines of a file, or what a run of ours trained on."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hodograph.errors import SettingsError

if TYPE_CHECKING:
    from hodograph.recipes import Recipe

Messages = list[dict[str, str]]
Kind = Literal["texts", "demonstrations", "rollouts"]
RECIPE_FILE = "recipe.json"
FEW_TOKENS = 8  # taken as the least length of a task's example


@dataclass(frozen=True)
class Text:
    """A text, or a prompt with its answer; chat messages are put through the model's template."""

    prompt: str | Messages
    answer: str | None = None


@dataclass(frozen=True)
class Sampling:
    """How the student answers the prompts."""

    temperature: float
    max_completion_length: int
    seed: int


@dataclass(frozen=True)
class Source:
    """Texts, and whether the model is to answer them first.

    Attributes:
        path: as the user named it.
        kind: "texts" of a file, "demonstrations" of a run's task, or "rollouts" of W0.
        texts: in order; no more than can be used.
        sampling: of the rollouts, else None.
    """

    path: str
    kind: Kind
    texts: tuple[Text, ...]
    sampling: Sampling | None = None

    def digest(self) -> str:
        """SHA-256 of the texts and of how they are answered, in hexadecimal."""
        sampling = asdict(self.sampling) if self.sampling else None
        said = (self.kind, [asdict(text) for text in self.texts], sampling)
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def open_source(path: str | Path, tokens: int) -> Source:
    """Read what is needed of a source for this many tokens.

    Args:
        path: a text file (one text a line), a JSONL file (field `text`, `prompt` with or without
            `completion`, or `messages`), or a run folder: its task's prompts, with the
            demonstrations it trained on or with rollouts of W0.
        tokens: most tokens that will be used.

    Raises:
        SettingsError: nothing is there, or it holds no texts.
    """
    path = Path(path)
    if path.is_dir():
        return _of_run(path, tokens)
    if not path.is_file():
        raise SettingsError(
            f"{path}: no such file or run folder.\n"
            "  --inputs names a text file, a JSONL file, or a run folder."
        )
    texts = tuple(islice(_lines(path), tokens))  # a text has one token at least
    if not texts:
        raise SettingsError(f"{path}: holds no texts; one a line was expected.")
    return Source(str(path), "texts", texts)


def _of_run(folder: Path, tokens: int) -> Source:
    file = folder / RECIPE_FILE
    if not file.is_file():
        raise SettingsError(
            f"{folder}: holds no {RECIPE_FILE}, so it is no run folder of hodograph.\n"
            "  --inputs names a text file, a JSONL file, or a run folder."
        )
    from hodograph.tasks import open_task  # as are recipes

    recipe = recipe_in(file)
    trained = recipe.steps * (recipe.batch.prompts if recipe.on_policy else recipe.batch.sequences)
    needed = min(trained, max(1, tokens // FEW_TOKENS))
    examples = open_task(recipe.task).training(recipe.seed, needed)
    if recipe.on_policy:
        texts = tuple(Text(example.prompt) for example in examples)
        length = recipe.sampling.max_completion_length
        sampling = Sampling(recipe.sampling.temperature, length, recipe.seed)
        return Source(str(folder), "rollouts", texts, sampling)
    texts = tuple(Text(example.prompt, example.demonstration) for example in examples)
    return Source(str(folder), "demonstrations", texts)


def recipe_in(file: Path) -> "Recipe":
    """The recipe that a run folder keeps.

    Raises:
        SettingsError: the file cannot be read as a recipe.
    """
    from hodograph.recipes import parse_recipe  # heavy: only where a run folder is named

    try:
        return parse_recipe(json.loads(file.read_text(encoding="utf-8")), str(file))
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"{file}: cannot be read as a recipe ({error}).") from error


def _lines(path: Path) -> Iterator[Text]:
    parse = _parsed if path.suffix in (".jsonl", ".json") else lambda line, where: Text(line)
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield parse(line.rstrip("\n"), f"{path}, line {number}")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read as UTF-8 text ({error}).") from error


def _parsed(line: str, where: str) -> Text:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{where}: not JSON ({error}); JSONL has one object a line.") from error
    if isinstance(entry, dict):
        for field in ("text", "prompt", "messages"):
            if _is_text(entry.get(field)):
                return Text(entry[field], _answer(entry) if field == "prompt" else None)
    raise SettingsError(
        f"{where}: has no text.\n"
        "  An object needs a string `text`, a string `prompt`, or chat `messages` of role and"
        " content (which `prompt` may be too)."
    )


def _answer(entry: dict[str, Any]) -> str | None:
    """The completion of a prompt, as a string or as one message."""
    completion = entry.get("completion")
    if isinstance(completion, list) and _is_text(completion):
        return completion[-1]["content"]
    return completion if isinstance(completion, str) else None


def _is_text(value: object) -> bool:
    if isinstance(value, str):
        return bool(value)
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(one, dict)
            and isinstance(one.get("role"), str)
            and isinstance(one.get("content"), str)
            for one in value
        )
    )
