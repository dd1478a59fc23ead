"""FP8 files with planted scales, measured as what they stand for is."""

import numpy as np
import pytest
import torch

from hodograph import compare, measure
from hodograph.checkpoints import open_checkpoint
from hodograph.checkpoints.reference import stored_checkpoint
from hodograph.difference import difference
from hodograph.errors import CheckpointError, SettingsError

Q = "model.layers.0.self_attn.q_proj.weight"
K = "model.layers.0.self_attn.k_proj.weight"
NORM = "model.norm.weight"
SHAPES = {Q: (40, 104), K: (24, 56)}
BLOCK = (16, 32)  # ragged on both sides of both
E4M3, E5M2 = torch.float8_e4m3fn, torch.float8_e5m2
BLOCKS = {"quantization_config": {"quant_method": "fp8", "weight_block_size": list(BLOCK)}}
STATIC = {"quantization_config": {"quant_method": "fp8", "weight_block_size": None}}
ROWS = {"quantization_config": {"quant_method": "fbgemm_fp8"}}


def compressed(**weights):
    weights = {"num_bits": 8, "type": "float"} | weights
    groups = {"group_0": {"targets": ["Linear"], "weights": weights}}
    declared = {"quant_method": "compressed-tensors", "config_groups": groups}
    return {"quantization_config": declared}


TENSOR = compressed(strategy="tensor")
STYLES = {
    "blocks": (BLOCKS, "_scale_inv", BLOCK, E4M3),
    "blocks of E5M2": (BLOCKS, "_scale_inv", BLOCK, E5M2),
    "one scale inverted": (STATIC, "_scale_inv", None, E4M3),
    "rows": (ROWS, "_scale", (1, 10**6), E4M3),
    "compressed tensor": (TENSOR, "_scale", None, E4M3),
    "compressed blocks": (compressed(block_structure=list(BLOCK)), "_scale", BLOCK, E4M3),
}


