"""How long a labeler waits from a submit until the next task is drawn: a real browser before a real server.

    python -m benchmarks.swap [--quick] [--tasks 60] [--think-ms 400]

Starts PostgreSQL and gunicorn, fills campaigns, opens the labeler's page at 1366 × 768 in Chromium (on PATH, or the one
that CHROMIUM names), and answers pairs by keyboard, once with short plain replies and once with long Markdown ones
(headings, a table, code). The page measures each swap itself, from the key press to the frame in which the next task is
drawn, and says so in `data-swap-ms`. Beside it: how long until the server has confirmed the answer behind the labeler's
back.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.labeling import fill, metric, prepare, start_server

if TYPE_CHECKING:
    from playwright.sync_api import Page

NUM_WARM_UP = 3
WANTED_MS = 50.0
LONG_REPLY = """## What happens

The moon pulls at the water, **and the water follows**, a little late, as the earth turns below it.

| place | high water | low water |
|---|---|---|
| Brest | 6.9 m | 1.2 m |
| Saint-Malo | 12.2 m | 1.4 m |

```python
def height(hours: float, mean: float, amplitude: float) -> float:
    return mean + amplitude * math.cos(2 * math.pi * hours / 12.42)
```

1. The earth turns, and a place passes below the bulge twice a day.
2. The sun helps at new moon and full moon.

"""


def main() -> None:
    """Measure both kinds of replies and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--tasks", type=int, default=60)
    parser.add_argument("--think-ms", type=float, default=400.0, help="between a task's appearance and the answer")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.tasks = 12
    metrics: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="concord-bench-") as folder:
        prepare(Path(folder))
        server, port = start_server(workers=1, threads=8)
        try:
            for name in ("short", "long"):
                metrics |= measure(name, port, arguments.tasks, arguments.think_ms)
        finally:
            server.terminate()
            server.wait(20)
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    settings = {"tasks": arguments.tasks, "think_ms": arguments.think_ms, "wanted_ms": WANTED_MS}
    print(json.dumps({"name": "swap", "metrics": metrics, "settings": settings, "machine": machine}))


def measure(name: str, port: int, num_tasks: int, think_ms: float) -> dict[str, dict[str, Any]]:
    """A campaign of its own, answered by one labeler."""
    campaign, ((session, csrf),) = fill(max(200, 2 * num_tasks), 1)
    if name == "long":
        lengthen(campaign)
    with chromium(port, session, csrf) as page:
        page.goto(f"http://127.0.0.1:{port}/label/{campaign}/")
        rows = [answer(page, think_ms) for _ in range(num_tasks + NUM_WARM_UP)][NUM_WARM_UP:]
    check(campaign, num_tasks + NUM_WARM_UP)
    swaps, saves = zip(*rows, strict=True)
    print(json.dumps({"replies": name, "slowest_swaps": sorted(swaps)[-5:]}), file=sys.stderr)
    return {
        f"{name}_swap_p50": metric(float(np.median(swaps)), "ms"),
        f"{name}_swap_p95": metric(float(np.percentile(swaps, 95)), "ms"),
        f"{name}_saved_p50": metric(float(np.median(saves)), "ms"),
        f"{name}_saved_p95": metric(float(np.percentile(saves, 95)), "ms"),
    }


def answer(page: Page, think_ms: float) -> tuple[float, float]:
    """One task: milliseconds until the next one is drawn, and until the answer is stored."""
    page.wait_for_selector("#labeling[data-ready]")
    page.wait_for_timeout(think_ms)
    page.keyboard.press("1")
    page.evaluate("document.getElementById('labeling').removeAttribute('data-swap-ms')")
    began = time.perf_counter()
    page.keyboard.press("Enter")
    page.wait_for_selector("#labeling[data-swap-ms]")
    page.wait_for_selector("#saved[data-count='0']")
    saved_ms = 1000 * (time.perf_counter() - began)
    return float(page.get_attribute("#labeling", "data-swap-ms") or "nan"), saved_ms


@contextmanager
def chromium(port: int, session: str, csrf: str) -> Iterator[Page]:
    """A page in which the labeler is signed in."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise SystemExit("There is no Chromium on PATH: apt-get install chromium, or name one in CHROMIUM.")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright runs an event loop in this thread
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1366, "height": 768})
        url = f"http://127.0.0.1:{port}"
        context.add_cookies(
            [{"name": "sessionid", "value": session, "url": url}, {"name": "csrftoken", "value": csrf, "url": url}]
        )
        yield context.new_page()
        browser.close()


def lengthen(campaign: int) -> None:
    """Long Markdown instead of plain sentences, no two texts the same."""
    from django.db.models import F, Value
    from django.db.models.fields import CharField
    from django.db.models.functions import Cast, Concat

    from generation.models import Completion

    number = Cast(F("pk"), CharField())
    replies = Completion.objects.filter(comparisons__campaign=campaign)
    Completion.objects.filter(pk__in=replies.values("pk")).update(text=Concat(number, Value(f" of {LONG_REPLY * 4}")))


def check(campaign: int, num_answers: int) -> None:
    """Every answer is stored, and once."""
    from annotation.models import Judgment

    stored = Judgment.objects.filter(slot__campaign=campaign)
    assert stored.count() == num_answers, f"{stored.count()} judgments of {num_answers} answers"


if __name__ == "__main__":
    main()
