"""Keep third-party noise that says nothing about a run off the terminal."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from transformers.utils.logging import disable_progress_bar

TIED = "missing keys in the checkpoint model loaded: ['lm_head.weight']"


@contextmanager
def without_noise() -> Iterator[None]:
    """Silence transformers' bars over single files, and two messages that mislead.

    TRL 1.16 reads a property that transformers 5.23 deprecates; and resuming reports the output
    head as missing although it is tied to the embedding that was loaded.
    """
    disable_progress_bar()
    logger = logging.getLogger("transformers.trainer")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        logger.addFilter(_not_tied)
        try:
            yield
        finally:
            logger.removeFilter(_not_tied)


def _not_tied(record: logging.LogRecord) -> bool:
    return TIED not in record.getMessage()
