"""A worker with a judging run: `python -m tests.annotation.judging_client RUN VLLM_DIR`."""

from __future__ import annotations

import sys
from pathlib import Path

from core.embedded import provide_environment

provide_environment()

import django  # noqa: E402 -- the environment must be complete before settings are read

django.setup()

from django.conf import settings  # noqa: E402 -- likewise

from annotation import runner  # noqa: E402
from annotation.models import JudgingRun  # noqa: E402
from core import jobs  # noqa: E402

if __name__ == "__main__":
    settings.VLLM_DIR = Path(sys.argv[2])
    jobs.perform(JudgingRun, int(sys.argv[1]), runner.judge)
