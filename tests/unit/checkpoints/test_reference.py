import json
import pickle

import pytest
import torch
from safetensors.torch import save_file

from hodograph.checkpoints import open_checkpoint
from hodograph.errors import CheckpointError


def shard(folder, tensors):
    folder.mkdir()
    weight_map = {}
    for index, name in enumerate(tensors):
        file = f"model-{index + 1:05d}-of-{len(tensors):05d}.safetensors"
        save_file({name: tensors[name]}, folder / file)
        weight_map[name] = file
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return folder


def test_reads_each_tensor_as_stored(tmp_path, write_checkpoint, layered):
    tensors = layered(dtype=torch.bfloat16)
    checkpoint = open_checkpoint(write_checkpoint(tmp_path / "a", tensors))
    assert list(checkpoint.headers) == sorted(tensors)
    assert checkpoint.dtypes == ("BF16",)
    for name, tensor in tensors.items():
        assert torch.equal(checkpoint.read(name), tensor)
        assert checkpoint.headers[name].shape == tuple(tensor.shape)
        assert checkpoint.headers[name].entries == tensor.numel()


def test_a_file_alone_is_a_checkpoint(tmp_path, write_checkpoint, layered):
    folder = write_checkpoint(tmp_path / "a", layered(), {"num_attention_heads": 4})
    checkpoint = open_checkpoint(folder / "model.safetensors")
    assert checkpoint.config == {"num_attention_heads": 4}
    assert checkpoint.digest() == open_checkpoint(folder).digest()


def test_sharding_does_not_change_the_digest_but_one_bit_does(tmp_path, write_checkpoint, layered):
    tensors = layered()
    single = open_checkpoint(write_checkpoint(tmp_path / "single", tensors)).digest()
    assert open_checkpoint(shard(tmp_path / "sharded", tensors)).digest() == single
    flipped = tensors["model.norm.weight"].view(torch.int32)
    flipped[0] ^= 1
    assert open_checkpoint(write_checkpoint(tmp_path / "flipped", tensors)).digest() != single


def test_digest_tells_dtypes_and_shapes_apart(tmp_path, write_checkpoint):
    zeros = {
        "a": {"w": torch.zeros(2, 3)},
        "b": {"w": torch.zeros(3, 2)},
        "c": {"w": torch.zeros(2, 3, dtype=torch.bfloat16)},
    }
    digests = {
        open_checkpoint(write_checkpoint(tmp_path / name, tensors)).digest()
        for name, tensors in zeros.items()
    }
    assert len(digests) == 3


def refused(path, *words):
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(path)
    message = str(caught.value)
    assert str(path) in message
    for word in words:
        assert word in message


def test_refuses_what_is_no_checkpoint(tmp_path):
    refused(tmp_path / "nowhere", "no such file")
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(empty, "empty")
    (empty / "readme.txt").write_text("hello")
    refused(empty, "not a checkpoint", "readme.txt")


@pytest.mark.parametrize(
    ("file", "word"), [("model.gguf", "GGUF"), ("adapter_config.json", "adapter")]
)
def test_refuses_other_formats_by_name(tmp_path, file, word):
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / file).write_text("{}")
    refused(folder, word)


def test_a_run_folder_points_to_its_checkpoints(tmp_path):
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    refused(tmp_path / "run", "run folder", "checkpoints/step_0")


