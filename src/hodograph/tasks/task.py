"""What every task offers: examples that are a function of a seed, and a verifier."""

import hashlib
from dataclasses import dataclass
from typing import Protocol

Messages = list[dict[str, str]]


@dataclass(frozen=True)
class Example:
    """A prompt, an answer that may be imitated, and what the verifier needs to judge another."""

    prompt: str | Messages
    demonstration: str
    key: object


@dataclass(frozen=True)
class Completion:
    """What a model answered: its text without special tokens, and whether it ended by itself."""

    text: str
    finished: bool


class Task(Protocol):
    """Prompts, demonstrations and a verifier.

    Examples depend on `seed` and on their index alone, so a longer stream starts with the shorter.
    """

    def training(self, seed: int, count: int) -> list[Example]:
        """Return the first `count` training examples of the stream that `seed` names."""
        ...

    def evaluation(self, seed: int, count: int) -> list[Example]:
        """Return `count` evaluation examples, from a stream apart from every training stream."""
        ...

    def score(self, completion: Completion, example: Example) -> float:
        """Return the verifier's reward, 0 to 1."""
        ...


def stream_seed(*parts: object) -> int:
    """Return a 63-bit seed that depends on every part; unequal parts give unrelated streams."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
