"""Checkpoints that cannot be read as weights; every command that takes one must say so."""

import json
import os
import pickle
import socket
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from planted.corpus import Bad, checkpoint, model
from planted.corpus.headers import LIES, Q, boundaries, hundred_megabytes, save

INDEX = "model.safetensors.index.json"
DEEP = "[" * 100_000 + "]" * 100_000
PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + bytes(17)
CANARY = "canary"


def cases() -> Iterator[Bad]:
    """Every bad checkpoint."""
    yield from _truncations()
    yield from (Bad("header", name, _holding(content)) for name, content in LIES.items())
    yield Bad("header", "100 MB long", lambda f: hundred_megabytes(f / "model.safetensors"))
    yield from (Bad("no checkpoint", name, build) for name, build in OTHERS.items())
    yield from (Bad("pickle", name, build) for name, build in PICKLES.items())
    yield from (Bad("index", name, _indexed(text)) for name, text in INDICES.items())
    yield from (Bad("index", name, build) for name, build in SHARDS.items())
    yield from (Bad("config", name, _beside("config.json", text)) for name, text in CONFIGS.items())
    name = "hodograph_step.json"
    yield from (Bad("record", case, _beside(name, text)) for case, text in RECORDS.items())


def _truncations() -> Iterator[Bad]:
    def cut(length: int) -> Callable[[Path], Path]:
        def build(folder: Path) -> Path:
            file = checkpoint(folder / "cut") / "model.safetensors"
            os.truncate(file, length)
            return file.parent

        return build

    content = _content()
    yield from (Bad("truncated", f"to {n} bytes", cut(n)) for n in boundaries(content))


def _content() -> bytes:
    from safetensors.torch import save as serialised

    return serialised(model())


def _holding(content: bytes, name: str = "model.safetensors") -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder

    return build


def _file(content: bytes, name: str) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return build


def _beside(name: str, text: str | bytes) -> Callable[[Path], Path]:
    """A sound checkpoint with this file beside its weights."""

    def build(folder: Path) -> Path:
        sound = checkpoint(folder / "step_5")
        content = text.encode() if isinstance(text, str) else text
        (sound / name).write_bytes(content)
        return sound

    return build


def _indexed(text: str | bytes) -> Callable[[Path], Path]:
    """Two sound shards, and an index that says this of them."""

    def build(folder: Path) -> Path:
        _shards(folder)
        (folder / INDEX).write_bytes(text.encode() if isinstance(text, str) else text)
        return folder

    return build


def _shards(folder: Path) -> None:
    tensors = list(model().items())
    save(folder / "one.safetensors", dict(tensors[:2]))
    save(folder / "two.safetensors", dict(tensors[2:]))


def _map(*names: Any) -> str:
    return json.dumps({"weight_map": dict(zip(model(), names, strict=False))})


def _fifo(name: str) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        os.mkfifo(folder / name)
        return folder

    return build


def _itself(name: str) -> Callable[[Path], Path]:
    """A symbolic link to itself."""

    def build(folder: Path) -> Path:
        (folder / name).symlink_to(folder / name)
        return folder

    return build


def _socket(folder: Path) -> Path:
    here = Path.cwd()
    os.chdir(folder)  # the name of a socket may not be long
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("model.safetensors")
    finally:
        os.chdir(here)
    return folder


def _directory(folder: Path) -> Path:
    (folder / "model.safetensors").mkdir()
    return folder


def _twice(folder: Path) -> Path:
    save(folder / "a.safetensors", model())
    save(folder / "b.safetensors", {Q: torch.zeros(24, 16)})
    return folder


def _run_folder(folder: Path) -> Path:
    (folder / "checkpoints" / "step_0").mkdir(parents=True)
    return folder


