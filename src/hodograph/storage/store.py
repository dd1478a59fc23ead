"""Named files of one result, each whole or absent, wherever they lie."""

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from hodograph.storage.folder import FolderStore
from hodograph.storage.objects import ObjectStore

URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+]+):/{1,2}(?P<rest>[^/].*)")


class Store(Protocol):
    """Files by name; `/` in a name makes a folder."""

    @property
    def where(self) -> str:
        """The place, for messages."""

    def read(self, name: str) -> bytes | None:
        """Content of a file, or None where it is absent."""

    def write(self, name: str, content: bytes) -> None:
        """Keep a file; a reader sees all of it or what was there before."""

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all in it; nothing where it is absent."""

    def names(self, folder: str = "") -> set[str]:
        """Names of the files and folders that lie directly in a folder."""

    def copy(self, names: Sequence[str]) -> AbstractContextManager[Path]:
        """A folder on a disk with these files, as far as they are there.

        What is added to it is in the store when the block ends.
        """

    def path(self, name: str) -> Path:
        """A place on a disk for files that other libraries write.

        Raises:
            SettingsError: the store is no folder.
        """

    def held(self, share: str | None = None) -> AbstractContextManager[None]:
        """Keep other processes out, but for those that do another share of the same work.

        Raises:
            StorageError: another process is at work there, or it cannot be written.
        """


def open_store(place: str | Path) -> Store:
    """The store at a folder, or at a URL such as `s3://bucket/name`; nothing is written yet.

    Raises:
        SettingsError: a URL of another kind, or the package that speaks to it is not installed.
    """
    url = URL.fullmatch(str(place))
    if url is None:
        return FolderStore(Path(place))
    return ObjectStore(url["scheme"], url["rest"])
