"""safetensors files written by hand, so that their headers can lie."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

Q = "model.layers.0.self_attn.q_proj.weight"


def save(file: Path, tensors: Mapping[str, torch.Tensor]) -> Path:
    """Write a sound file."""
    save_file(dict(tensors), file)
    return file


def raw(header: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    """A file of this header; `length` is what its first eight bytes say."""
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def entry(**changed: Any) -> dict[str, Any]:
    """A sound header entry of 2 x 2 float32 values, with changes."""
    return {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]} | changed


def one(data: int = 16, **changed: Any) -> bytes:
    """A file with one tensor, whose entry is changed."""
    return raw(json.dumps({Q: entry(**changed)}).encode(), bytes(data))


def two(first: list[int], second: list[int], data: int = 32) -> bytes:
    """A file with two tensors at these offsets."""
    entries = {Q: entry(data_offsets=first), "model.norm.weight": entry(data_offsets=second)}
    return raw(json.dumps(entries).encode(), bytes(data))


def without(key: str) -> bytes:
    """A file whose one entry lacks a key."""
    kept = {name: value for name, value in entry().items() if name != key}
    return raw(json.dumps({Q: kept}).encode(), bytes(16))


NAMED = json.dumps(Q).encode()
SOUND = json.dumps(entry()).encode()
LIES: dict[str, bytes] = {
    "offsets overlap": two([0, 16], [8, 24], 24),
    "offsets alike": two([0, 16], [0, 16], 16),
    "offsets swapped, a byte left": two([16, 32], [0, 16]) + b"x",
    "hole between tensors": two([0, 16], [24, 40], 40),
    "first tensor not at the start": one(24, data_offsets=[8, 24]),
    "bytes after the last tensor": one(20),
    "offsets beyond the file": one(data_offsets=[0, 1 << 40], shape=[1 << 19, 1 << 19]),
    "offsets negative": one(data_offsets=[-16, 0]),
    "offsets backwards": one(data_offsets=[16, 0]),
    "offsets huge": one(data_offsets=[0, 1 << 64]),
    "offsets are text": one(data_offsets=["0", "16"]),
    "offsets are fractions": one(data_offsets=[0.5, 16.5]),
    "one offset": one(data_offsets=[16]),
    "three offsets": one(data_offsets=[0, 8, 16]),
    "offsets null": one(data_offsets=None),
    "no offsets": without("data_offsets"),
    "no shape": without("shape"),
    "no dtype": without("dtype"),
    "dtype larger than its bytes": one(dtype="F64"),
    "dtype smaller than its bytes": one(dtype="BF16"),
    "dtype unknown": one(dtype="F12"),
    "dtype a number": one(dtype=4),
    "dtype null": one(dtype=None),
    "shape negative": one(shape=[-2, -2]),
    "shape larger than its bytes": one(shape=[3, 2]),
    "shape smaller than its bytes": one(shape=[1, 2]),
    "shape of fractions": one(shape=[2.0, 2.0]),
    "shape of text": one(shape=["2", "2"]),
    "shape a number": one(shape=4),
    "shape overflows": one(shape=[1 << 32, 1 << 32, 4]),
    "shape beyond 64 bits": one(shape=[1 << 70]),
    "duplicate key, second longer": raw(
        b"{" + NAMED + b":" + SOUND + b"," + NAMED + b":"
        + json.dumps(entry(data_offsets=[16, 32])).encode() + b"}", bytes(32)
    ),
    "entry is text": raw(json.dumps({Q: "F32"}).encode(), bytes(16)),
    "entry is a list": raw(json.dumps({Q: [1, 2]}).encode(), bytes(16)),
    "entry null": raw(json.dumps({Q: None}).encode(), bytes(16)),
    "entry nested": raw(json.dumps({"model": {Q: entry()}}).encode(), bytes(16)),
    "metadata of numbers": raw(json.dumps({"__metadata__": {"a": 1}, Q: entry()}).encode(),
                               bytes(16)),
    "metadata a list": raw(json.dumps({"__metadata__": [], Q: entry()}).encode(), bytes(16)),
    "header empty": raw(b"{}"),
    "header only metadata": raw(b'{"__metadata__": {"format": "pt"}}'),
    "header a list": raw(b"[]"),
    "header a number": raw(b"12345678"),
    "header null": raw(b"null"),
    "header text": raw(b'"tensors"'),
    "header cut": raw(json.dumps({Q: entry()}).encode()[:-3], bytes(16)),
    "header followed by garbage": raw(json.dumps({Q: entry()}).encode() + b"}}", bytes(16)),
    "header with a byte-order mark": raw(b"\xef\xbb\xbf" + json.dumps({Q: entry()}).encode(),
                                         bytes(16)),
    "header not UTF-8": raw(b'{"\xff\xfe": ' + SOUND + b"}", bytes(16)),
    "header in UTF-16": raw(json.dumps({Q: entry()}).encode("utf-16"), bytes(16)),
    "header with a lone surrogate": raw(b'{"\\ud800": ' + SOUND + b"}", bytes(16)),
    "header with NaN": raw(b'{"a": NaN}', bytes(16)),
    "header nested deeply": raw(b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "metadata nested deeply": raw(b'{"__metadata__": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001),
    "header length 0": raw(b"", bytes(64), 0),
    "header length 1": raw(b"{", bytes(64)),
    "header longer than the file": raw(b"{}", b"", 4096),
    "header length 2^63": raw(b"{}", bytes(16), 1 << 63),
    "header length 2^64 - 1": raw(b"{}", bytes(16), (1 << 64) - 1),
}  # fmt: skip


def hundred_megabytes(file: Path) -> Path:
    """A header of 100 MB of spaces, mostly a hole in the file."""
    with file.open("wb") as opened:
        opened.write(struct.pack("<Q", 100_000_000))
        opened.write(b"{")
        opened.truncate(100_000_008)
    return file


def boundaries(content: bytes) -> list[int]:
    """Lengths to cut a sound file at: around its parts, and evenly between."""
    header = 8 + struct.unpack("<Q", content[:8])[0]
    entries = json.loads(content[8:header])
    ends = {header + spec["data_offsets"][1] for spec in entries.values() if "dtype" in spec}
    inside = {0, 1, 4, 7, 8, 9, 8 + header // 4, 8 + header // 2, header - 1, header, header + 1}
    around = {cut for end in ends for cut in (end - 1, end, end + 1)}
    return sorted(cut for cut in inside | around if cut < len(content))
