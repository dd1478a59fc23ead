import io
import pickle
import shutil
import zipfile

import pytest
import torch

from hodograph.checkpoints import open_checkpoint, open_trajectory
from hodograph.errors import CheckpointError
from planted import shards


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    shards.write(folder)
    return folder


def refused(path, *words):
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(path)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("way", shards.WAYS)
@pytest.mark.parametrize("place", ["global_step_3", "global_step_3/actor", "dcp"])
def test_every_way_of_cutting_gives_the_whole_back(written, way, place):
    whole = shards.whole()
    checkpoint = pickle.loads(pickle.dumps(open_checkpoint(written / way / place)))
    prefix = "model." if place == "dcp" else ""
    assert list(checkpoint.headers) == sorted(prefix + name for name in whole)
    for name, tensor in whole.items():
        assert checkpoint.headers[prefix + name].shape == tuple(tensor.shape)
        assert torch.equal(checkpoint.read(prefix + name), tensor), (way, name)
    assert checkpoint.dtypes == ("BF16", "F32")


def test_the_digest_does_not_depend_on_the_cut(written, tmp_path, write_checkpoint):
    whole = open_checkpoint(write_checkpoint(tmp_path, shards.whole())).digest()
    assert {open_checkpoint(written / way / "global_step_3").digest() for way in shards.WAYS} == {
        whole
    }


def test_no_process_group_is_needed_or_left(written):
    checkpoint = open_checkpoint(written / "fsdp_tp" / "global_step_3")
    checkpoint.read("layers.0.q_proj.weight")
    assert not torch.distributed.is_initialized()


def test_verls_step_and_configuration_are_found(written, tmp_path, write_checkpoint):
    step = shutil.copytree(written / "fsdp" / "global_step_3", tmp_path / "global_step_3")
    (step / "actor" / "huggingface").mkdir()
    (step / "actor" / "huggingface" / "config.json").write_text('{"num_attention_heads": 2}')
    base = write_checkpoint(tmp_path / "base", shards.whole())
    for named in (step, step / "actor"):
        trajectory = open_trajectory(base, [named])
        assert trajectory.steps == (3,)
        assert trajectory.tuned[0].config == {"num_attention_heads": 2}


@pytest.fixture
def copied(written, tmp_path):
    return shutil.copytree(written / "fsdp", tmp_path / "copy")


def test_missing_ranks_and_files_are_named(copied):
    actor = copied / "global_step_3" / "actor"
    (actor / "model_world_size_4_rank_2.pt").unlink()
    refused(actor, "1 of 4 ranks", "rank 2")
    (copied / "dcp" / "__1_0.distcp").unlink()
    refused(copied / "dcp", "1 of 4 files", "__1_0.distcp")


def test_ranks_of_two_saves_are_not_joined(copied):
    actor = copied / "global_step_3" / "actor"
    file = actor / "model_world_size_4_rank_1.pt"
    torch.save({"scale": torch.zeros(3)}, file)
    checkpoint = open_checkpoint(actor)
    with pytest.raises(CheckpointError, match="two saves"):
        checkpoint.read("layers.0.q_proj.weight")
    shutil.copy(file, actor / "model_world_size_2_rank_0.pt")
    refused(actor, "[2, 4] ranks")


def test_plain_tensors_of_several_ranks_do_not_say_whether_they_are_whole(tmp_path):
    for rank in range(2):
        torch.save({"w": torch.ones(4)}, tmp_path / f"model_world_size_2_rank_{rank}.pt")
    refused(tmp_path, "do not say whether they are whole", "verl.model_merger")
    (tmp_path / "one").mkdir()
    torch.save({"w": torch.ones(4)}, tmp_path / "one" / "model_world_size_1_rank_0.pt")
    assert torch.equal(open_checkpoint(tmp_path / "one").read("w"), torch.ones(4))


