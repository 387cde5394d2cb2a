"""How fast a sampling run gets candidates out of vLLM, beside vLLM's own client.

    python -m benchmarks.generation [--quick] [--prompts N] [--rounds N] [--model FOLDER]

Starts a PostgreSQL and a vLLM server (`make vllm`) of its own, with a Llama of 5 million random weights, and samples
256 prompts × 4 replies × 128 tokens: once as a sampling run (HTTP, parsing, checks, rows in the database, marking of
duplicates, refusals and languages), once with the `openai` client that vLLM's environment brings, which sends the same
requests and only counts. Both keep 64 requests in flight. They take turns, each starting every other round, with new
seeds in every round. Values are medians, and so is the ratio: of the ratios of the rounds, whose two sides ran within
a minute of each other.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.export import database

NUM_COMPLETIONS, CONCURRENCY = 4, 64
WANTED_RATIO = 0.9
SENTENCE = "why does the small grey cat jump over a wooden fence when rain begins to fall on green hills"

# Runs with vLLM's Python: nothing of Concord is there.
PEER = """
import asyncio, json, sys, time
from openai import AsyncOpenAI

async def main(work):
    client = AsyncOpenAI(base_url=work["url"], api_key="none", timeout=600)
    gate = asyncio.Semaphore(work["concurrency"])
    async def ask(body):
        async with gate:
            reply = await client.chat.completions.create(**body)
            return len(reply.choices), reply.usage.completion_tokens
    started = time.perf_counter()
    counts = await asyncio.gather(*(ask(body) for body in work["bodies"]))
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "replies": sum(a for a, _ in counts), "tokens": sum(b for _, b in counts)}))

asyncio.run(main(json.load(sys.stdin)))
"""


def prompts(count: int) -> list[list[dict[str, str]]]:
    """Questions of about twenty tokens, all different."""
    words = SENTENCE.split()
    return [
        [{"role": "user", "content": f"{number}: " + " ".join(words[(number + i) % len(words)] for i in range(12))}]
        for number in range(count)
    ]


def build_model(folder: Path) -> Path:
    """A Llama of 5 million random weights: 6 layers of 256 channels, 1,024 tokens."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from tests.generation.engines.tiny_model import build_tokenizer, save

    tokenizer = build_tokenizer([SENTENCE] * 8, vocab_size=1024)
    config = LlamaConfig(
        vocab_size=1024,
        hidden_size=256,
        intermediate_size=704,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=1024,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        tie_word_embeddings=True,
    )
    save(folder, LlamaForCausalLM(config), tokenizer)
    return folder


def ours(run_of: Any, seed: int) -> dict[str, float]:
    """One sampling run, from its start to its last row."""
    from django.db.models import Sum

    from core import jobs
    from generation import runner
    from generation.models import SamplingRun

    pk = run_of(seed).pk
    run = jobs.claim(SamplingRun, pk)
    assert run is not None
    started, busy = time.perf_counter(), time.process_time()
    runner.sample(run)
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    assert run.diversities.count() == run.num_total, "not every prompt is marked"
    rows = run.completions.all()
    tokens = rows.aggregate(tokens=Sum("num_tokens"))["tokens"]
    return {"seconds": seconds, "busy": busy, "replies": rows.count(), "tokens": tokens}


def peer(python: Path, server: Any, conversations: list[Any], max_tokens: int, seed: int) -> dict[str, float]:
    """The same requests with vLLM's client."""
    from generation.engines.base import SamplingParameters
    from generation.engines.openai_protocol import chat_request, request_seed

    bodies = [
        chat_request(
            server.served_name,
            conversation,
            num_choices=NUM_COMPLETIONS,
            parameters=SamplingParameters(max_new_tokens=max_tokens, seed=request_seed(seed, conversation)),
        )
        for conversation in conversations
    ]
    work = json.dumps({"url": f"{server.url}/v1", "concurrency": CONCURRENCY, "bodies": bodies})
    done = subprocess.run([str(python), "-c", PEER], input=work, capture_output=True, text=True, check=False)
    if done.returncode:
        server.check()
        raise SystemExit(f"vLLM's client failed:\n{done.stderr[-2000:]}\n{server.log.read_text()[-3000:]}")
    return dict(json.loads(done.stdout))


