"""Experts measured in batches: the CPU's numbers, one set of bytes, and the memory planned."""

import pytest
import torch

from hodograph.checkpoints import open_trajectory
from hodograph.engine import batches
from hodograph.engine.batch import Batch
from hodograph.engine.local import Local
from hodograph.engine.plan import memory_of
from hodograph.engine.run import run
from hodograph.engine.settings import Settings
from hodograph.engine.shard import dealt
from hodograph.engine.worker import measure_parameter
from hodograph.matrices.pairing import pair
from hodograph.tables.store import MeasurementFolder, parquet, table_of
from planted.elsewhere import DEVICE, Elsewhere

transformers = pytest.importorskip("transformers")
HIDDEN, INNER, EXPERTS, CHECKPOINTS = 48, 40, 3, 3
HOW = {"method", "certificate_angles", "certificate_similarity", "certificate_spectrum",
       "certificate_ahead"}  # fmt: skip
EIGH = "aten._linalg_eigh.default"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A mixture of experts: W0 in stacks as in memory, later ones as they are saved."""
    torch.manual_seed(0)
    config = transformers.Qwen3MoeConfig(
        vocab_size=40, hidden_size=HIDDEN, intermediate_size=56, moe_intermediate_size=INNER,
        num_experts=EXPERTS, num_experts_per_tok=2, num_hidden_layers=1, head_dim=16,
        num_attention_heads=4, num_key_value_heads=2, initializer_range=0.1,
    )  # fmt: skip
    model = transformers.AutoModelForCausalLM.from_config(config)
    folders = [tmp_path_factory.mktemp("experts") / f"step_{i}" for i in range(CHECKPOINTS + 1)]
    folders[0].mkdir()
    config.save_pretrained(folders[0])
    torch.save(model.state_dict(), folders[0] / "pytorch_model.bin")
    for step, folder in enumerate(folders[1:], 1):
        _train(model, experts=step != 2)
        model.save_pretrained(folder)
    return folders


@pytest.fixture(scope="module")
def trajectory(folders):
    return open_trajectory(folders[0], folders[1:])


@pytest.fixture(scope="module")
def pair_of_experts(folders):
    return open_trajectory(folders[0], folders[1:2])


def _train(model, experts):
    """Move the weights; without its experts the model takes a step that is zero for them."""
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "norm" not in name and (experts or "experts" not in name):
                weights += 1e-3 * torch.randn_like(weights)


@pytest.fixture(autouse=True)
def device(monkeypatch):
    monkeypatch.setattr("hodograph.engine.settings.DEVICE", f"cpu|{DEVICE.type}")


class Unkept:
    """Parts that are not kept."""

    def load(self, parameter):
        return None

    def store(self, parameter, rows):
        pass


def units_of(trajectory, settings):
    return batches.batched(pair(trajectory, "linear", "error")[0], settings)


def rows_of(trajectory, settings, units=None, parts=None):
    def work(unit):
        return measure_parameter(unit, trajectory, settings)

    def silent(done, total, name):
        pass

    units = units_of(trajectory, settings) if units is None else units
    return run(units, work, lambda count: True, parts or Unkept(), silent, Local())


def there(**changed):
    return Settings(permutations=1, device=DEVICE.type, **changed)


def test_experts_in_batches_have_the_numbers_of_the_cpu(trajectory):
    reference = rows_of(trajectory, Settings(permutations=1, also_bf16=True))
    with Elsewhere():
        found = rows_of(trajectory, there(also_bf16=True))
    of_experts = sum(row["expert"] is not None for row in found)
    assert of_experts == 3 * EXPERTS * CHECKPOINTS * 2
    assert [row["parameter"] for row in found] == [row["parameter"] for row in reference]
    for here, one in zip(reference, found, strict=True):
        assert here.keys() == one.keys()
        for name in here.keys() - HOW:
            assert one[name] == nearly(here[name]), name
        assert one.get("method") in (None, "eigh")


def test_a_batch_is_decomposed_in_one_call(pair_of_experts):
    """W0, W1 and D of all experts; each has two sines beside, and its draws in one call."""
    (unit, *_), settings = units_of(pair_of_experts, there()), there()
    with Elsewhere() as batched:
        measure_parameter(unit, pair_of_experts, settings)
    with Elsewhere() as singly:
        for one in unit.members:
            measure_parameter(one, pair_of_experts, settings)
    count = len(unit.members)
    assert count == 3 * EXPERTS
    assert singly.operations[EIGH] == (3 + 2 + 1) * count
    assert batched.operations[EIGH] == 3 + (2 + 1) * count


def nearly(value):
    values = value if isinstance(value, list) else [value]
    number = any(isinstance(one, float) for one in values)
    return pytest.approx(value, rel=1e-7, abs=1e-12) if number else value


def test_all_experts_of_a_small_model_are_one_batch(trajectory):
    unit, *others = sorted(units_of(trajectory, there()), key=lambda unit: -len(unit.blocks))
    assert isinstance(unit, Batch)
    assert {member.role.expert for member in unit.members} == set(range(EXPERTS))
    assert len(unit.members) == 3 * EXPERTS
    assert sum(len(one.blocks) for one in others) == 4


class Stopping:
    """Parts that are kept until the measurement is interrupted."""

    def __init__(self, folder, after):
        self.folder, self.left = folder, after

    def load(self, parameter):
        return self.folder.load(parameter)

    def store(self, parameter, rows):
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        self.folder.store(parameter, rows)


def test_interrupted_and_shared_measurements_have_the_bytes_of_one(
    pair_of_experts, monkeypatch, tmp_path
):
    trajectory = pair_of_experts
    monkeypatch.setattr(batches, "MOST", 5)
    settings, parts = there(), MeasurementFolder(tmp_path, "0" * 64)
    units = units_of(trajectory, settings)
    assert [len(unit.blocks) for unit in units] == [5, 4, 2, 2]
    with Elsewhere():
        whole = parquet(table_of(rows_of(trajectory, settings)))
        with pytest.raises(KeyboardInterrupt):
            rows_of(trajectory, settings, parts=Stopping(parts, 1))
        assert parquet(table_of(rows_of(trajectory, settings, parts=parts))) == whole
        shards = dealt(units, [unit.entries for unit in units], 2)
        shared = [row for mine in shards for row in rows_of(trajectory, settings, mine)]
    shared.sort(key=lambda row: (row["parameter"], row["step"]))
    assert parquet(table_of(shared)) == whole


@pytest.mark.parametrize(("checkpoints", "also_bf16"), [(1, False), (2, True)])
def test_a_batch_takes_the_memory_planned_and_at_least_half(
    tmp_path, write_checkpoint, checkpoints, also_bf16
):
    generator = torch.Generator().manual_seed(0)
    weights = {
        f"model.layers.0.mlp.experts.{i}.up_proj.weight": torch.randn(128, 160, generator=generator)
        for i in range(5)
    }
    folders = []
    for step in range(checkpoints + 1):
        folders.append(write_checkpoint(tmp_path / f"step_{step}", weights))
        weights = {name: w + 1e-2 * torch.randn(w.shape, generator=generator)
                   for name, w in weights.items()}  # fmt: skip
    settings = there(also_bf16=also_bf16)
    experts = open_trajectory(folders[0], folders[1:])
    (unit,) = units_of(experts, settings)
    with Elsewhere() as elsewhere:
        measure_parameter(unit, experts, settings)
    planned = memory_of(unit, settings)
    assert planned / 2 <= elsewhere.peak <= planned
