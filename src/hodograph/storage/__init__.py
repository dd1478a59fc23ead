"""Where a result's files lie: a folder, or an object store by its URL."""

from hodograph.storage.store import Store, open_store

__all__ = ["Store", "open_store"]
