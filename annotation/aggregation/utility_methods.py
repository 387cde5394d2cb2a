"""The methods that give each completion a utility, from judgments to consensus."""

from __future__ import annotations

from typing import Any

import numpy as np

from annotation.aggregation.annotator_skill import BIAS_SD, SKILL_SD, SkilledVotes, SkillFit, fit_annotator_skill
from annotation.aggregation.bradley_terry import PRIOR_SD, fit_tie_parameter, fit_utilities
from annotation.aggregation.consensus import Aggregation, rows_by
from annotation.aggregation.judgments import (
    Comparisons,
    Judgments,
    PairVotes,
    count_pair_votes,
    expand,
    number_comparisons,
)
from annotation.aggregation.newton import Integers, Posterior
from annotation.aggregation.plackett_luce import Choices, describe_choices, describe_wins, fit_choices
from annotation.aggregation.prompt_blocks import (
    Places,
    components_of_items,
    conclude_by_utilities,
    pair_counts,
    place_prompts,
    place_votes,
)


def bradley_terry(judgments: Judgments, *, prior_sd: float = PRIOR_SD) -> Aggregation:
    """Bradley–Terry within each prompt; a tie is half a win for each side."""
    comparisons, votes, places = _prepared(judgments)
    cells = place_votes(places, comparisons, votes)
    posteriors = [fit_utilities(pair_counts(one, votes), prior_sd=prior_sd) for one in cells]
    return _aggregation("bradley_terry", {"prior_sd": prior_sd}, comparisons, votes, places, posteriors)


def davidson(judgments: Judgments, *, prior_sd: float = PRIOR_SD) -> Aggregation:
    """Bradley–Terry within each prompt, with ties as outcomes of their own: Davidson's ν, one for all prompts.

    Completions are level where a tie is the likeliest outcome, |d| <= 2 ln ν; with ν <= 1 it never is.
    """
    comparisons, votes, places = _prepared(judgments)
    blocks = [pair_counts(cells, votes) for cells in place_votes(places, comparisons, votes)]
    tie_parameter = fit_tie_parameter(blocks, prior_sd=prior_sd)
    posteriors = [fit_utilities(block, prior_sd=prior_sd, tie_parameter=tie_parameter) for block in blocks]
    margin = max(0.0, 2 * float(np.log(tie_parameter)))
    findings = {"tie_parameter": tie_parameter, "tie_between_equals": tie_parameter / (tie_parameter + 2)}
    return _aggregation(
        "davidson", {"prior_sd": prior_sd}, comparisons, votes, places, posteriors, margin=margin, findings=findings
    )


def plackett_luce(judgments: Judgments, *, prior_sd: float = PRIOR_SD) -> Aggregation:
    """Plackett–Luce within each prompt: rankings as rows of choices, with ties and partial orders."""
    comparisons, votes, places = _prepared(judgments)
    posteriors = [
        fit_choices(choices, prior_sd=prior_sd) for choices in _choices(judgments, comparisons, votes, places)
    ]
    return _aggregation("plackett_luce", {"prior_sd": prior_sd}, comparisons, votes, places, posteriors)


def annotator_skill(
    judgments: Judgments, *, prior_sd: float = PRIOR_SD, skill_sd: float = SKILL_SD, bias_sd: float = BIAS_SD
) -> Aggregation:
    """Bradley–Terry within each prompt, with each annotator's skill and left bias from all prompts together.

    `findings` has the common left bias and each annotator's skill and left bias, with standard errors.
    """
    parameters: dict[str, Any] = {"prior_sd": prior_sd, "skill_sd": skill_sd, "bias_sd": bias_sd}
    comparisons, votes, places = _prepared(judgments)
    skilled = SkilledVotes(
        cells=place_votes(places, comparisons, votes),
        annotators_V=votes.annotators_V,
        outcomes_V=1 - votes.values_V / 2,
        sides_V=votes.sides_V.astype(np.float64),
        weights_V=votes.weights_V,
        num_annotators=len(votes.annotators),
    )
    fit = fit_annotator_skill(skilled, **parameters)
    findings = _skill_findings(fit, votes)
    return _aggregation("annotator_skill", parameters, comparisons, votes, places, fit.posteriors, findings=findings)


