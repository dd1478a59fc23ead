"""Alphabets: what they write, and what is refused."""

import string

import pytest

from hodograph.errors import SettingsError
from hodograph.tasks.alphabet import chain_tokenizer, require_writable, text_tokenizer
from hodograph.tasks.task import Example


def test_printable_ascii_and_line_breaks_are_one_token_each() -> None:
    tokenizer = text_tokenizer()
    text = string.digits + string.ascii_letters + string.punctuation + " \n\n x"
    ids = tokenizer(text)["input_ids"]
    assert len(ids) == len(text)
    assert len(tokenizer) == 104
    assert {tokenizer.pad_token_id, tokenizer.eos_token_id}.isdisjoint(ids)
    assert tokenizer.decode([*ids, tokenizer.eos_token_id], skip_special_tokens=True) == text


def test_a_character_that_the_alphabet_lacks_is_named() -> None:
    fine = Example("7+5=", "2$", None)
    require_writable(chain_tokenizer(), [fine])
    with pytest.raises(SettingsError, match="alphabet cannot write 'a', which stands in '7a=2'"):
        require_writable(chain_tokenizer(), [fine, Example("7a=", "2", None)])
    with pytest.raises(SettingsError, match="cannot write 'é'"):
        require_writable(text_tokenizer(), [Example("caf", "é", None)])


def test_a_chat_without_a_template_is_refused() -> None:
    chat = Example([{"role": "user", "content": "hello"}], "you", None)
    with pytest.raises(SettingsError, match=r"no chat template.\n  Ask plainly: task.chat = false"):
        require_writable(text_tokenizer(), [chat])
