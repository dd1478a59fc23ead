"""The chain alphabet as a tokenizer: one token a character."""

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from hodograph.tasks.arithmetic import CHARACTERS, END

PAD = "<pad>"
VOCABULARY_SIZE = 24


def chain_tokenizer() -> PreTrainedTokenizerFast:
    """Return the tokenizer of the chain alphabet: 24 tokens, ``$`` ends a text.

    Padding is a token of its own, since a space is part of the prompts; three tokens are unused,
    so that the vocabulary is a multiple of eight.
    """
    tokens = [PAD, *CHARACTERS, END]
    tokens += [f"<unused{index}>" for index in range(VOCABULARY_SIZE - len(tokens))]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=PAD))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        padding_side="left",
        model_max_length=128,
    )