def _prepared(judgments: Judgments) -> tuple[Comparisons, PairVotes, Places]:
    comparisons = number_comparisons(judgments)
    return comparisons, count_pair_votes(judgments, comparisons), place_prompts(comparisons)


def _aggregation(
    method: str,
    parameters: dict[str, Any],
    comparisons: Comparisons,
    votes: PairVotes,
    places: Places,
    posteriors: list[Posterior],
    *,
    margin: float = 0.0,
    findings: dict[str, Any] | None = None,
) -> Aggregation:
    """A prompt's votes contribute to all its comparisons: utilities are shared."""
    components_I = components_of_items(len(comparisons.prompts_I), votes.first_items_V, votes.second_items_V)
    rows = _rows_of_prompts(comparisons, votes)
    consensus = conclude_by_utilities(places, comparisons, posteriors, components_I, rows, margin=margin)
    return Aggregation(method=method, parameters=parameters, consensus=consensus, findings=findings or {})


def _rows_of_prompts(comparisons: Comparisons, votes: PairVotes) -> list[list[int]]:
    is_voting_J = np.zeros(len(votes.comparisons_J), dtype=bool)
    is_voting_J[votes.judgments_V] = True
    prompts_J = comparisons.prompts_C[votes.comparisons_J]
    return rows_by(np.where(is_voting_J, prompts_J, -1), int(comparisons.prompts_C.max(initial=-1)) + 1)


def _choices(judgments: Judgments, comparisons: Comparisons, votes: PairVotes, places: Places) -> list[Choices]:
    """Every choice in the rankings, block by block."""
    sizes_J = comparisons.sizes_C[votes.comparisons_J]
    choosing_R, sets_R2 = expand(judgments, sizes_J, describe_choices)
    winning_W, indices_W1 = expand(judgments, sizes_J, describe_wins)
    prompts_R, prompts_W = (comparisons.prompts_C[votes.comparisons_J[rows]] for rows in (choosing_R, winning_W))
    bits_R, weights_R = sets_R2.reshape(-1, 2).T
    columns_W = _columns(comparisons, places, votes.comparisons_J[winning_W], indices_W1.ravel().astype(np.int64))
    blocks = []
    for number, block in enumerate(places.blocks):
        is_chosen_R = places.block_of_prompt[prompts_R] == number
        is_won_W = places.block_of_prompt[prompts_W] == number
        cells = places.row_of_prompt[prompts_W[is_won_W]] * block.size + columns_W[is_won_W]
        shape = (len(block.prompts_P), block.size)
        comparisons_R = votes.comparisons_J[choosing_R[is_chosen_R]]
        members_RN = np.zeros((len(comparisons_R), block.size), dtype=bool)
        for index in range(int(comparisons.sizes_C.max(initial=0))):
            is_in_R = bits_R[is_chosen_R].astype(np.int64) >> index & 1 == 1
            rows_R = np.flatnonzero(is_in_R)
            members_RN[rows_R, _columns(comparisons, places, comparisons_R[rows_R], index)] = True
        blocks.append(
            Choices(
                wins_PN=np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64),
                members_RN=members_RN,
                prompts_R=places.row_of_prompt[prompts_R[is_chosen_R]],
                weights_R=weights_R[is_chosen_R],
            )
        )
    return blocks


def _columns(comparisons: Comparisons, places: Places, numbers: Integers, index: Integers | int) -> Integers:
    """The column in its prompt's block of a completion, given its comparison and its index there."""
    return np.asarray(places.column_of_item[comparisons.items_K[comparisons.item_starts_C[numbers] + index]])


def _skill_findings(fit: SkillFit, votes: PairVotes) -> dict[str, Any]:
    columns = zip(
        votes.annotators,
        fit.skills_A.tolist(),
        fit.skill_errors_A.tolist(),
        fit.left_biases_A.tolist(),
        fit.left_bias_errors_A.tolist(),
        strict=True,
    )
    return {
        "left_bias": fit.left_bias,
        "left_bias_error": fit.left_bias_error,
        "left_between_equals": float(1 / (1 + np.exp(-fit.left_bias))),
        "annotators": {
            str(name): {"skill": skill, "skill_error": error, "left_bias": bias, "left_bias_error": bias_error}
            for name, skill, error, bias, bias_error in columns
        },
        "num_rounds": fit.num_rounds,
        "is_converged": fit.is_converged,
    }
