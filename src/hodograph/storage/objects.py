"""An object store: an object appears whole when its upload ends, and nothing can be locked.

Two processes that work there at once do the same work twice: their parts have equal names and
equal bytes, so that the last one to write changes nothing.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import fsspec

from hodograph.errors import SettingsError, StorageError

WHOLE = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "hf", "memory")  # uploads end at once
PROBE = ".hodograph"


class ObjectStore:
    """See `Store`; fsspec speaks to it."""

    def __init__(self, scheme: str, rest: str) -> None:
        self.where = f"{scheme}://{rest.rstrip('/')}"
        if scheme not in WHOLE:
            raise SettingsError(
                f"{self.where}: files do not appear whole there.\n"
                f"  Name a folder, or an object store: {', '.join(WHOLE[:-1])}."
            )
        try:
            self._system, self._root = fsspec.core.url_to_fs(self.where)
        except (ImportError, ValueError) as error:
            raise SettingsError(f"{self.where}: cannot be opened ({error}).") from error

    def read(self, name: str) -> bytes | None:
        """Content of an object, or None."""
        with self._told(name):
            try:
                return self._system.cat_file(f"{self._root}/{name}")
            except FileNotFoundError:
                return None

    def write(self, name: str, content: bytes) -> None:
        """Upload an object."""
        with self._told(name):
            self._system.pipe_file(f"{self._root}/{name}", content)

    def remove(self, name: str) -> None:
        """Remove an object, or all whose names start with it as a folder's."""
        with self._told(name):
            self._system.invalidate_cache()
            try:
                self._system.rm(f"{self._root}/{name}", recursive=True)
            except FileNotFoundError:
                return

    def names(self, folder: str = "") -> set[str]:
        """Names in a folder; none where it is absent."""
        with self._told(folder):
            self._system.invalidate_cache()
            try:
                found = self._system.ls(f"{self._root}/{folder}".rstrip("/"), detail=False)
            except FileNotFoundError:
                return set()
            return {str(path).rstrip("/").rpartition("/")[2] for path in found}

    @contextmanager
    def copy(self, names: Sequence[str]) -> Iterator[Path]:
        """A temporary folder; files that were not fetched into it are uploaded."""
        fetched = {name: self.read(name) for name in names}
        with TemporaryDirectory() as temporary:
            folder = Path(temporary)
            for name, content in fetched.items():
                if content is not None:
                    (folder / name).write_bytes(content)
            yield folder
            for file in (path for path in folder.rglob("*") if path.is_file()):
                name = file.relative_to(folder).as_posix()
                if name not in names:
                    self.write(name, file.read_bytes())

    def path(self, name: str) -> Path:
        """Refuse: nothing here is on a disk."""
        raise SettingsError(
            f"{self.where}: --inputs keeps what it has seen as files.\n"
            "  Name a folder that every process sees, and copy the result afterwards."
        )

    @contextmanager
    def held(self, share: str | None = None) -> Iterator[None]:
        """Find out whether it can be written; there is no lock."""
        self.write(PROBE, b"")
        self.remove(PROBE)
        yield

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        try:
            yield
        except (OSError, *_errors_of_packages()) as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise StorageError(f"{self.where}/{name}: {said}") from error


def _errors_of_packages() -> tuple[type[BaseException], ...]:
    """Failures of a store's package that are no OSError, where it is loaded."""
    botocore = sys.modules.get("botocore.exceptions")
    return () if botocore is None else (botocore.BotoCoreError,)