def test_a_mesh_that_holds_its_ranks_as_torch_before_2_10_kept_them(written, tmp_path):
    for rank in range(shards.WORLD):
        name = f"model_world_size_{shards.WORLD}_rank_{rank}.pt"
        state = torch.load(written / "hsdp" / "global_step_3" / "actor" / name, weights_only=True)
        for part in state.values():
            vars(part.device_mesh).update(mesh=torch.tensor([[0, 1], [2, 3]]))
            vars(part.device_mesh).pop("_layout", None)
        torch.save(state, tmp_path / name)
    checkpoint = open_checkpoint(tmp_path)
    for name, tensor in shards.whole().items():
        assert torch.equal(checkpoint.read(name), tensor)


def test_a_tensor_that_is_not_cut_must_be_the_same_on_every_rank(written, tmp_path):
    actor = shutil.copytree(written / "tp" / "global_step_3" / "actor", tmp_path / "actor")
    file = actor / "model_world_size_4_rank_3.pt"
    state = torch.load(file, weights_only=True)
    torch.save(state | {"scale": state["scale"] + 1}, file)
    checkpoint = open_checkpoint(actor)
    with pytest.raises(CheckpointError, match="not what rank 0 has"):
        checkpoint.read("scale")


def test_a_truncated_chunk_is_found_when_it_is_read(copied):
    file = copied / "dcp" / "__0_0.distcp"
    file.write_bytes(file.read_bytes()[:100])
    checkpoint = open_checkpoint(copied / "dcp")
    with pytest.raises(CheckpointError, match="__0_0"):
        checkpoint.read("model.layers.0.q_proj.weight")


class Runs:
    def __reduce__(self):
        return eval, ("__import__('pathlib').Path('ran').touch()",)


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (pickle.dumps(Runs()), "builtins.eval is no record"),
        (pickle.dumps({"a": 1}), "holds a dict"),
        (b"nothing", "damaged"),
        (b"", "damaged"),
    ],
)
def test_metadata_builds_records_and_runs_nothing(copied, monkeypatch, metadata, words):
    monkeypatch.chdir(copied)
    (copied / "dcp" / ".metadata").write_bytes(metadata)
    refused(copied / "dcp", words)
    assert not (copied / "ran").exists()


def changed(folder, change):
    """Rewrite a DCP folder's metadata."""
    file = folder / "dcp" / ".metadata"
    metadata = pickle.loads(file.read_bytes())
    change(metadata)
    file.write_bytes(pickle.dumps(metadata))
    return folder / "dcp"


def test_lies_of_the_metadata_are_found(copied):
    name = "model.layers.0.q_proj.weight"

    def drop(metadata):
        metadata.state_dict_metadata[name].chunks.pop()

    def move(metadata):
        chunk = metadata.state_dict_metadata[name].chunks[-1]
        chunk.offsets = torch.Size([100, 0])

    def lead_out(metadata):
        for info in metadata.storage_data.values():
            info.relative_path = "../" + info.relative_path

    def double(metadata):
        entry = metadata.state_dict_metadata[name]
        entry.chunks[1] = entry.chunks[0]

    original = (copied / "dcp" / ".metadata").read_bytes()
    for change, words in (
        (drop, "do not make up the whole"),
        (move, "outside the tensor"),
        (lead_out, "outside the folder"),
    ):
        refused(changed(copied, change), words)
        (copied / "dcp" / ".metadata").write_bytes(original)
    with pytest.raises(CheckpointError, match="overlap and leave gaps"):
        open_checkpoint(changed(copied, double)).read(name)


def test_a_compressed_chunk_is_refused(copied):
    file = copied / "dcp" / "__0_0.distcp"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"x" * 100)
    content = packed.getvalue()

    def point(metadata):
        for info in metadata.storage_data.values():
            info.offset, info.length = 0, len(content)

    file.write_bytes(content + bytes(10_000))
    checkpoint = open_checkpoint(changed(copied, point))
    with pytest.raises(CheckpointError, match="is compressed"):
        checkpoint.read("model.layers.0.q_proj.weight")