def measure(folder: Path, num_prompts: int, max_tokens: int, rounds: int) -> dict[str, list[dict[str, float]]]:
    from django.conf import settings

    from accounts.models import Workspace
    from generation import services, serving, vllm_command
    from generation.models import SamplingRun
    from generation.prompt_lines import parse_prompt
    from generation.services import ArmSpec

    conversations = prompts(num_prompts)
    workspace = Workspace.objects.create(name="Benchmark")
    prompt_set = services.create_prompt_set(workspace=workspace, name="Questions")
    services.add_prompts(prompt_set=prompt_set, prompts=[parse_prompt({"messages": one}) for one in conversations])
    model = services.register_model(workspace=workspace, name="llama", source="folder", location=str(folder))
    python = vllm_command.find_install(settings.VLLM_DIR).python
    measured: dict[str, list[dict[str, float]]] = {"ours": [], "peer": []}
    with serving.managed_server(model) as server:
        served = serving.register(model, server)

        def run_of(seed: int) -> SamplingRun:
            arm = ArmSpec(model=served, num_completions=NUM_COMPLETIONS, max_new_tokens=max_tokens)
            name = f"Run {seed}"
            return services.start_sampling_run(
                workspace=workspace, name=name, prompt_set=prompt_set, arms=[arm], seed=seed
            )

        peer(python, server, conversations[:CONCURRENCY], 16, seed=0)  # warm-up
        for number in range(1, rounds + 1):
            sides = [
                ("ours", lambda seed=2 * number: ours(run_of, seed)),
                ("peer", lambda seed=2 * number + 1: peer(python, server, conversations, max_tokens, seed)),
            ]
            for name, take in sides if number % 2 else sides[::-1]:
                measured[name].append(take())
                print(name, {key: round(value, 2) for key, value in measured[name][-1].items()}, flush=True)
    return measured


def metrics(measured: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    def rates(side: str, key: str) -> list[float]:
        return [one[key] / one["seconds"] for one in measured[side]]

    found = {}
    for name, key in (("candidates_per_second", "replies"), ("tokens_per_second", "tokens")):
        values, others = rates("ours", key), rates("peer", key)
        ratios = [value / other for value, other in zip(values, others, strict=True)]
        found[name] = {
            "value": round(statistics.median(values), 2),
            "unit": f"{key}/s",
            "peer": "openai client of vLLM's environment",
            "peer_value": round(statistics.median(others), 2),
            "ratio": round(statistics.median(ratios), 3),
            "ratio_of_each_round": [round(ratio, 3) for ratio in ratios],
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="64 prompts × 4 × 32 tokens, once: about a minute")
    parser.add_argument("--prompts", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=None)
    parser.add_argument("--model", type=Path, default=None, help="a model folder instead of the random Llama")
    chosen = parser.parse_args()
    num_prompts = chosen.prompts or (64 if chosen.quick else 256)
    max_tokens = 32 if chosen.quick else 128
    rounds = chosen.rounds or (1 if chosen.quick else 3)
    with tempfile.TemporaryDirectory() as folder, database(Path(folder)):
        model = chosen.model or build_model(Path(folder) / "llama")
        measured = measure(model, num_prompts, max_tokens, rounds)
    print(
        json.dumps(
            {
                "name": "generation",
                "metrics": metrics(measured),
                "settings": {
                    "prompts": num_prompts,
                    "completions": NUM_COMPLETIONS,
                    "max_tokens": max_tokens,
                    "concurrency": CONCURRENCY,
                    "rounds": rounds,
                    "quick": chosen.quick,
                    "wanted_ratio": WANTED_RATIO,
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
