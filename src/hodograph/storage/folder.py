"""A folder on a disk: files appear by a rename, and a lock keeps other processes out."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hodograph.atomic import sweep, write_atomically
from hodograph.exclusive import only_process


@dataclass(frozen=True)
class FolderStore:
    """See `Store`.

    Attributes:
        folder: made at the first write.
    """

    folder: Path

    @property
    def where(self) -> str:
        """The folder."""
        return str(self.folder)

    def read(self, name: str) -> bytes | None:
        """Content of a file, or None."""
        file = self.folder / name
        return file.read_bytes() if file.exists() else None

    def write(self, name: str, content: bytes) -> None:
        """Write beside its place, then rename."""
        write_atomically(self.folder / name, lambda file: file.write_bytes(content))

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all in it."""
        path = self.folder / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def names(self, folder: str = "") -> set[str]:
        """Names in a folder; none where it is absent."""
        place = self.folder / folder
        return {path.name for path in place.iterdir()} if place.is_dir() else set()

    @contextmanager
    def copy(self, names: Sequence[str]) -> Iterator[Path]:
        """The folder itself."""
        yield self.folder

    def path(self, name: str) -> Path:
        """The place itself."""
        return self.folder / name

    @contextmanager
    def held(self, share: str | None = None) -> Iterator[None]:
        """Lock the folder; who holds it whole clears away what killed processes left."""
        with only_process(self.folder, share):
            if share is None:
                for place in (self.folder, *self.folder.glob("parts-*")):
                    sweep(place)
            yield
