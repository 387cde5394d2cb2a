from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import LazySettings

from core import managed_addresses, urlguard
from core.urlguard import UrlRefused


def test_an_address_counts_for_as_long_as_it_is_announced(tmp_path: Path) -> None:
    with managed_addresses.announced(tmp_path, host="127.0.0.1", port=8001):
        with managed_addresses.announced(tmp_path, host="127.0.0.1", port=8002):
            assert managed_addresses.current(tmp_path) == {"127.0.0.1:8001", "127.0.0.1:8002"}
        assert managed_addresses.current(tmp_path) == {"127.0.0.1:8001"}
    assert managed_addresses.current(tmp_path) == set()


def test_the_outbound_guard_lets_a_managed_address_pass_and_its_neighbours_not(
    tmp_path: Path, settings: LazySettings
) -> None:
    settings.VAR_DIR = tmp_path
    with managed_addresses.announced(tmp_path, host="127.0.0.1", port=8001):
        assert urlguard.check("http://127.0.0.1:8001/v1").ip == "127.0.0.1"
        with pytest.raises(UrlRefused):
            urlguard.check("http://127.0.0.1:8002/v1")
    with pytest.raises(UrlRefused):
        urlguard.check("http://127.0.0.1:8001/v1")


def test_the_address_of_a_process_that_was_killed_counts_no_longer(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, pathlib\n"
        "from core import managed_addresses\n"
        "with managed_addresses.announced(pathlib.Path(sys.argv[1]), host='127.0.0.1', port=8001):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert len(list(tmp_path.rglob("*.json"))) == 1
    assert managed_addresses.current(tmp_path) == set()
    assert list(tmp_path.rglob("*.json")) == []


def test_addresses_of_other_machines_do_not_count_and_stay(tmp_path: Path) -> None:
    with managed_addresses.announced(tmp_path, host="127.0.0.1", port=8001):
        (path,) = tmp_path.rglob("*.json")
        path.write_text(json.dumps({**json.loads(path.read_text()), "machine": "elsewhere"}))
        assert managed_addresses.current(tmp_path) == set()
        assert path.exists()


@pytest.mark.parametrize("content", ["", "{", "{}", '{"pid": 1'])
def test_a_damaged_file_counts_for_nothing(tmp_path: Path, content: str) -> None:
    with managed_addresses.announced(tmp_path, host="127.0.0.1", port=8001):
        (path,) = tmp_path.rglob("*.json")
        path.write_text(content)
        assert managed_addresses.current(tmp_path) == set()
