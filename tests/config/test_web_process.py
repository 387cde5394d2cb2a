"""The web process stays light."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOAD_EVERYTHING = """
import json, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
import config.wsgi
from django.urls import get_resolver
get_resolver().url_patterns
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_it_imports_neither_torch_nor_transformers_nor_vllm() -> None:
    result = subprocess.run(
        [sys.executable, "-c", LOAD_EVERYTHING],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": "postgresql:///unused"},
        capture_output=True,
        text=True,
        check=True,
    )

    loaded = set(json.loads(result.stdout))
    assert {"django", "rest_framework", "frontend", "pipeline"} <= loaded
    assert not loaded & {"torch", "transformers", "vllm", "accelerate", "tokenizers", "safetensors"}
