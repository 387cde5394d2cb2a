"""How fast judgments leave, and how much memory that takes.

    python -m benchmarks.export [--quick] [--judgments N] [--rounds N]

Starts a PostgreSQL of its own in a temporary folder, fills it by SQL with 1,000,000 judgments (200,000 comparisons of
two replies, five judgments each, stored in the order in which coverage serves them; texts as long as those of hh-rlhf),
and exports them in every format through the generators that command, REST and page use. Each export runs in a process
of its own, which measures rows a second, its own processor time, and by how much its memory peaks above what it had
before (with ten rows exported, so that the libraries are loaded: pyarrow alone takes 80 MB with its first column). The
formats take turns; values are medians.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FORMATS = ("jsonl", "csv", "parquet")
OVERLAP = 5
NUM_ANNOTATORS = 120
WANTED_ROWS_PER_SECOND, WANTED_GROWTH_MB = 20_000, 100

# Texts of hh-rlhf's average lengths: 486 characters of prompt, 168 and 211 of reply; different in every row.
FILL = """
INSERT INTO accounts_workspace (id, name, created_at) VALUES (1, 'Benchmark', now());
INSERT INTO generation_promptset (id, workspace_id, name, description, source, licence, held_out_fraction, created_at)
VALUES (1, 1, 'Prompts', '', '', '', 0.1, now());
INSERT INTO generation_prompt (id, prompt_set_id, messages, fingerprint, tags, reference, is_sensitive)
SELECT n, 1, jsonb_build_array(jsonb_build_object(
           'role', 'user', 'content', rpad('Question ' || n || ': ', 486, md5(n::text) || ' "why" ü ')
       )),
       encode(sha256(n::text::bytea), 'hex'), '[]', '', false
FROM generate_series(1, %(comparisons)s) AS n;
INSERT INTO generation_completion (id, prompt_id, origin, index, text, finish_reason, model_revision, created_at)
SELECT 2 * n + side, n, 'imported', side,
       rpad('Reply ' || n || ' ', CASE side WHEN 0 THEN 168 ELSE 211 END, md5((n * 7 + side)::text) || E' because\\n'),
       '', '', now()
FROM generate_series(1, %(comparisons)s) AS n, generate_series(0, 1) AS side;
INSERT INTO annotation_comparison (id, campaign_id, prompt_id, num_completions, fingerprint, pair_key, categories,
                                   gold_note, is_qualification, priority, created_at)
SELECT n, %(campaign)s, n, 2, encode(sha256(('c' || n)::bytea), 'hex'), 0, '{}', '', false, 0, now()
FROM generate_series(1, %(comparisons)s) AS n;
INSERT INTO annotation_candidate (comparison_id, completion_id, position)
SELECT n, 2 * n + side, side FROM generate_series(1, %(comparisons)s) AS n, generate_series(0, 1) AS side;
"""


@contextmanager
def database(folder: Path) -> Iterator[None]:
    """A PostgreSQL of this run alone, with Django set up on it; both are gone afterwards."""
    os.environ.update(CONCORD_VAR_DIR=str(folder), DJANGO_SETTINGS_MODULE="config.settings")
    os.environ.pop("DATABASE_URL", None)
    from core.embedded import provide_environment

    provide_environment()
    set_up()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    try:
        yield
    finally:
        connection.close()


def set_up() -> None:
    import django
    from django.conf import settings

    django.setup()
    settings.LOGGING_CONFIG = None


def fill(num_comparisons: int) -> int:
    """Campaign, comparisons and judgments; returns the campaign's id."""
    from django.db import connection

    from accounts.models import Workspace
    from annotation.models import Annotator, Campaign, Comparison, Judgment, Slot
    from annotation.question import pairwise

    statements = FILL.split(";\n")
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        cursor.execute(statements[0])
        workspace = Workspace.objects.get()
        campaign = Campaign.objects.create(
            workspace=workspace, name="Export", status="closed", question=pairwise().to_json(), overlap=OVERLAP
        )
        annotators = Annotator.objects.bulk_create(
            Annotator(workspace=workspace, kind="imported", name=f"annotator {n}") for n in range(NUM_ANNOTATORS)
        )
        values = {"comparisons": num_comparisons, "campaign": campaign.pk}
        for statement in statements[1:]:
            if statement.strip():
                cursor.execute(statement, values)
        first = Comparison.objects.get(pk=1)
        slot = Slot(campaign=campaign, comparison=first, annotator=annotators[0], display_order=[0, 1])
        judgment = Judgment(
            comparison=first, annotator=annotators[0], display_order=[0, 1], answer={"tiers": [[0], [1]]}
        )
        names = "(%(annotator)s + (n + round) %% %(annotators)s)"
        number = "(round * %(comparisons)s + n)"
        values |= {"annotator": annotators[0].pk, "annotators": NUM_ANNOTATORS, "rounds": OVERLAP}
        changed = {"comparison_id": "n", "annotator_id": names, "created_at": "now()"}
        _copies(cursor, slot, {**changed, "id": number, "number": "round", "judged_at": "now()"}, values)
        answer = """CASE WHEN n %% 5 = 0 THEN '{"tiers": [[0, 1]]}' WHEN n %% 2 = 0 THEN '{"tiers": [[1], [0]]}'
                    ELSE '{"tiers": [[0], [1]], "rationale": "It says more about what was asked."}' END::jsonb"""
        keys = {"id": number, "slot_id": number, "idempotency_key": f"'key ' || {number}", "answer": answer}
        _copies(cursor, judgment, {**changed, **keys}, values)
        cursor.execute("ANALYZE")
    return int(campaign.pk)


