"""PPO through a real vLLM, started once: a tiny Llama whose head is tied to its embedding, 32-bit floats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import psutil
import pytest
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from tests.training.algorithms.builders import ROOT, WORDS, ask, reward_model, tokeniser
from training.algorithms import vllm_sampler
from training.algorithms.config import PPOConfig
from training.algorithms.models import load_language_model
from training.algorithms.ppo import ppo_step
from training.algorithms.ppo_update import Update
from training.algorithms.rollout import Networks, gap_of, roll_out
from training.algorithms.samplers import SamplerDisagrees, prompt_seeds
from training.algorithms.vllm_sampler import HEAD, VllmSampler, untied_weights

pytestmark = pytest.mark.vllm

PYTHON = ROOT / ".venv-vllm/bin/python"
PROMPTS = [tokeniser().prompt(ask(f"Say {word}.")) for word in WORDS]
CONFIG = PPOConfig(
    batch_size=8,
    num_minibatches=2,
    num_critic_warmup=1,
    warmup_steps=0,
    learning_rate=3e-3,
    temperature=0.8,
    max_completion_tokens=12,
    max_prompt_tokens=40,
    max_update_kl=10.0,
)
EXACT = 2e-5  # mean nats a token that 32-bit floats of two engines differ here


@dataclass(kw_only=True)
class Trained:
    """Policy, critic and vLLM, and what each step measured."""

    update: Update
    sampler: VllmSampler
    steps: list[dict[str, float]]

    def roll_out(self, step: int) -> tuple[list[tuple[int, ...]], float]:
        """The completions of a rollout, and how far both sides lie apart."""
        seeds = prompt_seeds(0, step, len(PROMPTS))
        rollout = roll_out(self.update.networks, PROMPTS, CONFIG, self.sampler, seeds=seeds)
        return [tree.completions[0] for tree in rollout.trees], gap_of(rollout)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    if not PYTHON.exists():
        pytest.skip("There is no vLLM here: make vllm")
    folder = tmp_path_factory.mktemp("rollouts")
    save_tied_model(folder / "policy")
    chat = tokeniser()
    networks = Networks(
        policy=load_language_model(folder / "policy"),
        reference=load_language_model(folder / "policy"),
        reward=reward_model(folder / "judge"),
        critic=reward_model(folder / "critic"),
        stop_id=chat.stop_id,
        pad_id=chat.pad_id,
    )
    sampler = VllmSampler(
        python=PYTHON,
        folder=folder / "rollout",
        log=folder / "vllm.log",
        policy=networks.policy,
        config=CONFIG,
        stop_id=chat.stop_id,
        num_threads=1,
        report=pytest.fail,
    )
    sampler.renew()
    made = Trained(update=Update(networks=networks, config=CONFIG), sampler=sampler, steps=[])
    numbers = {"beta": CONFIG.beta}
    for step in range(4):
        seeds = prompt_seeds(0, step, len(PROMPTS))
        made.steps.append(ppo_step(made.update, PROMPTS, numbers, sampler, seeds=seeds, step=step, num_steps=4))
    yield made
    pid = sampler.pid
    assert pid is not None
    sampler.close()
    assert not psutil.pid_exists(pid)
    assert not (folder / "rollout").exists()


def save_tied_model(folder: Path) -> None:
    torch.manual_seed(0)
    tokenizer = tokeniser().tokenizer
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        tie_word_embeddings=True,
        initializer_range=0.2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def test_both_sides_agree_before_and_after_every_change_of_the_weights(trained: Trained) -> None:
    assert trained.steps[0]["kl"] == pytest.approx(0.0, abs=1e-5)
    assert trained.steps[1]["kl"] == pytest.approx(0.0, abs=1e-5)  # the first rollout trained the critic alone
    assert trained.steps[3]["kl"] != pytest.approx(0.0, abs=0.1)
    for step in trained.steps:
        assert step["sampler_gap"] < EXACT
        assert step["first_ratio"] == pytest.approx(1.0, abs=1e-4)


def test_a_completion_ends_with_its_first_stop_token(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = prompt_seeds(0, 4, len(PROMPTS))
    drawn = trained.sampler.sample(PROMPTS, seeds=seeds).completions
    whole = {place: one for place, one in enumerate(drawn) if len(one) == CONFIG.max_completion_tokens}
    stop_id = next(iter(whole.values()))[5]
    monkeypatch.setattr(trained.sampler, "stop_id", stop_id)
    cut = trained.sampler.sample(PROMPTS, seeds=seeds)
    expected = {place: one[: one.index(stop_id) + 1] if stop_id in one else one for place, one in whole.items()}
    assert {place: cut.completions[place] for place in whole} == expected
    assert expected != whole
    assert cut.logps is not None
    assert [len(logps) for logps in cut.logps] == [len(completion) for completion in cut.completions]


def test_the_same_seeds_draw_the_same_completions_and_others_do_not(trained: Trained) -> None:
    first, again, other = trained.roll_out(5), trained.roll_out(5), trained.roll_out(6)
    assert first == again
    assert first[0] != other[0]


def test_a_head_that_stays_behind_is_caught(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = trained.update.networks.policy
    old = untied_weights(policy)
    with torch.no_grad():
        cast(Tensor, policy.network.get_input_embeddings().weight).mul_(
            1.3
        )  # and with it the head, which is tied to it
    with monkeypatch.context() as patch:
        patch.setattr(vllm_sampler, "untied_weights", lambda model: {**untied_weights(model), HEAD: old[HEAD]})
        patch.setattr(trained.sampler, "renew", trained.sampler.policy_changed)  # so that it stays behind
        trained.sampler.policy_changed()
        with pytest.raises(SamplerDisagrees, match="nats apart on average"):
            trained.roll_out(7)
    trained.sampler.policy_changed()
    assert trained.roll_out(7)[1] < EXACT
