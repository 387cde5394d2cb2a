"""Where a run starts: the models and tokenizer of a fresh, an initial or a resumed network."""

from __future__ import annotations

from transformers import PreTrainedModel, PreTrainedTokenizerFast

from training.algorithms.chat import Conversation
from training.algorithms.config import CommonConfig, InvalidConfiguration, SFTConfig
from training.algorithms.examples import Demonstration
from training.algorithms.models import (
    LanguageModel,
    ModelInvalid,
    fresh_language_model,
    load_language_model,
    with_adapter,
)
from training.algorithms.session import Session
from training.algorithms.tokenisation import ChatTokeniser, load_tokenizer, train_tokenizer


def initial_model(session: Session) -> str:
    """The model that the order names; orders without one are for `start_language_model`."""
    if session.spec.init_model is None:
        raise InvalidConfiguration(f"{session.spec.algorithm} needs init_model.")
    return session.spec.init_model


def reward_model_folder(session: Session) -> str:
    """The reward model that the order names."""
    if session.spec.reward_model is None:
        raise InvalidConfiguration(f"{session.spec.algorithm} needs reward_model.")
    return session.spec.reward_model


def check_same_tokenizer(tokenizer: PreTrainedTokenizerFast, reward_model: str) -> None:
    """Raise `ModelInvalid` unless the reward model reads the same token ids."""
    if load_tokenizer(reward_model).get_vocab() != tokenizer.get_vocab():
        advice = "Train the reward model from the policy's own initial model."
        raise ModelInvalid(reward_model, f"the reward model has another tokenizer than the policy. {advice}")


def chat_tokeniser(model: str, config: CommonConfig) -> ChatTokeniser:
    """The tokeniser of a model's folder, with the configuration's limits."""
    return ChatTokeniser(
        load_tokenizer(model),
        max_prompt_tokens=config.max_prompt_tokens,
        max_completion_tokens=config.max_completion_tokens,
    )


def start_language_model(
    session: Session, config: SFTConfig, demonstrations: list[Demonstration]
) -> tuple[LanguageModel, ChatTokeniser]:
    """The initial model; without one, a fresh model and a tokenizer trained on the demonstrations.

    A resumed run takes the tokenizer from its checkpoint instead of training it again.
    """
    if session.spec.init_model is not None:
        start = session.spec.init_model
        whole = load_language_model(start, dtype=config.dtype, device=session.device)
        model = with_adapter(whole, config.lora, base=start, seed=session.spec.seed)
        return model, chat_tokeniser(start, config)
    checkpoint = session.newest_checkpoint()
    if checkpoint is not None:
        model = load_language_model(checkpoint.path, dtype=config.dtype, device=session.device)
        return model, chat_tokeniser(str(checkpoint.path), config)
    tokenizer = train_tokenizer(spoken(demonstrations), vocab_size=config.fresh.vocab_size)
    limits = {"max_prompt_tokens": config.max_prompt_tokens, "max_completion_tokens": config.max_completion_tokens}
    model = fresh_language_model(
        config.fresh, tokenizer, seed=session.spec.seed, dtype=config.dtype, device=session.device
    )
    return model, ChatTokeniser(tokenizer, **limits)


def spoken(demonstrations: list[Demonstration]) -> list[str]:
    """Every text of the demonstrations."""
    return [text for item in demonstrations for text in (*contents(item.prompt), item.completion)]


def contents(conversation: Conversation) -> list[str]:
    """The texts of a conversation's messages."""
    return [message["content"] for message in conversation]


def check_context(network: PreTrainedModel, config: CommonConfig) -> None:
    """Raise `InvalidConfiguration` if prompt and completion may not fit the model's positions."""
    context = getattr(network.config, "max_position_embeddings", None)
    wanted = config.max_prompt_tokens + config.max_completion_tokens
    if context is not None and wanted > context:
        limits = f"max_prompt_tokens + max_completion_tokens is {wanted}"
        raise InvalidConfiguration(f"{limits}, but the model has {context} positions. Lower one of them.")


def report_truncation(session: Session, tokeniser: ChatTokeniser) -> None:
    """Say how much was cut off, if anything was."""
    cut = tokeniser.truncated
    if cut.num_prompts:
        limit = f"max_prompt_tokens = {tokeniser.max_prompt_tokens}"
        session.events.log(f"{cut.num_prompts} prompts lost their beginning ({limit}).")
    if cut.num_completions:
        limit = f"max_completion_tokens = {tokeniser.max_completion_tokens}"
        session.events.log(f"{cut.num_completions} completions lost their end and their stop token ({limit}).")
