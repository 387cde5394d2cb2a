"""The labeler's loop over HTTP: fetch the next task, submit an answer; real gunicorn, real PostgreSQL, many labelers.

    python -m benchmarks.labeling [--quick] [--seconds 15] [--sizes 2000 100000] [--labelers 1 8 32] [--think-ms 0]

Starts its own PostgreSQL in a temporary folder, fills campaigns by SQL, signs labelers in, and lets each of them go
through tasks as the page does (one GET of the next task, one POST of the answer) without a pause between. Afterwards
it counts what must not be: comparisons judged more often than asked, annotators who judged one twice, answers lost.

The peer is Label Studio 1.23 on PostgreSQL 15 under gunicorn (2 processes × 8 threads), measured beforehand on the same
kind of machine (2 cores): loops a second at 1, 8 and 32 labelers, and the 95th percentile of a call.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parent.parent
PEER = {1: (8.6, None), 8: (13.4, None), 32: (10.9, 2200.0)}  # labelers → (loops/s, p95 of a call in ms)
FIELD = re.compile(r'name="(slot|token|key|leased_until)" value="([^"]*)"')
LENGTH = re.compile(rb"\r\nContent-Length: (\d+)", re.IGNORECASE)
FORM_HEADERS = "Content-Type: application/x-www-form-urlencoded\r\nAccept: application/json"
WARM_UP_SECONDS = 3.0


@dataclass
class Labeler:
    """One browser: a session, a connection, and what it measured."""

    port: int
    campaign: int
    cookies: str
    csrf: str
    rng: np.random.Generator
    num_loops: int = 0
    call_ms: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def work(self, until: float, think_seconds: float) -> None:
        """Go through tasks until the time is up."""
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while time.perf_counter() < until and not self.errors:
            fields = dict(FIELD.findall(self.call("GET", "next/?tab=benchmark&holding=")))
            if "slot" not in fields:
                self.errors.append("no task was left: the campaign is too small for this benchmark")
                return
            if think_seconds:
                time.sleep(think_seconds * self.rng.uniform(0.5, 1.5))
            order = [[0], [1]] if self.rng.random() < 0.5 else [[1], [0]]
            answer = {"tiers": order}
            posted = {**fields, "answer": json.dumps(answer), "active_ms": 900, "total_ms": 1000}
            self.call("POST", "submit/", urllib.parse.urlencode(posted))
            self.num_loops += 1
        self.socket.close()

    def call(self, method: str, path: str, body: str = "") -> str:
        """One request over the kept connection, with as little work of our own as can be: it runs on the same cores."""
        extra = FORM_HEADERS if method == "POST" else "X-Fragment: 1"
        head = (
            f"{method} /label/{self.campaign}/{path} HTTP/1.1\r\n"
            f"Host: 127.0.0.1:{self.port}\r\nCookie: {self.cookies}\r\n"
            f"X-CSRFToken: {self.csrf}\r\nContent-Length: {len(body)}\r\n{extra}\r\n\r\n"
        )
        began = time.perf_counter()
        self.socket.sendall((head + body).encode())
        status, text = self.receive()
        self.call_ms.append(1000 * (time.perf_counter() - began))
        if status >= 400:
            self.errors.append(f"{method} {path}: {status} {text[:300]}")
        return text

    def receive(self) -> tuple[int, str]:
        """Status and body of a reply that names its length."""
        received = self.socket.recv(65536)
        while b"\r\n\r\n" not in received:
            received += self.socket.recv(65536)
        head, _, body = received.partition(b"\r\n\r\n")
        named = LENGTH.search(head)
        assert named is not None, head
        while len(body) < int(named.group(1)):
            body += self.socket.recv(65536)
        return int(head[9:12]), body.decode()


def main() -> None:
    """Measure every size at every number of labelers and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2_000, 100_000])
    parser.add_argument("--labelers", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--think-ms", type=float, default=0.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=8)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seconds, arguments.sizes, arguments.labelers = 3.0, [500], [1, 8]
    with tempfile.TemporaryDirectory(prefix="concord-bench-") as folder:
        prepare(Path(folder))
        metrics = measure_all(arguments)
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    settings = {name: value for name, value in vars(arguments).items() if name != "quick"}
    print(json.dumps({"name": "labeling", "metrics": metrics, "settings": settings, "machine": machine}))


def prepare(folder: Path) -> None:
    """An empty installation of its own: PostgreSQL, tables, Django in this process."""
    os.environ.pop("DATABASE_URL", None)
    os.environ.pop("SECRET_KEY", None)
    os.environ["CONCORD_VAR_DIR"] = str(folder)
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    from core.embedded import provide_environment

    provide_environment()
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def measure_all(arguments: argparse.Namespace) -> dict[str, dict[str, Any]]:
    metrics: dict[str, dict[str, Any]] = {}
    server, port = start_server(arguments.workers, arguments.threads)
    try:
        for size in arguments.sizes:
            for num_labelers in arguments.labelers:
                one = measure(server, port, size, num_labelers, arguments)
                metrics |= {f"{name}_{size}x{num_labelers}": value for name, value in one.items()}
                print(json.dumps({"comparisons": size, "labelers": num_labelers, **plain(one)}), file=sys.stderr)
    finally:
        server.terminate()
        server.wait(20)
    return metrics


def measure(
    server: subprocess.Popen[bytes], port: int, size: int, num_labelers: int, arguments: argparse.Namespace
) -> dict[str, dict[str, Any]]:
    """One fresh campaign of this size, worked at by so many labelers at once."""
    campaign, sessions = fill(size, num_labelers)
    labelers = [
        Labeler(port, campaign, f"sessionid={session}; csrftoken={csrf}", csrf, np.random.default_rng(number))
        for number, (session, csrf) in enumerate(sessions)
    ]
    run(labelers, WARM_UP_SECONDS if not arguments.quick else 0.5, arguments.think_ms / 1000)
    for labeler in labelers:
        labeler.num_loops, labeler.call_ms = 0, []
    before, began = cpu_seconds(server), time.perf_counter()
    run(labelers, arguments.seconds, arguments.think_ms / 1000)
    seconds, used = time.perf_counter() - began, cpu_seconds(server) - before
    problems = [problem for labeler in labelers for problem in labeler.errors]
    assert not problems, problems[:3]
    check(campaign)
    num_loops = sum(labeler.num_loops for labeler in labelers)
    calls = np.concatenate([labeler.call_ms for labeler in labelers])
    rate, p95 = num_loops / seconds, float(np.percentile(calls, 95))
    peer_rate, peer_p95 = PEER.get(num_labelers, (None, None))
    return {
        "loops_per_second": metric(rate, "loops/s", peer_rate, rate / peer_rate if peer_rate else None),
        "call_p50": metric(float(np.median(calls)), "ms"),
        "call_p95": metric(p95, "ms", peer_p95, peer_p95 / p95 if peer_p95 else None),
        "python_ms_per_loop": metric(1000 * used / max(1, num_loops), "ms", 68.0, None),
    }


def run(labelers: list[Labeler], seconds: float, think_seconds: float) -> None:
    until = time.perf_counter() + seconds
    threads = [threading.Thread(target=labeler.work, args=(until, think_seconds)) for labeler in labelers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def start_server(workers: int, threads: int) -> tuple[subprocess.Popen[bytes], int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = [f"--bind=127.0.0.1:{port}", f"--workers={workers}", f"--threads={threads}", "--log-level=error"]
    command = [sys.executable, "-m", "gunicorn", "config.wsgi", *options]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return server, port
        time.sleep(0.1)
    raise SystemExit("gunicorn did not start within 60 s")


def cpu_seconds(server: subprocess.Popen[bytes]) -> float:
    """User and system time of all server processes so far."""
    times = [child.cpu_times() for child in psutil.Process(server.pid).children(recursive=True)]
    return sum(one.user + one.system for one in times)


def fill(size: int, num_labelers: int) -> tuple[int, list[tuple[str, str]]]:
    """A campaign of `size` comparisons (five completions a prompt, ten pairs, two judgments each) and its labelers."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore
    from django.db import connection

    from accounts.models import Membership, User, Workspace
    from annotation import question, services

    name = secrets.token_hex(4)
    workspace = Workspace.objects.create(name=name)
    campaign = services.create_campaign(workspace=workspace, name=name, question=question.pairwise(), overlap=2)
    fill_by_sql(workspace.pk, campaign.pk, -(-size // 10), name)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    services.set_status(campaign=campaign, status="open")
    sessions = []
    for number in range(num_labelers):
        user = User.objects.create_user(username=f"{name}-{number}", password=secrets.token_urlsafe())
        Membership.objects.create(user=user, workspace=workspace, role=Membership.Role.LABELER)
        services.enrol(campaign=campaign, annotator=services.person_annotator(workspace=workspace, user=user))
        store = SessionStore()
        store[SESSION_KEY], store[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
        store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        store.save()
        sessions.append((str(store.session_key), secrets.token_hex(16)))
    return campaign.pk, sessions


def fill_by_sql(workspace: int, campaign: int, num_prompts: int, name: str) -> None:
    """Prompts, completions of two models, comparisons, candidates and slots, set-based."""
    from django.db import connection

    from generation.models import LanguageModel, PromptSet

    prompt_set = PromptSet.objects.create(workspace_id=workspace, name=name)
    model = LanguageModel.objects.create(workspace_id=workspace, name=name, source="hub", location="bench/model")
    words = "Explain in two sentences how a tide comes about, for somebody who has never seen the sea. "
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO generation_prompt (prompt_set_id, messages, fingerprint, tags, reference, is_sensitive) "
            "SELECT %s, jsonb_build_array(jsonb_build_object('role', 'user', 'content', %s || n)), "
            "encode(sha256((%s || n)::bytea), 'hex'), '[]', '', FALSE FROM generate_series(1, %s) AS n",
            [prompt_set.pk, words, name, num_prompts],
        )
        insert_completions(prompt_set.pk, model.pk)
        cursor.execute(
            "INSERT INTO annotation_comparison (campaign_id, prompt_id, num_completions, fingerprint, priority, "
            "pair_key, categories, gold_note, is_qualification, created_at) "
            "SELECT %s, one.prompt_id, 2, encode(sha256((one.id || ',' || other.id)::bytea), 'hex'), 0, 17, '{}', '', "
            "FALSE, now() FROM generation_completion one JOIN generation_completion other "
            "ON other.prompt_id = one.prompt_id AND other.id > one.id "
            "JOIN generation_prompt prompt ON prompt.id = one.prompt_id WHERE prompt.prompt_set_id = %s",
            [campaign, prompt_set.pk],
        )
        insert_candidates(cursor, campaign)
        cursor.execute(
            "INSERT INTO annotation_slot (campaign_id, comparison_id, purpose, number, priority, score, pair_key, "
            "display_order, is_block_open, served_because, question_version, wants_rationale, tab) "
            "SELECT %s, comparison.id, 'main', number, 0, 0, 17, '{}', FALSE, '', 1, FALSE, '' "
            "FROM annotation_comparison comparison, generate_series(0, 1) AS number WHERE comparison.campaign_id = %s "
            "ORDER BY comparison.id, number",
            [campaign, campaign],
        )


def insert_completions(prompt_set: int, model: int) -> None:
    """Five completions of about 400 characters a prompt; columns without a default are taken from the model."""
    from generation.models import Completion, Prompt

    prompts = Prompt.objects.filter(prompt_set=prompt_set).order_by("pk")
    sentence = "The moon pulls at the water and the water follows, a little late, as the earth turns below it. "
    Completion.objects.bulk_create(
        (
            Completion(
                prompt=prompt,
                model_id=model,
                origin=Completion.Origin.IMPORTED,
                index=index,
                text=f"{index}. {sentence * 4}{prompt.pk}",
            )
            for prompt in prompts.iterator()
            for index in range(5)
        ),
        batch_size=2000,
    )


def insert_candidates(cursor: Any, campaign: int) -> None:
    """Both completions of each comparison, found again by its fingerprint."""
    cursor.execute(
        "INSERT INTO annotation_candidate (comparison_id, completion_id, position) "
        "SELECT comparison.id, placed.completion, placed.position FROM annotation_comparison comparison "
        "JOIN generation_completion one ON one.prompt_id = comparison.prompt_id "
        "JOIN generation_completion other ON other.prompt_id = one.prompt_id AND other.id > one.id "
        "AND comparison.fingerprint = encode(sha256((one.id || ',' || other.id)::bytea), 'hex') "
        "CROSS JOIN LATERAL (VALUES (one.id, 0), (other.id, 1)) AS placed (completion, position) "
        "WHERE comparison.campaign_id = %s",
        [campaign],
    )


def check(campaign: int) -> None:
    """What must never be, is not."""
    from django.db.models import Count, F

    from annotation.models import Comparison, Judgment, Slot

    judged = Judgment.objects.filter(comparison__campaign=campaign)
    twice = judged.values("comparison", "annotator").annotate(n=Count("pk")).filter(n__gt=1)
    assert not twice.exists(), "an annotator judged a comparison twice"
    counted = Comparison.objects.filter(campaign=campaign).annotate(n=Count("judgments"))
    assert not counted.filter(n__gt=2).exists(), "a comparison was judged more often than asked"
    filled = Slot.objects.filter(campaign=campaign, judged_at__isnull=False).count()
    assert filled == judged.count(), "a slot counts as judged without a judgment"
    assert not Slot.objects.filter(campaign=campaign, judged_at__lt=F("served_at")).exists()


def metric(value: float, unit: str, peer: float | None = None, ratio: float | None = None) -> dict[str, Any]:
    name = "Label Studio 1.23" if peer is not None else None
    return {"value": value, "unit": unit, "peer": name, "peer_value": peer, "ratio": ratio}


def plain(metrics: dict[str, dict[str, Any]]) -> dict[str, float]:
    return {name: round(one["value"], 2) for name, one in metrics.items()}


if __name__ == "__main__":
    main()
