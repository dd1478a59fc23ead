"""A local server that speaks the hub's protocol, as far as reading a model goes."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Request(NamedTuple):
    """One request: what was asked of which path, which part of it, and who asked."""

    method: str
    path: str
    span: str
    agent: str


class Hub(ThreadingHTTPServer):
    """Serves folders as models; every request is kept.

    Attributes:
        models: folder by name, as in org/model.
        revisions: commit by branch or tag.
        requests: in order.
    """

    def __init__(self, models: dict[str, Path], revisions: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.models, self.revisions = models, revisions
        self.requests: list[Request] = []

    @property
    def endpoint(self) -> str:
        """Address of the server."""
        return f"http://127.0.0.1:{self.server_port}"

    def downloads(self, start: int, stop: int) -> list[str]:
        """Files that were fetched whole by some of the requests."""
        return [
            one.path.rsplit("/", 1)[-1]
            for one in self.requests[start:stop]
            if one.method == "GET" and "/resolve/" in one.path and not one.span
        ]


@contextmanager
def serving(models: dict[str, Path], revisions: dict[str, str]) -> Iterator[Hub]:
    """Serve models until the block ends."""
    server = Hub(models, revisions)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Handler(BaseHTTPRequestHandler):
    """Answers what huggingface_hub asks."""

    protocol_version = "HTTP/1.1"
    server: Hub

    def do_GET(self) -> None:
        """Model information, or a file or part of one."""
        self._answer()

    def do_HEAD(self) -> None:
        """What a file is, without it."""
        self._answer()

    def log_message(self, *_: object) -> None:
        """Keep the terminal quiet."""

    def _answer(self) -> None:
        span = self.headers.get("Range", "")
        agent = self.headers.get("User-Agent", "")
        self.server.requests.append(Request(self.command, self.path, span, agent))
        path = self.path.partition("?")[0]
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/([^/]+)", path):
            return self._model(match[1], match[2])
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)", path):
            return self._tree(match[1])
        if match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self._file(match[1], match[2], match[3], span)
        return self._missing("EntryNotFound")

    def _model(self, name: str, revision: str) -> None:
        if name not in self.server.models:
            return self._missing("RepoNotFound")
        commit = self._commit(revision)
        if commit is None:
            return self._missing("RevisionNotFound")
        files = sorted(file.name for file in self.server.models[name].iterdir())
        siblings = [{"rfilename": file} for file in files]
        return self._json({"id": name, "sha": commit, "siblings": siblings})

    def _tree(self, name: str) -> None:
        if name not in self.server.models:
            return self._missing("RepoNotFound")
        files = sorted(self.server.models[name].iterdir())
        return self._json(
            [
                {"type": "file", "path": f.name, "size": f.stat().st_size, "oid": _digest(f)}
                for f in files
            ]
        )

    def _commit(self, revision: str) -> str | None:
        commits = self.server.revisions
        return revision if revision in commits.values() else commits.get(revision)

    def _file(self, name: str, revision: str, file: str, span: str) -> None:
        place = self.server.models.get(name, Path("/nowhere")) / file
        commit = self._commit(revision)
        if commit is None or not place.is_file():
            return self._missing("EntryNotFound")
        content = place.read_bytes()
        etag = {"ETag": f'"{_digest(place)}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        if match := re.fullmatch(r"bytes=(\d+)-(\d*)", span):
            start = int(match[1])
            stop = min(int(match[2] or len(content) - 1) + 1, len(content))
            part = {"Content-Range": f"bytes {start}-{stop - 1}/{len(content)}"}
            return self._send(206, content[start:stop], etag | part)
        return self._send(200, content, etag)

    def _json(self, content: object) -> None:
        self._send(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _missing(self, code: str) -> None:
        self._send(404, b"{}", {"X-Error-Code": code})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _digest(file: Path) -> str:
    return hashlib.sha1(file.read_bytes()).hexdigest()
