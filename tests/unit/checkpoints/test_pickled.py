import json
import os
import pickle
import zipfile

import pytest
import torch

from hodograph.checkpoints import open_checkpoint
from hodograph.errors import CheckpointError


def refused(path, *words):
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(path)
    for word in words:
        assert word in str(caught.value)


@pytest.fixture
def saved(tmp_path, layered):
    torch.save(layered(dtype=torch.bfloat16), tmp_path / "pytorch_model.bin")
    return tmp_path / "pytorch_model.bin"


def test_a_state_dict_holds_what_safetensors_hold(saved, tmp_path, write_checkpoint, layered):
    tensors = layered(dtype=torch.bfloat16)
    same = open_checkpoint(write_checkpoint(tmp_path / "safe", tensors))
    for path in (saved, saved.parent):
        checkpoint = open_checkpoint(path)
        assert list(checkpoint.headers) == sorted(tensors)
        assert checkpoint.dtypes == ("BF16",)
        assert all(torch.equal(checkpoint.read(name), tensors[name]) for name in tensors)
        assert checkpoint.digest() == same.digest()
        assert checkpoint.files == (saved,)


def test_shards_are_those_of_the_index(tmp_path, layered):
    tensors, weight_map = layered(), {}
    for index, name in enumerate(tensors):
        weight_map[name] = f"pytorch_model-{index}.bin"
        torch.save({name: tensors[name]}, tmp_path / weight_map[name])
    torch.save({"stale": torch.zeros(2)}, tmp_path / "pytorch_model.bin")
    index = tmp_path / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    assert list(open_checkpoint(tmp_path).headers) == sorted(tensors)
    (tmp_path / "pytorch_model-1.bin").unlink()
    refused(tmp_path, "1 of 6 shards", "pytorch_model-1.bin")
    index.write_text(json.dumps({"weight_map": {"w": "../../elsewhere.bin"}}))
    refused(tmp_path, "../../elsewhere.bin", "no file name in this folder")


@pytest.mark.parametrize("key", ["state_dict", "model", "module"])
def test_the_model_of_a_training_checkpoint_is_found(tmp_path, layered, key):
    tensors = layered()
    torch.save({key: tensors, "step": 3, "optimizer": {"lr": 0.1}}, tmp_path / "last.pt")
    torch.save({"state": torch.zeros(2)}, tmp_path / "optimizer.pt")
    assert list(open_checkpoint(tmp_path).headers) == sorted(tensors)


def test_parameters_and_views_are_read_as_the_model_has_them(tmp_path):
    tied = torch.nn.Parameter(torch.randn(6, 4))
    torch.save({"a": tied, "b": tied, "turned": tied.data[1:3].T}, tmp_path / "model.pt")
    checkpoint = open_checkpoint(tmp_path / "model.pt")
    assert torch.equal(checkpoint.read("b"), tied.data)
    assert torch.equal(checkpoint.read("turned"), tied.data[1:3].T)
    assert not checkpoint.read("a").requires_grad


def test_weights_stay_on_disk(tmp_path):
    file = tmp_path / "model.pt"
    torch.save({"w": torch.zeros(4, 4)}, file)
    checkpoint = pickle.loads(pickle.dumps(open_checkpoint(file)))
    assert checkpoint.read("w").sum() == 0
    times = file.stat()
    with file.open("r+b") as opened:
        opened.seek(file.read_bytes().index(b"\0" * 64))  # the storage
        opened.write(torch.ones(4, 4).numpy().tobytes())
    with pytest.raises(CheckpointError, match="not the file that was opened"):
        checkpoint.read("w")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert checkpoint.read("w").sum() == 16


class Opens:
    def __reduce__(self):
        return eval, ("__import__('pathlib').Path('ran').touch()",)


def test_nothing_in_a_pickle_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"w": torch.zeros(2), "x": Opens()}, tmp_path / "pytorch_model.bin")
    refused(tmp_path, "could run code", "eval", "save_pretrained")
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps({"w": Opens()}))
    refused(tmp_path / "plain.pkl", "not a whole torch.save file")
    assert not (tmp_path / "ran").exists()


def test_a_compressed_archive_would_be_read_as_codes(saved, tmp_path):
    packed = tmp_path / "packed.bin"
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))
    refused(packed, "is compressed", "save it again")


def test_files_before_pytorch_1_6_are_refused(tmp_path):
    tensors = {"w": torch.zeros(2, 2)}
    torch.save(tensors, tmp_path / "old.bin", _use_new_zipfile_serialization=False)
    refused(tmp_path / "old.bin", "PyTorch 1.6", "torch.save(torch.load(old, weights_only=True)")


@pytest.mark.parametrize("cut", [0, 1, 100, -1, -50])
def test_cut_files_are_refused(saved, cut):
    saved.write_bytes(saved.read_bytes()[:cut])
    refused(saved, "not a whole torch.save file")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([1, 2], ("list",)),
        ({}, ("dict",)),
        ({"w": torch.zeros(2), "epoch": 3}, ("epoch", "int")),
        ({"w": torch.zeros(2).to_sparse()}, ("sparse",)),
        ({"w": torch.zeros(2, dtype=torch.complex64)}, ("complex64",)),
    ],
)
def test_what_is_no_state_dict_is_refused(tmp_path, content, words):
    torch.save(content, tmp_path / "model.pt")
    refused(tmp_path, str(tmp_path), *words)


def test_several_files_must_be_named(tmp_path):
    for name in ("a.pt", "b.pt"):
        torch.save({"w": torch.zeros(2)}, tmp_path / name)
    refused(tmp_path, "a.pt, b.pt", "Name the one file")