def spread(scale, shape, block):
    """Every entry's own scale, by its indices."""
    if block is None:
        return scale.reshape(()).expand(shape)
    row, col = torch.meshgrid(torch.arange(shape[0]), torch.arange(shape[1]), indexing="ij")
    return scale[row // block[0], col // block[1]]


def planted(seed, suffix, block, dtype, change=0.0):
    """Stored tensors, and the numbers that they stand for."""
    stored, meant = {}, {}
    for index, (name, (rows, cols)) in enumerate(SHAPES.items()):
        generator = torch.Generator().manual_seed(100 * seed + index)
        grid = () if block is None else (-(-rows // block[0]), -(-cols // block[1]))
        scale = 0.001 * (1 + torch.rand(grid, generator=generator))
        codes = 20 * torch.randn(rows, cols, generator=generator)
        codes = codes + change * torch.randn(rows, cols, generator=generator)
        codes[0, :3] = torch.tensor([0.0, 0.002, -0.01])  # zero and subnormal codes
        stored[name] = codes.to(dtype)
        stored[f"{name}{suffix}"] = scale
        stored[f"{name.removesuffix('weight')}input_scale"] = torch.ones(())
        meant[name] = stored[name].float() * spread(scale, (rows, cols), block)
    plain = {NORM: torch.linspace(0.5, 1.5, 56).bfloat16()}
    return stored | plain, meant | plain


@pytest.fixture
def write_pair(tmp_path, write_checkpoint):
    """W0 and W1, stored in FP8 and as the numbers they stand for."""

    def write(style):
        config, *how = STYLES[style]
        folders = []
        for step, change in enumerate((0.0, 4.0)):
            stored, meant = planted(0, *how, change=change)
            folders.append(write_checkpoint(tmp_path / f"fp8_{step}", stored, config))
            folders.append(write_checkpoint(tmp_path / f"wide_{step}", meant))
        return folders[::2], folders[1::2]

    return write


@pytest.mark.parametrize("style", STYLES)
def test_reads_codes_times_scales(style, write_pair):
    (folder, _), (wide, _) = write_pair(style)
    opened, meant = open_checkpoint(folder, dequantise=True), open_checkpoint(wide)
    assert list(opened.headers) == sorted([Q, K, NORM])
    for name in opened.headers:
        assert torch.equal(opened.read(name), meant.read(name))
    assert opened.read(NORM).dtype == torch.bfloat16
    assert opened.digest() == stored_checkpoint(folder).digest() != meant.digest()


@pytest.mark.parametrize("style", ["blocks", "blocks of E5M2", "rows"])
def test_spacing_is_the_distance_to_the_next_code(style, write_pair):
    _, suffix, block, dtype = STYLES[style]
    (folder, _), _ = write_pair(style)
    opened = open_checkpoint(folder, dequantise=True)
    stored = stored_checkpoint(folder)
    codes = stored.read(Q)
    bits = codes.view(torch.uint8)
    following = torch.where(bits == 0x80, 1, bits + 1).to(torch.uint8).view(dtype).float()
    scale = spread(stored.read(f"{Q}{suffix}"), codes.shape, block)
    expected = (following.abs() - codes.float().abs()) * scale
    torch.testing.assert_close(opened.spacing(Q), expected)
    assert opened.spacing(NORM) is None


@pytest.mark.parametrize("style", ["blocks", "compressed tensor"])
def test_measures_what_the_numbers_it_stands_for_give(style, write_pair):
    fp8, wide = write_pair(style)
    measured = measure(fp8[0], fp8[1], dequantise=True, also_bf16=True)
    table = measured.matrices
    plain = measure(wide[0], wide[1], also_bf16=True).matrices
    assert set(table["storage"]) == {"float8_e4m3fn", "bfloat16"}
    assert set(plain["storage"]) == {"float32", "bfloat16"}
    ours = table.replace({"storage": {"float8_e4m3fn": "float32"}})
    ours, theirs = (one.sort_values(["parameter", "storage"]) for one in (ours, plain))
    of_storage = {"noise_floor", "noise_share", "resolved_rank", "reliability"}
    compared = [name for name in ours if name not in of_storage and "null" not in name]
    assert len(compared) > 60
    for name in compared:
        assert ours[name].map(repr).tolist() == theirs[name].map(repr).tolist(), name
    assert set(table["reliability"]) == {"poor"}
    assert set(table["null_reason"]) == {"stored in float8_e4m3fn"}
    assert sum("dequantised" in warning for warning in measured.summary["warnings"]) == 2
    assert measured.summary["settings"]["dequantise"] is True


def test_noise_floor_is_that_of_rounding_to_fp8(tmp_path, write_checkpoint):
    """Two sides rounded from one real matrix: D is rounding noise, and the floor says so."""
    generator = torch.Generator().manual_seed(1)
    true = torch.randn(128, 192, generator=generator)
    folders, scales = [], (0.011, 0.0173)
    for scale in scales:  # unlike scales round alike numbers unlike
        stored = {Q: (true / scale).to(E4M3), f"{Q}_scale": torch.tensor(scale)}
        folders.append(write_checkpoint(tmp_path / str(scale), stored, TENSOR))
    row = measure(*folders, dequantise=True).matrices.iloc[0]
    assert row["noise_share"] == pytest.approx(1, rel=0.1)
    assert row["sigma_1"] == pytest.approx(row["noise_floor"], rel=0.25)


def test_a_mixed_pair_is_named_fp8(tmp_path, write_checkpoint, write_pair):
    fp8, wide = write_pair("blocks")
    table = measure(wide[0], fp8[1], dequantise=True).matrices
    assert set(table["storage"]) == {"float8_e4m3fn"}
    reverse = measure(fp8[0], wide[1], dequantise=True).matrices
    assert set(reverse["storage"]) == {"float8_e4m3fn"}
    both = measure(fp8[0], fp8[1], dequantise=True).matrices
    squares = table["noise_floor"] ** 2 + reverse["noise_floor"] ** 2
    np.testing.assert_allclose(squares, both["noise_floor"] ** 2, rtol=1e-3)
    sparse = measure(fp8[0], fp8[1], dequantise=True, only="sparsity").matrices
    assert set(sparse["storage"]) == {"float8_e4m3fn"}


def test_compares_and_diffs(write_pair):
    fp8, wide = write_pair("blocks")
    ours = compare(fp8[0], fp8[1], wide[0], dequantise=True)
    assert set(ours.pairs["storage"]) == {"float8_e4m3fn"}
    assert any("dequantised" in warning for warning in ours.summary["warnings"])
    found = difference(fp8[0], wide[0], dequantise=True)
    assert found.changed == 0
    assert {pair.dtypes for pair in found.differing} == {("F8_E4M3", "F32")}
    assert difference(fp8[0], fp8[1], dequantise=True).changed > 0


def test_an_adapter_of_an_fp8_base_is_exact(tmp_path, write_checkpoint, write_pair):
    (base, _), _ = write_pair("blocks")
    generator = torch.Generator().manual_seed(3)
    module = f"base_model.model.{Q.removesuffix('.weight')}"
    factors = {
        f"{module}.lora_A.weight": torch.randn(2, 104, generator=generator),
        f"{module}.lora_B.weight": torch.randn(40, 2, generator=generator),
    }
    adapter = write_checkpoint(tmp_path / "adapter", factors)
    (adapter / "model.safetensors").rename(adapter / "adapter_model.safetensors")
    (adapter / "adapter_config.json").write_text(
        '{"peft_type": "LORA", "r": 2, "lora_alpha": 2, "base_model_name_or_path": "x"}'
    )
    table = measure(base, adapter, dequantise=True, only="everything").matrices
    row = table.set_index("parameter").loc[Q]
    added = factors[f"{module}.lora_B.weight"] @ factors[f"{module}.lora_A.weight"]
    assert row["storage"] == "float32"
    assert row["reliability"] == "ok"
    assert row["update_norm"] == pytest.approx(float(added.norm()), rel=1e-6)


def _without(stored, name):
    return {key: tensor for key, tensor in stored.items() if key != name}


SCALE = f"{Q}_scale_inv"
REFUSED = {
    "no scale": (lambda t: _without(t, SCALE), BLOCKS, "without its scale"),
    "transposed": (lambda t: t | {SCALE: t[SCALE].T}, BLOCKS, "does not fit"),
    "one number": (lambda t: t | {SCALE: torch.ones(1)}, BLOCKS, "does not fit"),
    "other blocks": (
        lambda t: t,
        {"quantization_config": {"quant_method": "fp8"}},
        "128 x 128",
    ),
    "no block": (lambda t: t, STATIC, "one a row"),
    "integers": (lambda t: t | {SCALE: t[SCALE].int()}, BLOCKS, "does not fit"),
    "a block of nothing": (
        lambda t: t,
        {"quantization_config": {"quant_method": "fp8", "weight_block_size": [0, 128]}},
        "weight_block_size|block",
    ),
    "two kinds of scale": (
        lambda t: t | {f"{Q}_scale": torch.ones(())}, BLOCKS, "weight_scale is not FP8",
    ),
    "packed beside": (
        lambda t: t | {"x.qweight": torch.zeros(2, 2, dtype=torch.int32)}, BLOCKS, "x.qweight",
    ),
    "4 bits": (lambda t: t, compressed(num_bits=4), "compressed-tensors"),
    "integers of 8 bits": (lambda t: t, compressed(type="int"), "compressed-tensors"),
    "no configuration": (lambda t: t, None, "quant_method fp8"),
    "awq": (lambda t: t, {"quantization_config": {"quant_method": "awq"}}, "awq"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refuses_what_does_not_say_what_it_is(case, tmp_path, write_checkpoint):
    change, config, word = REFUSED[case]
    stored, _ = planted(0, "_scale_inv", BLOCK, E4M3)
    folder = write_checkpoint(tmp_path / "a", change(stored), config)
    with pytest.raises(CheckpointError, match=word) as caught:
        open_checkpoint(folder, dequantise=True)
    assert str(folder) in str(caught.value)


def test_without_the_switch_the_message_names_it(write_pair):
    (folder, _), _ = write_pair("blocks")
    with pytest.raises(CheckpointError, match="--dequantise"):
        open_checkpoint(folder)


def test_inputs_are_refused(write_pair, tmp_path):
    fp8, _ = write_pair("blocks")
    (tmp_path / "texts.txt").write_text("a text\n")
    with pytest.raises(SettingsError, match="FP8"):
        measure(*fp8, dequantise=True, inputs=tmp_path / "texts.txt")
