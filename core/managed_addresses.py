"""Addresses of servers that Concord itself started on this machine: the outbound guard lets calls to them pass.

Each is a small file under var/ with the process that stands behind it. One whose process has gone counts no longer.
"""

import json
import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

_FOLDER = "managed-addresses"


@contextmanager
def announced(var_dir: Path, *, host: str, port: int) -> Iterator[None]:
    """`host:port` may be called for as long as this lasts and this process lives."""
    folder = var_dir / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{uuid.uuid4().hex}.json"
    unfinished = path.with_suffix(".tmp")
    content = {
        "address": f"{host}:{port}",
        "machine": socket.gethostname(),  # var/ may be shared between machines or containers, process ids are not
        "pid": os.getpid(),
        "started_at": psutil.Process().create_time(),
    }
    unfinished.write_text(json.dumps(content), encoding="utf-8")
    unfinished.rename(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def current(var_dir: Path) -> set[str]:
    """The `host:port` of every server that is managed on this machine; files of dead processes are cleared away."""
    addresses = set()
    for path in (var_dir / _FOLDER).glob("*.json"):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["machine"] != socket.gethostname():
                continue
            is_alive = psutil.Process(content["pid"]).create_time() == content["started_at"]
        except (OSError, ValueError, KeyError, psutil.NoSuchProcess):
            is_alive = False
        if is_alive:
            addresses.add(str(content["address"]))
        else:
            path.unlink(missing_ok=True)
    return addresses
