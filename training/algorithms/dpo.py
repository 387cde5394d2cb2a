"""Direct preference optimisation against the frozen initial model.

P pairs, C = 2 P completions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from training.algorithms.batches import collate, completion_logps, sum_by_completion
from training.algorithms.config import DPOConfig
from training.algorithms.examples import read_pairs
from training.algorithms.loop import Measures, Objective, fit
from training.algorithms.losses import PAIR_LOSSES, dpo_loss
from training.algorithms.models import LanguageModel, load_language_model
from training.algorithms.pairs import as_tree, chosen_and_rejected, evaluate_pairs, is_right
from training.algorithms.reference import cached_reference_logps
from training.algorithms.samples import write_samples
from training.algorithms.session import Session
from training.algorithms.start import chat_tokeniser, check_context, initial_model, report_truncation
from training.algorithms.tokenisation import TokenTree


def train_dpo(session: Session, config: DPOConfig) -> None:
    """Run an order of algorithm dpo."""
    data = read_pairs(session.data)
    start = initial_model(session)
    tokeniser = chat_tokeniser(start, config)
    model = load_language_model(start)
    check_context(model.network, config)
    num_train = len(data.train)
    pairs = data.train + data.held_out[: config.eval_examples]
    trees = [as_tree(pair, tokeniser) for pair in pairs]
    report_truncation(session, tokeniser)
    reference_P2 = cached_reference_logps(
        session.directory / "cache", model, trees, pad_id=tokeniser.pad_id, max_tokens=config.micro_batch_tokens
    )
    weights_P = torch.tensor([pair.weight for pair in pairs])
    lengths = [tree.num_padded_tokens for tree in trees]

    def loss(indexes: Sequence[int]) -> tuple[Tensor, Measures]:
        batch = [trees[i] for i in indexes]
        rows = list(indexes)
        return dpo_step(model, batch, reference_P2[rows], weights_P[rows], config, pad_id=tokeniser.pad_id)

    def evaluate(step: int) -> dict[str, float]:
        prompts = [pair.prompt for pair in data.held_out[: config.num_samples]]
        write_samples(session.events, model, tokeniser, prompts, step=step)
        return evaluate_pairs(
            lambda indexes: loss([num_train + i for i in indexes]),
            lengths[num_train:],
            max_tokens=config.micro_batch_tokens,
        )

    objective = Objective(
        network=model.network,
        tokenizer=tokeniser.tokenizer,
        lengths=lengths[:num_train],
        count=lambda indexes: float(len(indexes)),
        loss=loss,
        evaluate=evaluate,
    )
    fit(objective, config, session)


def dpo_step(
    model: LanguageModel,
    trees: Sequence[TokenTree],
    reference_P2: Tensor,
    weights_P: Tensor,
    config: DPOConfig,
    *,
    pad_id: int,
) -> tuple[Tensor, Measures]:
    """Summed loss of a micro-batch of pairs, and sums of what the curves show."""
    batch = collate(trees, pad_id=pad_id)
    logps_C = sum_by_completion(completion_logps(model, batch).logps_N, batch)
    chosen_P, rejected_P = chosen_and_rejected(logps_C)
    result = dpo_loss(
        chosen_logps_P=chosen_P,
        rejected_logps_P=rejected_P,
        reference_chosen_logps_P=reference_P2[:, 0],
        reference_rejected_logps_P=reference_P2[:, 1],
        weights_P=weights_P,
        beta=config.beta,
        label_smoothing=config.label_smoothing,
        pair_loss=PAIR_LOSSES[config.loss],
    )
    margins_P = result.chosen_rewards_P - result.rejected_rewards_P
    return result.losses_P.sum(), {
        "accuracy": is_right(margins_P).sum(),
        "margin": margins_P.sum(),
        "chosen_reward": result.chosen_rewards_P.sum(),
        "rejected_reward": result.rejected_rewards_P.sum(),
        "chosen_logps": chosen_P.detach().sum(),
        "rejected_logps": rejected_P.detach().sum(),
    }
