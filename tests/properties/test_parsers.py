"""Whatever bytes a file holds, it is read or refused in words; `make fuzz` tries for longer."""

import json
import struct
import tempfile
from contextlib import suppress
from pathlib import Path

import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save

from hodograph.checkpoints import open_checkpoint
from hodograph.documents import UnreadableError, read_json, read_toml
from hodograph.errors import HodographError, SettingsError
from hodograph.inspection import inspect
from hodograph.recipes import load_recipe
from hodograph.studies.study import load_study
from planted.corpus import model
from planted.corpus.texts import RECIPE, STUDY

SOUND = save(model())
HEADER = 8 + struct.unpack("<Q", SOUND[:8])[0]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
EDITS = st.lists(
    st.tuples(st.integers(0, HEADER + 40), st.binary(min_size=1, max_size=6)), max_size=6
)


def edited(content, edits, length):
    """The content with bytes overwritten, and cut to a length."""
    changed = bytearray(content)
    for place, new in edits:
        changed[place : place + len(new)] = new
    return bytes(changed[:length])


def read_or_refused(content, name, read, *refusals):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_bytes(content)
        try:
            return read(file)
        except refusals:
            return None


def read_whole(file):
    opened = open_checkpoint(file.parent)
    inspect(file.parent)
    for name, header in opened.headers.items():
        assert tuple(opened.read(name).shape) == header.shape
    return opened


@given(EDITS, st.integers(0, len(SOUND)) | st.just(len(SOUND)))
def test_safetensors_with_bytes_overwritten(edits, length):
    read_or_refused(edited(SOUND, edits, length), "model.safetensors", read_whole, HodographError)


ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(["F32", "BF16", "I64", "BOOL", "F8_E4M3", "F4", "U8"]) | VALUES,
        "shape": st.lists(st.integers(-1, 4) | st.integers(), max_size=4) | VALUES,
        "data_offsets": st.lists(st.integers(-1, 80), min_size=2, max_size=2) | VALUES,
    },
)


@given(st.dictionaries(st.text(max_size=30), ENTRIES | VALUES, max_size=4), st.integers(0, 80))
def test_safetensors_with_invented_headers(header, data):
    text = json.dumps(header).encode("utf-8", "surrogatepass")
    content = struct.pack("<Q", len(text)) + text + bytes(data)
    read_or_refused(content, "model.safetensors", read_whole, HodographError)


@given(VALUES, VALUES)
def test_configurations_and_records_of_any_content(config, record):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model.safetensors").write_bytes(SOUND)
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "hodograph_step.json").write_text(json.dumps(record))
        with suppress(HodographError):
            inspect(folder)


@given(VALUES)
def test_an_index_of_any_content(weight_map):
    text = json.dumps({"weight_map": weight_map}).encode()
    name = "model.safetensors.index.json"
    assert read_or_refused(text, name, lambda f: open_checkpoint(f.parent), HodographError) is None


@given(st.binary(max_size=60) | VALUES.map(json.dumps).map(str.encode))
def test_documents_of_any_bytes(content):
    read_or_refused(content, "x.json", read_json, UnreadableError)
    read_or_refused(content, "x.toml", read_toml, UnreadableError)


@given(st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=5)), max_size=5))
def test_recipes_and_studies_with_bytes_overwritten(edits):
    for text, load in ((RECIPE, load_recipe), (STUDY, load_study)):
        content = edited(text.encode(), edits, len(text))
        read_or_refused(content, "x.toml", load, SettingsError)


def test_the_sound_file_is_read():
    def norm(file):
        return read_whole(file).read("model.norm.weight").clone()

    found = read_or_refused(SOUND, "model.safetensors", norm)
    assert torch.equal(found, model()["model.norm.weight"])
