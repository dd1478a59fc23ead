"""How much of a run the gates are measured on."""

from dataclasses import asdict, dataclass

from hodograph.errors import SettingsError

LEAST = {"prompts": 2, "samples": 2, "tokens": 1, "draws": 1, "k": 1, "seed": 0}


@dataclass(frozen=True)
class GatesSettings:
    """How much is sampled and drawn.

    Attributes:
        prompts: most prompts; the same for every checkpoint.
        samples: completions of each, the group that rewards are normalised in.
        tokens: most tokens of prompts and completions together; whole groups are kept, two at
            least.
        steps: checkpoints looked at; empty for the first, the middle and the last after W0.
        draws: of labels behind the curvatures, and of every random null.
        k: principal directions of W0.
        seed: of prompts, samples and draws.
    """

    prompts: int = 32
    samples: int = 8
    tokens: int = 8192
    steps: tuple[int, ...] = ()
    draws: int = 4
    k: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            if getattr(self, name) < least:
                raise SettingsError(
                    f"{name} is {getattr(self, name)}; for gates it is {least} or more."
                )

    def printed(self) -> dict[str, object]:
        """Every setting by name, for the record."""
        return asdict(self)