@pytest.mark.parametrize("damage", ["truncate", "garbage", "header"])
def test_refuses_damaged_files(tmp_path, write_checkpoint, layered, damage):
    file = write_checkpoint(tmp_path / "a", layered()) / "model.safetensors"
    content = file.read_bytes()
    damaged = {
        "truncate": content[: len(content) // 2],
        "garbage": b"\xff" * 64,
        "header": content[:20] + b"\x00" * 8 + content[28:],
    }[damage]
    file.write_bytes(damaged)
    refused(file, "truncated or corrupt")


def test_a_missing_shard_is_named(tmp_path, layered):
    folder = shard(tmp_path / "a", layered())
    (folder / "model-00002-of-00006.safetensors").unlink()
    refused(folder, "1 of 6 shards", "model-00002-of-00006.safetensors")


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        (["model-00001-of-00002.safetensors"], "model-00002-of-00002.safetensors"),
        (["model-00002-of-00003.safetensors"], "model-00001-of-00003.safetensors"),
        (["pytorch_model-00001-of-00002.bin"], "pytorch_model-00002-of-00002.bin"),
    ],
)
def test_shards_without_their_partners_are_a_checkpoint_still_being_written(
    tmp_path, files, missing
):
    for name in files:
        save_file({"w": torch.zeros(2, 2)}, tmp_path / name)
    refused(tmp_path, files[0], missing, "incomplete")


def test_all_shards_are_read_without_their_index(tmp_path, layered):
    folder = shard(tmp_path / "a", layered())
    digest = open_checkpoint(folder).digest()
    (folder / "model.safetensors.index.json").unlink()
    assert open_checkpoint(folder).digest() == digest


def test_one_tensor_in_two_files_is_refused(tmp_path):
    for name in ("a.safetensors", "b.safetensors"):
        save_file({"w": torch.zeros(2, 2)}, tmp_path / name)
    refused(tmp_path, "a.safetensors", "b.safetensors")


def test_refuses_quantised_weights(tmp_path, write_checkpoint):
    by_config = write_checkpoint(
        tmp_path / "a",
        {"w": torch.zeros(2, 2)},
        {"quantization_config": {"quant_method": "bitsandbytes"}},
    )
    refused(by_config, "bitsandbytes", "equantise")
    by_name = write_checkpoint(tmp_path / "b", {"x.qweight": torch.zeros(2, 2, dtype=torch.int32)})
    refused(by_name, "x.qweight")
    by_dtype = write_checkpoint(
        tmp_path / "c", {"x.weight": torch.zeros(2, 2).to(torch.float8_e4m3fn)}
    )
    refused(by_dtype, "x.weight")


def test_damaged_config_is_named(tmp_path, write_checkpoint, layered):
    folder = write_checkpoint(tmp_path / "a", layered())
    (folder / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"config\.json"):
        open_checkpoint(folder)


def test_megatron_and_deepspeed_name_their_own_conversions(tmp_path):
    for name, file, word in (
        ("iter_10", ".metadata", "convert_torch_dist_to_hf.py"),
        ("zero", "zero_to_fp32.py", "python zero_to_fp32.py"),
    ):
        (tmp_path / name).mkdir()
        for one in (file, "common.pt"):
            (tmp_path / name / one).touch()
        refused(tmp_path / name, word)


def test_lora_weights_that_are_not_merged_are_refused(tmp_path, write_checkpoint):
    tensors = {
        "a.q_proj.base_layer.weight": torch.zeros(2, 2),
        "a.q_proj.lora_A.weight": torch.ones(1, 2),
    }
    refused(write_checkpoint(tmp_path / "a", tensors), "lora_A", "merge_and_unload")


def test_a_file_that_is_kept_open_is_told_from_another_in_its_place(tmp_path):
    file, other = tmp_path / "model.safetensors", tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(3), "b": torch.ones(3)}, file)
    save_file({"a": torch.full((3,), 7.0), "b": torch.ones(3)}, other)
    checkpoint = open_checkpoint(file)
    assert checkpoint.read("a").sum() == 0
    elsewhere = pickle.loads(pickle.dumps(checkpoint))
    assert elsewhere.read("b").sum() == checkpoint.read("b").sum() == 3
    other.replace(file)
    for one in (checkpoint, elsewhere):
        with pytest.raises(CheckpointError, match="not the file that was opened"):
            one.read("a")
    assert open_checkpoint(file).read("a").sum() == 21
