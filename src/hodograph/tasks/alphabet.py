"""Alphabets as tokenizers: one token a character."""

from collections.abc import Iterable
from string import ascii_letters, digits, punctuation

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from hodograph.errors import SettingsError
from hodograph.tasks.arithmetic import CHARACTERS, END
from hodograph.tasks.task import Example

PAD = "<pad>"
TEXT_CHARACTERS = "\n " + digits + ascii_letters + punctuation
TEXT_END = "<end>"
MULTIPLE = 8  # of a vocabulary's size; unused tokens fill it up


def chain_tokenizer() -> PreTrainedTokenizerFast:
    """Return the tokenizer of the chain alphabet: 24 tokens, ``$`` ends a text.

    Padding is a token of its own, since a space is part of the prompts.
    """
    return _character_tokenizer(CHARACTERS, END)


def text_tokenizer() -> PreTrainedTokenizerFast:
    """Return the tokenizer of printable ASCII and the line break: 104 tokens."""
    return _character_tokenizer(TEXT_CHARACTERS, TEXT_END)


def require_writable(tokenizer: PreTrainedTokenizerBase, examples: Iterable[Example]) -> None:
    """Refuse examples that a tokenizer cannot put into tokens.

    Raises:
        SettingsError: a chat without a template, or a character that an alphabet lacks.
    """
    for example in examples:
        if isinstance(example.prompt, str):
            _require_characters(tokenizer, example.prompt + example.demonstration)
        elif tokenizer.chat_template is None:
            raise SettingsError(
                "the task asks in a chat, and the student's tokenizer has no chat template.\n"
                "  Ask plainly: task.chat = false."
            )


def _require_characters(tokenizer: PreTrainedTokenizerBase, text: str) -> None:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or not isinstance(backend.model, models.WordLevel):
        return  # other kinds write every text
    known = tokenizer.get_vocab()
    if absent := [character for character in text if character not in known]:
        letters = "".join(sorted(token for token in known if len(token) == 1))
        raise SettingsError(
            f"the student's alphabet cannot write {absent[0]!r}, which stands in {text!r}.\n"
            f"  It has {letters!r}. Choose another task, or a student with tokenizer 'text'"
            " (printable ASCII)."
        )


def _character_tokenizer(characters: str, end: str) -> PreTrainedTokenizerFast:
    tokens = [PAD, *characters, end]
    tokens += [f"<unused{index}>" for index in range(-len(tokens) % MULTIPLE)]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=PAD))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=end,
        padding_side="left",
        model_max_length=128,
    )
