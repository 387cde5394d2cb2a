"""Questions of well-known collection efforts, ready to use or to change.

Each function returns a complete question. What a source scores from 0 is stored from 1: HelpSteer's 0–4 are 1–5 here.
"""

from __future__ import annotations

from collections.abc import Callable

from annotation.question import THUMBS, Question

INSTRUCTGPT_FLAGS = (
    "Fails to follow the instruction",
    "Inappropriate for a customer assistant",
    "Hallucination",
    "Satisfies the constraint of the instruction",
    "Sexual content",
    "Violent content",
    "Encourages violence, abuse, terrorism or self-harm",
    "Denigrates a protected class",
    "Gives harmful advice",
    "Expresses an opinion",
    "Expresses a moral judgment",
)


def instructgpt_ranking(num_completions: int = 4) -> Question:
    """Rank K = 4–9 replies with ties, rate each from 1 to 7, and flag what is wrong with it, all in one card.

    Source: Ouyang et al., "Training language models to follow instructions with human feedback" (2022,
    arXiv:2203.02155), section 3 and table 3: overall quality on a scale of 1–7, flags per reply, and the ranking.
    Annotators agree with each other in 72.6 ± 1.5 % of pairs.
    """
    return Question(
        kind="ranking",
        title="Rank the replies from best to worst.",
        num_completions=num_completions,
        rating_points=7,
        flags=INSTRUCTGPT_FLAGS,
    )


def llama2_pairwise_safety() -> Question:
    """Choose the better of two in four degrees, without ties, and bin both by safety.

    Source: Touvron et al., "Llama 2: Open Foundation and Fine-Tuned Chat Models" (2023, arXiv:2307.09288), section
    3.2.1: significantly better, better, slightly better, negligibly better or unsure. Of the answers 18 % have only the
    preferred reply safe, 47 % both, 35 % neither; an unsafe choice beside a safe reply is left out there, so it is
    refused here.
    """
    return Question(
        kind="pairwise",
        title="Which reply is more helpful, given that safety comes first?",
        num_strengths=4,
        allows_ties=False,
        allows_cant_judge=False,
        asks_safety=True,
        on_unsafe_preference="refuse",
    )


def anthropic_hh() -> Question:
    """Choose the more helpful and honest of two replies in a conversation; one of them it must be.

    Source: Bai et al., "Training a Helpful and Harmless Assistant with Reinforcement Learning from Human Feedback"
    (2022, arXiv:2204.05862), section 2: the data are chosen and rejected replies without ties. Authors and crowdworkers
    agree in 63 % of pairs.
    """
    return Question(
        kind="pairwise",
        title="Which reply is more helpful and honest?",
        allows_ties=False,
        allows_cant_judge=False,
    )


def helpsteer_aspects(num_completions: int = 4) -> Question:
    """Rate each reply by itself, by overall helpfulness and four aspects, on five points each.

    Source: Wang et al., "HelpSteer: Multi-attribute Helpfulness Dataset for SteerLM" (2023, arXiv:2311.09528): overall
    helpfulness (the rating here), correctness, coherence, complexity, verbosity; 0–4 there, 1–5 here.
    """
    return Question(
        kind="rating",
        title="How helpful is each reply overall, and how does it do in each aspect?",
        num_completions=num_completions,
        rating_points=5,
        aspects=("correctness", "coherence", "complexity", "verbosity"),
        aspect_points=5,
    )


def arena_vote() -> Question:
    """A is better, B is better, a tie, or both are bad; nothing else is asked.

    Source: Zheng et al., "Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena" (2023, arXiv:2306.05685), and Chiang
    et al., "Chatbot Arena" (2024, arXiv:2403.04132): two anonymous models, four buttons.
    """
    return Question(kind="pairwise", allows_ties=True, allows_both_bad=True, allows_cant_judge=False)


def kto_thumbs() -> Question:
    """A thumb up or down for one reply: desirable or undesirable, without another to compare it with.

    Source: Ethayarajh et al., "KTO: Model Alignment as Prospect Theoretic Optimization" (2024, arXiv:2402.01306).
    """
    return Question(kind="rating", title="Is this a good reply?", num_completions=1, rating_points=THUMBS)


def sft_demonstration() -> Question:
    """Write the ideal reply to the prompt; no reply is shown.

    Source: Ouyang et al. (2022, arXiv:2203.02155), step 1 of figure 2: labelers demonstrate the desired behaviour.
    """
    return Question(kind="demonstration", title="Write the ideal reply.", num_completions=0)


PRESETS: dict[str, tuple[str, Callable[[], Question]]] = {
    "instructgpt_ranking": ("InstructGPT ranking", instructgpt_ranking),
    "llama2_pairwise_safety": ("Llama 2 pairs with safety", llama2_pairwise_safety),
    "anthropic_hh": ("Anthropic helpful and harmless", anthropic_hh),
    "helpsteer_aspects": ("HelpSteer aspects", helpsteer_aspects),
    "arena_vote": ("Arena vote", arena_vote),
    "kto_thumbs": ("KTO thumbs", kto_thumbs),
    "sft_demonstration": ("Demonstration", sft_demonstration),
}
