"""Thinking is settled in the tokenizer's template, for training, evaluation and checkpoints."""

from pathlib import Path

import pytest
import trl
from pydantic import ValidationError

from hodograph.errors import SettingsError
from hodograph.recipes import ChainTask, ReasoningGymTask
from hodograph.tasks.alphabet import text_tokenizer
from hodograph.training.thinking import settle_thinking

QWEN3 = (Path(trl.__file__).parent / "chat_templates/qwen3.jinja").read_text()
EMPTY = "<think>\n\n</think>\n\n"  # what Qwen3 is given where it shall not think


def asked(thinking: bool | None) -> ReasoningGymTask:
    return ReasoningGymTask(type="reasoning_gym", dataset="chain_sum", thinking=thinking)


def opening(tokenizer) -> str:
    question = [{"role": "user", "content": "What is 7 + 5?"}]
    return tokenizer.apply_chat_template(question, add_generation_prompt=True, tokenize=False)


def test_qwen3_is_asked_to_think_or_not_and_its_checkpoints_ask_alike(tmp_path: Path) -> None:
    tokenizer = text_tokenizer()
    tokenizer.chat_template = QWEN3
    left = opening(tokenizer)
    settle_thinking(tokenizer, asked(None))
    assert tokenizer.chat_template == QWEN3
    settle_thinking(tokenizer, asked(False))
    assert opening(tokenizer) == left + EMPTY
    tokenizer.save_pretrained(tmp_path)
    saved = type(tokenizer).from_pretrained(tmp_path)
    assert opening(saved) == left + EMPTY
    settle_thinking(saved, asked(True))  # another run goes on from this checkpoint
    assert opening(saved) == left


def test_a_template_without_the_switch_is_refused() -> None:
    tokenizer = text_tokenizer()
    settle_thinking(tokenizer, ChainTask(type="chain"))
    with pytest.raises(SettingsError, match="has no switch 'enable_thinking'"):
        settle_thinking(tokenizer, asked(False))


def test_a_plain_prompt_has_no_template_to_think_in() -> None:
    with pytest.raises(ValidationError, match="thinking is asked for in a chat"):
        ReasoningGymTask(type="reasoning_gym", dataset="chain_sum", chat=False, thinking=True)