OTHERS: dict[str, Callable[[Path], Path]] = {
    "nothing there": lambda folder: folder / "nothing",
    "an empty folder": lambda folder: folder,
    "a folder of hidden files": _holding(b"x", ".model.safetensors"),
    "a text file": _file(b"hello\n", "notes.txt"),
    "a folder with a text": _holding(b"hello\n", "notes.txt"),
    "an image": _file(PNG, "image.png"),
    "an image called safetensors": _file(PNG, "model.safetensors"),
    "a text called safetensors": _file(b"git-lfs pointer, not weights\n" * 9, "x.safetensors"),
    "zeros called safetensors": _file(bytes(4096), "model.safetensors"),
    "ones called safetensors": _file(b"\xff" * 4096, "model.safetensors"),
    "noise called safetensors": _file(bytes(range(7, 256, 3)) * 40, "model.safetensors"),
    "a web page called safetensors": _file(b"<!doctype html><title>404</title>" * 9,
                                           "model.safetensors"),
    "a Parquet called safetensors": _file(b"PAR1" + bytes(64) + b"PAR1", "model.safetensors"),
    "a GGUF file": _file(b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 1 << 60), "model.gguf"),
    "an adapter alone": _holding(b"{}", "adapter_config.json"),
    "a run folder": _run_folder,
    "a name too long": lambda folder: folder / ("a" * 300),
    "a path too long": lambda folder: folder / "/".join(["a" * 200] * 30),
    "a pipe": lambda folder: _fifo("pipe")(folder) / "pipe",
    "a pipe called safetensors": lambda f: _fifo("model.safetensors")(f) / "model.safetensors",
    "a folder with a pipe as weights": _fifo("model.safetensors"),
    "a folder with a pipe as index": lambda folder: _fifo(INDEX)(folder),
    "a socket": _socket,
    "a folder called safetensors": _directory,
    "a device": lambda folder: Path("/dev/null"),
    "an endless device": lambda folder: Path("/dev/zero"),
    "a link to an endless device": lambda f: _linked(f / "model.safetensors", "/dev/zero"),
    "a link to itself": lambda folder: _itself("loop")(folder) / "loop",
    "a folder with a link to itself": _itself("model.safetensors"),
    "a ring of links": lambda folder: _ring(folder),
    "a dangling link": lambda f: _linked(f / "model.safetensors", f / "gone"),
    "a tensor in two files": _twice,
}  # fmt: skip


def _linked(link: Path, target: str | Path) -> Path:
    link.symlink_to(target)
    return link.parent


def _ring(folder: Path) -> Path:
    for here, there in (("a", "b"), ("b", "c"), ("c", "a")):
        (folder / here).symlink_to(folder / there)
    return folder / "a"


class Touch:
    """A pickle that creates a file when it is loaded."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch '{self.file}'",))


def _armed(name: str) -> Callable[[Path], Path]:
    """A pickle that would run a command; the file it would leave is the canary."""

    def build(folder: Path) -> Path:
        (folder / name).write_bytes(pickle.dumps({Q: Touch(folder / CANARY)}))
        return folder / name

    return build


def _armed_torch(folder: Path) -> Path:
    file = folder / "pytorch_model.bin"
    torch.save({Q: torch.zeros(24, 16), "x": Touch(folder / CANARY)}, file)
    return folder


def _zip_bomb(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "pytorch_model.bin", "w", zipfile.ZIP_DEFLATED) as bomb:
        with bomb.open("archive/data.pkl", "w", force_zip64=True) as entry:
            for _ in range(64):
                entry.write(bytes(1 << 20))
        bomb.writestr("archive/version", "3\n")
    return folder


def _zip_outside(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "pytorch_model.bin", "w") as archive:
        archive.writestr(f"../../{CANARY}", b"x")
    return folder


class Huge:
    """A pickle that asks for 64 GiB when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (bytearray, (1 << 36,))


def _deep_pickle() -> bytes:
    return b"\x80\x04" + b"]" * 200_000 + b"a" * 199_999 + b"."


PICKLES: dict[str, Callable[[Path], Path]] = {
    **{f"armed {name}": _armed(name) for name in
       ("pytorch_model.bin", "model.pt", "model.pth", "last.ckpt", "weights.pkl")},
    "armed, in a folder": lambda folder: _armed("pytorch_model.bin")(folder).parent,
    "armed, written by torch": _armed_torch,
    "bomb": _holding(pickle.dumps({Q: Huge()}), "pytorch_model.bin"),
    "nested deeply": _holding(_deep_pickle(), "pytorch_model.bin"),
    "no weights in it": _holding(pickle.dumps({"w": 1}), "pytorch_model.bin"),
    "a number": _holding(pickle.dumps(1), "pytorch_model.bin"),
    "cut short": _holding(pickle.dumps({"w": "x" * 99})[:40], "pytorch_model.bin"),
    "empty": _holding(b"", "pytorch_model.bin"),
    "text": _holding(b"hello", "pytorch_model.bin"),
    "zip bomb": _zip_bomb,
    "zip that leaves its folder": _zip_outside,
    "zip cut short": _holding(b"PK\x03\x04" + bytes(40), "pytorch_model.bin"),
}  # fmt: skip