def _copies(cursor: Any, row: Any, changed: dict[str, str], values: dict[str, Any]) -> None:
    """A row for each comparison and round like `row`, but for the changed columns (SQL over n and round)."""
    from django.db import connection
    from django.db.models.expressions import DatabaseDefault

    columns, terms, values = [], [], dict(values)
    for field in row._meta.concrete_fields:
        value = getattr(row, field.attname)
        if field.column in changed:
            term = changed[field.column]
        elif isinstance(value, DatabaseDefault):
            continue
        else:
            values[field.column] = field.get_db_prep_save(value, connection)
            term = f"%({field.column})s"
            if field.get_internal_type() == "ArrayField":
                term += f"::{field.db_type(connection)}"
        columns.append(f'"{field.column}"')
        terms.append(term)
    cursor.execute(
        f"INSERT INTO {row._meta.db_table} ({', '.join(columns)}) SELECT {', '.join(terms)} "  # noqa: S608 -- our own
        "FROM generate_series(0, %(rounds)s - 1) AS round, generate_series(1, %(comparisons)s) AS n",
        values,
    )


def export_here(file_format: str, campaign_id: int) -> None:
    """In a process of its own: export everything to nowhere and print what it took."""
    set_up()
    from annotation.judgment_export import rows
    from annotation.judgment_export.formats import PIECES
    from annotation.judgment_export.rows import ExportFilter, Row, export_pages

    wanted = ExportFilter(campaigns=[campaign_id])
    num_rows, page, rows.PAGE = 0, rows.PAGE, 10
    for _ in PIECES[file_format]([next(export_pages(wanted))]):
        pass
    rows.PAGE = page

    def counted(pages: Iterator[list[Row]]) -> Iterator[list[Row]]:
        nonlocal num_rows
        for page in pages:
            num_rows += len(page)
            yield page

    before = _peak_mb()
    started, worked = time.perf_counter(), time.process_time()
    num_bytes = sum(map(len, PIECES[file_format](counted(export_pages(wanted)))))
    took = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - worked}
    print(json.dumps({"rows": num_rows, "bytes": num_bytes, "growth_mb": _peak_mb() - before, **took}))


def _peak_mb() -> float:
    """The most memory that this process has had so far, in MB."""
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kib / 1000 if sys.platform != "darwin" else kib / 1_000_000


def measure(campaign_id: int, num_rounds: int, num_judgments: int) -> dict[str, list[dict[str, float]]]:
    """format → what each round took; the formats take turns."""
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in FORMATS}
    for number in range(num_rounds):
        for name in FORMATS:
            command = [sys.executable, "-m", "benchmarks.export", "--export", name, "--campaign", str(campaign_id)]
            run = subprocess.run(command, check=True, capture_output=True, text=True)
            found = json.loads(run.stdout.splitlines()[-1])
            assert found["rows"] == num_judgments, f"{found['rows']} rows of {num_judgments} came out"
            measured[name].append(found)
            print(
                f"round {number + 1} {name:8} {found['rows'] / found['seconds']:9,.0f} rows/s "
                f"{found['bytes'] / 1e6:8,.1f} MB  memory +{found['growth_mb']:.1f} MB",
                flush=True,
            )
    return measured


def metrics(measured: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, Any]]:
    """Medians in the form of all benchmarks; there is no peer that was measured here."""
    found: dict[str, dict[str, Any]] = {}
    for name, rounds in measured.items():
        values = {
            "rows_per_second": (statistics.median(one["rows"] / one["seconds"] for one in rounds), "rows/s"),
            "rows_per_cpu_second": (statistics.median(one["rows"] / one["cpu_seconds"] for one in rounds), "rows/s"),
            "memory_growth": (statistics.median(one["growth_mb"] for one in rounds), "MB"),
            "bytes_per_row": (statistics.median(one["bytes"] / one["rows"] for one in rounds), "bytes"),
        }
        for word, (value, unit) in values.items():
            found[f"{name}_{word}"] = {
                "value": round(value, 1),
                "unit": unit,
                "peer": None,
                "peer_value": None,
                "ratio": None,
            }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="50,000 judgments, once: under a minute")
    parser.add_argument("--judgments", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=None)
    parser.add_argument("--export", choices=FORMATS, help=argparse.SUPPRESS)
    parser.add_argument("--campaign", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.export:
        export_here(chosen.export, chosen.campaign)
        return
    num_judgments = chosen.judgments or (50_000 if chosen.quick else 1_000_000)
    num_rounds = chosen.rounds or (1 if chosen.quick else 3)
    num_comparisons = num_judgments // OVERLAP
    with tempfile.TemporaryDirectory() as folder, database(Path(folder)):
        started = time.perf_counter()
        campaign_id = fill(num_comparisons)
        print(f"{num_comparisons * OVERLAP:,} judgments stored in {time.perf_counter() - started:.0f} s", flush=True)
        measured = measure(campaign_id, num_rounds, num_comparisons * OVERLAP)
    print(
        json.dumps(
            {
                "name": "export",
                "metrics": metrics(measured),
                "settings": {
                    "judgments": num_comparisons * OVERLAP,
                    "comparisons": num_comparisons,
                    "rounds": num_rounds,
                    "quick": chosen.quick,
                    "wanted_rows_per_second": WANTED_ROWS_PER_SECOND,
                    "wanted_growth_mb": WANTED_GROWTH_MB,
                },
                "machine": {
                    "processor": platform.processor() or platform.machine(),
                    "cores": os.cpu_count(),
                    "python": platform.python_version(),
                },
            }
        )
    )


if __name__ == "__main__":
    main()
