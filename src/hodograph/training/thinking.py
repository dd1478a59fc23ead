"""Whether a chat is answered with thinking: settled in the template, which checkpoints keep."""

import re

from transformers import PreTrainedTokenizerBase

from hodograph.errors import SettingsError
from hodograph.recipes import Task

SWITCH = "enable_thinking"  # as Qwen3's template and those after it call it
SETTLED = re.compile(rf"\{{%- set {SWITCH} = (true|false) %\}}")


def settle_thinking(tokenizer: PreTrainedTokenizerBase, task: Task) -> None:
    """Have the tokenizer's template ask with or without thinking, as the task says.

    Training, evaluation and whoever uses a checkpoint's tokenizer then ask alike.

    Raises:
        SettingsError: the template has no such switch.
    """
    thinking = getattr(task, "thinking", None)
    if thinking is None:
        return
    template = tokenizer.chat_template
    if not isinstance(template, str) or SWITCH not in template:
        raise SettingsError(
            f"task.thinking: the student's chat template has no switch {SWITCH!r}.\n"
            "  Leave task.thinking out, or choose a student that can answer both ways."
        )
    setting = f"{{%- set {SWITCH} = {str(thinking).lower()} %}}"
    tokenizer.chat_template = setting + SETTLED.sub("", template)