INDICES: dict[str, str | bytes] = {
    "empty": "",
    "not JSON": "{weight_map}",
    "cut short": _map("one.safetensors", "one.safetensors")[:-9],
    "not UTF-8": b'{"weight_map": {"a": "\xff"}}',
    "a list": "[]",
    "no map": "{}",
    "an empty map": '{"weight_map": {}}',
    "the map a list": '{"weight_map": ["one.safetensors"]}',
    "the map null": '{"weight_map": null}',
    "a shard missing": _map("one.safetensors", "one.safetensors", "three.safetensors"),
    "every shard missing": _map("1.safetensors", "2.safetensors"),
    "a number for a shard": _map(1, 2),
    "a list for a shard": _map(["one.safetensors"]),
    "null for a shard": _map(None),
    "text and number": _map("one.safetensors", 2),
    "a shard above the folder": _map("../one.safetensors"),
    "a shard far above": _map("../../../../../../../../../../../../etc/passwd"),
    "an absolute shard": _map("/etc/passwd"),
    "a shard in another folder": _map("sub/../../one.safetensors"),
    "an empty shard name": _map(""),
    "the folder as a shard": _map("."),
    "a NUL in a shard name": _map("one\0.safetensors"),
    "a shard name too long": _map("a" * 300),
    "nested deeply": DEEP,
    "a shard named twice in another case": _map("one.safetensors", "ONE.safetensors"),
    "itself as a shard": _map(INDEX),
}


def _doubled(folder: Path) -> Path:
    _shards(folder)
    save(folder / "again.safetensors", dict(list(model().items())[:1]))
    names = ("again.safetensors", "one.safetensors", "two.safetensors", "two.safetensors")
    (folder / INDEX).write_text(_map(*names))
    return folder


def _odd_shard(make: Callable[[Path], object]) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        _shards(folder)
        (folder / "two.safetensors").unlink()
        make(folder / "two.safetensors")
        (folder / INDEX).write_text(_map("one.safetensors", "two.safetensors"))
        return folder

    return build


def _huge_index(folder: Path) -> Path:
    with (folder / INDEX).open("wb") as opened:
        opened.truncate(1 << 31)
    return folder


SHARDS: dict[str, Callable[[Path], Path]] = {
    "a tensor in two shards": _doubled,
    "a shard is a folder": _odd_shard(Path.mkdir),
    "a shard is a pipe": _odd_shard(os.mkfifo),
    "a shard is a link to itself": _odd_shard(lambda file: file.symlink_to(file)),
    "a shard is empty": _odd_shard(Path.touch),
    "a shard is a device": _odd_shard(lambda file: file.symlink_to("/dev/zero")),
    "the index is a folder": lambda folder: _made(folder / INDEX),
    "two gigabytes long": _huge_index,
}


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder.parent


CONFIGS: dict[str, str | bytes] = {
    "empty": "",
    "not JSON": "{",
    "not UTF-8": b"\xff\xfe{}",
    "a list": "[]",
    "a number": "1",
    "null": "null",
    "nested deeply": DEEP,
    "an object nested deeply": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "a number of 5000 digits": '{"hidden_size": ' + "9" * 5000 + "}",
    "two documents": "{}{}",
}

RECORDS: dict[str, str | bytes] = {
    "not JSON": "{",
    "a list": "[]",
    "step is text": '{"step": "12"}',
    "step is true": '{"step": true}',
    "step is negative": '{"step": -1}',
    "step is a fraction": '{"step": 1.5}',
    "step is beyond 64 bits": '{"step": 1000000000000000000000000000000}',
    "the learning-rate sum is text": '{"step": 1, "learning_rate_sum": "1e-3"}',
    "the learning-rate sum is NaN": '{"step": 1, "learning_rate_sum": NaN}',
    "the learning-rate sum is infinite": '{"step": 1, "learning_rate_sum": Infinity}',
    "skipped steps are a list": '{"step": 1, "skipped_steps": []}',
}
