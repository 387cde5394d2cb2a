"""Proximal policy optimisation against a reward model, with a KL penalty to the frozen initial model.

Its loop is its own, because its data are made as it goes: roll out, shape rewards, estimate advantages, update
policy and critic (`ppo_update.py`). A step is one rollout with its update.

C completions of a rollout, L longest completion.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import torch
from transformers import PreTrainedTokenizerFast

from training.algorithms.advantages import (
    explained_variance,
    generalised_advantages,
    masked_mean,
    shaped_rewards,
    whitened,
)
from training.algorithms.config import PPOConfig, require
from training.algorithms.devices import peak_memory_mb
from training.algorithms.divergence import adapted_beta, kl_k1, kl_k3
from training.algorithms.ensembles import variance_over_members
from training.algorithms.examples import read_prompts
from training.algorithms.held_out_judge import held_out_judge, is_ended_by_judge
from training.algorithms.loop import batch_order, check_loss, is_due, is_out_of_time, planned_steps
from training.algorithms.models import (
    LanguageModel,
    RewardModel,
    critic_beside,
    load_critic,
    load_language_model,
    load_reward_model,
    with_adapter,
)
from training.algorithms.optimiser import scheduled_rate
from training.algorithms.ppo_guards import new_signs
from training.algorithms.ppo_update import Targets, Update
from training.algorithms.preparation import largest_pass, prepare
from training.algorithms.rollout import Networks, Rollout, gap_of, roll_out
from training.algorithms.rollout_engines import rollout_sampler
from training.algorithms.running_scores import include_scores, normalised_scores
from training.algorithms.samplers import Sampler, prompt_seeds
from training.algorithms.samples import write_samples
from training.algorithms.session import Session, Trainables
from training.algorithms.start import (
    chat_tokeniser,
    check_context,
    check_same_tokenizer,
    initial_model,
    report_truncation,
    reward_model_folder,
)

Prompt = tuple[int, ...]


def train_ppo(session: Session, config: PPOConfig) -> None:
    """Run an order of algorithm ppo."""
    require(session.team.size == 1, "PPO runs in one process. Start it without a launcher of several.")
    data = read_prompts(session.data)
    start, judge = initial_model(session), reward_model_folder(session)
    tokeniser = chat_tokeniser(start, config)
    check_same_tokenizer(tokeniser.tokenizer, judge)
    policy, reference, critic = trained_networks(start, judge, config, session)
    networks = Networks(
        policy=policy,
        reference=reference,
        reward=load_reward_model(judge, dtype=config.dtype, device=session.device),
        critic=critic,
        stop_id=tokeniser.stop_id,
        pad_id=tokeniser.pad_id,
    )
    check_context(networks.policy.network, config)
    check_ensemble(networks.reward, config)
    prompts = [tokeniser.prompt(prompt) for prompt in data.train]
    held_out = [tokeniser.prompt(prompt) for prompt in data.held_out[: config.eval_examples]]
    report_truncation(session, tokeniser)

    judge_held_out = held_out_judge(session, tokeniser, data.held_out[: config.eval_examples])
    order = batch_order([len(prompt) for prompt in prompts], config, seed=session.spec.seed)
    num_steps = planned_steps(config, order.num_batches)
    engine = rollout_sampler(
        networks.policy,
        config,
        session,
        stop_id=tokeniser.stop_id,
        pad_id=tokeniser.pad_id,
        num_rollouts=num_steps,
    )
    with engine as sampler:

        def evaluate(step: int) -> dict[str, float]:
            write_samples(session.events, networks.policy, tokeniser, data.held_out[: config.num_samples], step=step)
            if not held_out:
                return {}
            values = evaluate_ppo(networks, held_out, config, sampler, judge_held_out)
            session.events.evaluation(step=step, num_steps=num_steps, values=values)
            return values

        improve(networks, prompts, tokeniser.tokenizer, config, session, sampler, evaluate)


def trained_networks(
    start: str, judge: str, config: PPOConfig, session: Session
) -> tuple[LanguageModel, LanguageModel, RewardModel]:
    """Policy, reference and critic: three networks, or with LoRA one that holds two adapters and is the reference."""
    seed, device = session.spec.seed, session.device
    whole = load_language_model(start, dtype=config.dtype, device=device)
    policy = with_adapter(whole, config.lora, base=start, seed=seed)
    if policy.adapter is not None:
        return policy, policy.reference, critic_beside(policy, seed=seed + 1)
    reference = load_language_model(start, dtype=config.dtype, device=device)
    return policy, reference, load_critic(judge, dtype=config.dtype, device=device)


def improve(
    networks: Networks,
    prompts: Sequence[Prompt],
    tokenizer: PreTrainedTokenizerFast,
    config: PPOConfig,
    session: Session,
    sampler: Sampler,
    evaluate: Callable[[int], dict[str, float]],
) -> None:
    """The loop: rollouts and updates to the end or until stopped; leaves checkpoints and events."""
    largest = largest_pass([len(prompt) + config.max_completion_tokens for prompt in prompts], config)
    for trained in dict.fromkeys((networks.policy.network, networks.critic.network)):  # with adapters it is one
        prepare(trained, config, num_tokens=largest, team=session.team, report=session.events.log)
    numbers = {"beta": config.beta}
    update = Update(networks=networks, config=config, report=session.events.log, numbers=numbers)
    trainables = Trainables(
        model=networks.policy,
        tokenizer=tokenizer,
        optimisers={"optimizer": update.policy_optimiser, "critic_optimizer": update.critic_optimiser},
        side_models={"critic": networks.critic},
        numbers=numbers,
    )
    order = batch_order([len(prompt) for prompt in prompts], config, seed=session.spec.seed)
    num_steps = planned_steps(config, order.num_batches)
    done = session.resume(trainables)
    sampler.policy_changed()
    measured = -1  # steps done at the last evaluation
    if done == 0 and config.eval_every:
        is_ended_by_judge(config, evaluate(0), numbers, session)
    while done < num_steps:
        session.stop_if_asked(trainables, step=done)
        batch = [prompts[i] for i in order.batch(done)]
        seeds = prompt_seeds(session.spec.seed, done, len(batch))
        values = ppo_step(update, batch, trainables.numbers, sampler, seeds=seeds, step=done, num_steps=num_steps)
        done += 1
        session.events.step(step=done, num_steps=num_steps, values=values)
        if is_out_of_time(config, session) or is_kl_over_cap(config, values["kl"], session):
            break
        if is_guard_tripped(config, values, trainables.numbers, session):
            break
        if is_due(done, config.eval_every) and done < num_steps:
            measured = done
            if is_ended_by_judge(config, evaluate(done), numbers, session):
                break
        if is_due(done, config.checkpoint_every) and done < num_steps:
            session.save(trainables, step=done)
    if measured < done:
        is_ended_by_judge(config, evaluate(done), numbers, session)
    session.save(trainables, step=done, is_final=True)


def ppo_step(
    update: Update,
    prompts: Sequence[Prompt],
    numbers: dict[str, float],
    sampler: Sampler,
    *,
    seeds: Sequence[int],
    step: int,
    num_steps: int,
) -> dict[str, float]:
    """One rollout and its update. `numbers` are the running score statistics and beta, changed in place."""
    config = update.config
    started = time.perf_counter()
    rollout = roll_out(update.networks, prompts, config, sampler, seeds=seeds)
    include_scores(numbers, rollout.scores_C)
    targets = targets_of(rollout, numbers, config)
    rates = {
        name: scheduled_rate(
            step,
            peak=peak,
            num_steps=num_steps,
            warmup_steps=config.warmup_steps,
            final=config.final_learning_rate,
        )
        for name, peak in (("policy", config.learning_rate), ("critic", config.critic_learning_rate))
    }
    if step < config.num_critic_warmup:
        rates["policy"] = 0.0
    measured = update.run(rollout, targets, rates)
    if rates["policy"] > 0:
        sampler.policy_changed()
    check_loss(measured["loss"], step=step)
    values = {
        **monitors(rollout, targets, num_judges=config.num_judges),
        **measured,
        "beta": numbers["beta"],
        "learning_rate": rates["policy"],
    }
    if config.kl_target is not None:
        numbers["beta"] = adapted_beta(
            beta=numbers["beta"],
            kl=values["kl"],
            target=config.kl_target,
            num_completions=len(prompts),
            horizon=config.kl_horizon,
        )
    speed = len(prompts) / (time.perf_counter() - started)
    return {**values, "prompts_per_second": speed, "memory_mb": peak_memory_mb(update.networks.policy.device)}


def targets_of(rollout: Rollout, numbers: dict[str, float], config: PPOConfig) -> Targets:
    """Normalised scores less the penalty for a missing stop, shaped by KL, turned into advantages."""
    scores_C = normalised_scores(numbers, rollout.scores_C, clip=config.score_clip)
    rewards_CL = shaped_rewards(
        scores_C=scores_C - config.missing_stop_penalty * (~rollout.is_stopped_C).float(),
        logps_CL=rollout.logps_CL,
        reference_logps_CL=rollout.reference_logps_CL,
        mask_CL=rollout.mask_CL,
        beta=numbers["beta"],
    )
    estimated = generalised_advantages(
        rewards_CL=rewards_CL,
        values_CL=rollout.values_CL,
        mask_CL=rollout.mask_CL,
        gamma=config.gamma,
        gae_lambda=config.gae_lambda,
    )
    advantages_CL = whitened(estimated.advantages_CL, rollout.mask_CL)
    return Targets(advantages_CL=advantages_CL, returns_CL=estimated.returns_CL)


def monitors(rollout: Rollout, targets: Targets, *, num_judges: int = 0) -> dict[str, float]:
    """What the curves show about a rollout, before its update."""
    mask_CL = rollout.mask_CL
    log_ratios = {"logps": rollout.logps_CL, "reference_logps": rollout.reference_logps_CL}
    explained = explained_variance(values_CL=rollout.values_CL, returns_CL=targets.returns_CL, mask_CL=mask_CL)
    return {
        "score": rollout.scores_C.mean().item(),
        **ensemble_monitors(rollout, num_judges=num_judges),
        "kl": (kl_k1(**log_ratios) * mask_CL).sum(-1).mean().item(),  # nats per completion
        "kl_k3": (kl_k3(**log_ratios) * mask_CL).sum(-1).mean().item(),
        "entropy": masked_mean(rollout.entropies_CL, mask_CL).item(),  # nats per token
        "explained_variance": explained.item(),
        "eos_rate": rollout.is_stopped_C.float().mean().item(),
        "response_length": mask_CL.sum(-1).mean().item(),  # tokens
        **({} if rollout.sampler_logps_CL is None else {"sampler_gap": gap_of(rollout)}),  # nats per token
    }


def ensemble_monitors(rollout: Rollout, *, num_judges: int) -> dict[str, float]:
    """What an ensemble's members say together, and how far they disagree; nothing for a plain reward model.

    Those that only watch are a judge of their own. Deviations are over the rollout's replies: the unit of both scores.
    """
    members_CE = rollout.member_scores_CE
    num_paid = members_CE.shape[-1] - num_judges
    if members_CE.shape[-1] == 1:
        return {}
    values = {
        "mean_score": members_CE[:, :num_paid].mean().item(),
        "score_variance": variance_over_members(members_CE[:, :num_paid]).mean().item(),
    }
    if num_judges == 0:
        return values
    judged_C = members_CE[:, num_paid:].mean(dim=-1)
    return {
        **values,
        "judge_score": judged_C.mean().item(),
        "judge_deviation": judged_C.std(correction=0).item(),
        "score_deviation": rollout.scores_C.std(correction=0).item(),
    }


def check_ensemble(reward: RewardModel, config: PPOConfig) -> None:
    """Raise `InvalidConfiguration` if disagreement shall be penalised and nobody is there to disagree."""
    for name in ("variance_penalty", "worst_case", "num_judges"):
        advice = "Train one with ensemble_size above 1, or leave it out."
        require(
            reward.num_members > 1 or not getattr(config, name),
            f"{name} is for ensembles, and this reward model has a single head. {advice}",
        )
    require(
        config.num_judges < reward.num_members,
        f"num_judges ({config.num_judges}) leaves none of the reward model's {reward.num_members} members to reward.",
    )


def evaluate_ppo(
    networks: Networks,
    prompts: Sequence[Prompt],
    config: PPOConfig,
    sampler: Sampler,
    judge: Callable[[Rollout], dict[str, float]],
) -> dict[str, float]:
    """Score, KL and the like of completions sampled for held-out prompts; training's random state is left alone."""
    device = networks.policy.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        rollout = roll_out(networks, prompts, config, sampler, seeds=prompt_seeds(0, -1, len(prompts)))
    targets = Targets(advantages_CL=rollout.values_CL, returns_CL=rollout.values_CL)
    seen = monitors(rollout, targets, num_judges=config.num_judges)
    shown = ("score", "mean_score", "score_variance", "judge_score", "kl", "entropy", "eos_rate", "response_length")
    measured = {f"held_out_{name}": value for name, value in seen.items() if name in shown}
    return measured | judge(rollout)


def is_kl_over_cap(config: PPOConfig, kl: float, session: Session) -> bool:
    """Whether the policy has drifted so far that the reward model's word means little; says so."""
    if kl <= config.max_kl:
        return False
    session.events.log(f"Ended early: KL to the initial model is {kl:.1f} nats, over max_kl = {config.max_kl}.")
    return True


def is_guard_tripped(
    config: PPOConfig, values: Mapping[str, float], numbers: dict[str, float], session: Session
) -> bool:
    """Whether a sign of a run gone wrong shall end this one; each sign is logged once."""
    if config.guards == "off":
        return False
    found = new_signs(values, numbers)
    for text in found:
        session.events.log(f"Alert: {text}")
    if found and config.guards == "stop":
        session.events.log("Ended early by a guard (guards = stop).")
        return True
    return False
