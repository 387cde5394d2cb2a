"""From conversations to token trees: where a completion begins, where it stops, what truncation took away.

A token tree is a prompt and its completions. The rules:
- a completion starts behind the longest common token prefix of the rendered prompt and rendered prompt + reply;
- it ends with the template's stop token, exactly once;
- the sequence begins with the tokenizer's BOS, if it has one, exactly once;
- truncation keeps the end of the prompt and the beginning of the completion, and is counted.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from training.algorithms.chat import (
    BEGIN_TOKEN,
    CHAT_TEMPLATE,
    PAD_TOKEN,
    ROLE_TOKENS,
    STOP_TOKEN,
    Conversation,
    with_reply,
)
from training.algorithms.failures import TrainingFailure


class MissingTokenizer(TrainingFailure):
    """A model folder has no usable tokenizer."""

    def __init__(self, model: str, reason: str) -> None:
        fix = "Save one beside the weights with tokenizer.save_pretrained(folder)."
        super().__init__("model_error", f"No tokenizer can be loaded from {model}: {reason} {fix}")


class MissingChatTemplate(TrainingFailure):
    """A tokenizer cannot render a conversation."""

    def __init__(self, model: str) -> None:
        fix = "Add a chat_template.jinja to the folder, or start from a chat model."
        super().__init__("model_error", f"The tokenizer of {model} has no chat template. {fix}")


@dataclass(frozen=True, kw_only=True)
class TokenTree:
    """A prompt and K completions of it, as token ids."""

    prompt: tuple[int, ...]
    completions: tuple[tuple[int, ...], ...]

    @property
    def num_tokens(self) -> int:
        """Tokens of the prompt and of every completion: what a row of trees computes for this tree."""
        return len(self.prompt) + sum(map(len, self.completions))

    @property
    def num_padded_tokens(self) -> int:
        """Tokens that the padded layout computes for this tree."""
        return len(self.completions) * (len(self.prompt) + max(map(len, self.completions)))


@dataclass
class TruncationCounts:
    """What truncation took away so far."""

    num_prompts: int = 0  # prompts that lost their beginning
    num_completions: int = 0  # completions that lost their end and their stop token


def train_tokenizer(texts: Iterable[str], *, vocab_size: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE with our chat template; digits stand alone, every text can be encoded."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD_TOKEN, BEGIN_TOKEN, STOP_TOKEN, *ROLE_TOKENS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=BEGIN_TOKEN,
        eos_token=STOP_TOKEN,
        pad_token=PAD_TOKEN,
        additional_special_tokens=list(ROLE_TOKENS),
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def load_tokenizer(model: str | os.PathLike[str]) -> PreTrainedTokenizerFast:
    """The tokenizer of a model folder or hub id, with a chat template and a pad token that is not the stop token.

    Raises `MissingTokenizer` or `MissingChatTemplate`.
    """
    if os.path.isabs(model) and not Path(model).is_dir():
        raise MissingTokenizer(str(model), "there is no such folder.")
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(model), trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MissingTokenizer(str(model), f"{error}".splitlines()[0]) from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise MissingTokenizer(str(model), "it is not a fast tokenizer (no tokenizer.json).")
    if not tokenizer.chat_template:
        raise MissingChatTemplate(str(model))
    return tokenizer


class ChatTokeniser:
    """Turns conversations into token trees with one tokenizer's template."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerFast, *, max_prompt_tokens: int, max_completion_tokens: int
    ) -> None:
        self.tokenizer = tokenizer
        self.max_prompt_tokens = max_prompt_tokens
        self.max_completion_tokens = max_completion_tokens
        self.truncated = TruncationCounts()
        self.bos_id = leading_bos_id(tokenizer)
        self.stop_id = self._find_stop_id()
        self.pad_id = self._find_pad_id()

    def prompt(self, conversation: Conversation) -> tuple[int, ...]:
        """Token ids from which the model continues, the last `max_prompt_tokens` of them."""
        return self._cut_prompt(self._encode(self._render(conversation, add_generation_prompt=True)))

    def tree(self, conversation: Conversation, replies: Sequence[str]) -> TokenTree:
        """A prompt and its replies. The prompt ends where the first of the replies' sequences leaves it."""
        prompt = self._encode(self._render(conversation, add_generation_prompt=True))
        whole = [self._encode(self._render(with_reply(conversation, reply))) for reply in replies]
        boundary = min(common_prefix_length(prompt, ids) for ids in whole)
        completions = tuple(self._cut_completion(self._stopped(ids[boundary:])) for ids in whole)
        return TokenTree(prompt=self._cut_prompt(prompt[:boundary]), completions=completions)

    def decode(self, completion: Sequence[int]) -> str:
        """The text of a completion, without its stop token."""
        return str(self.tokenizer.decode(list(completion), skip_special_tokens=True))

    def _render(self, conversation: Conversation, *, add_generation_prompt: bool = False) -> str:
        messages = [dict(message) for message in conversation]
        try:
            text = self.tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=add_generation_prompt
            )
        except Exception as error:  # Jinja's and the template's own errors share no base class
            roles = ", ".join(message.get("role", "?") for message in messages)
            raise TrainingFailure(
                "data_error", f"The chat template refuses a conversation with the roles {roles}: {error}"
            ) from error
        return str(text)

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False)
        if self.bos_id is None:
            return ids
        start = next((i for i, token in enumerate(ids) if token != self.bos_id), len(ids))
        return [self.bos_id, *ids[start:]]

    def _cut_prompt(self, ids: list[int]) -> tuple[int, ...]:
        if len(ids) <= self.max_prompt_tokens:
            return tuple(ids)
        self.truncated.num_prompts += 1
        head = [] if self.bos_id is None else [self.bos_id]
        num_kept = self.max_prompt_tokens - len(head)
        return tuple(head + (ids[-num_kept:] if num_kept else []))

    def _stopped(self, ids: list[int]) -> list[int]:
        """The completion up to its first stop token; templates may add a line break behind it."""
        end = ids.index(self.stop_id) if self.stop_id in ids else len(ids)
        return [*ids[:end], self.stop_id]

    def _cut_completion(self, ids: list[int]) -> tuple[int, ...]:
        if len(ids) > self.max_completion_tokens:
            self.truncated.num_completions += 1
        return tuple(ids[: self.max_completion_tokens])

    def _find_stop_id(self) -> int:
        """The first special token that the template puts behind a reply, else the tokenizer's EOS."""
        question = [{"role": "user", "content": "a"}]
        ids = self._encode(self._render(with_reply(question, "b")))
        prompt = self._encode(self._render(question, add_generation_prompt=True))
        special = set(special_ids(self.tokenizer))
        behind = [token for token in ids[common_prefix_length(prompt, ids) :] if token in special]
        stop = behind[0] if behind else self.tokenizer.eos_token_id
        if stop is None:
            error = "The tokenizer has neither an EOS token nor a chat template that ends a reply with one."
            raise TrainingFailure("model_error", error + " Set eos_token in tokenizer_config.json.")
        return int(stop)

    def _find_pad_id(self) -> int:
        """A token to fill rows with: never looked at, but distinct from the stop token all the same."""
        pad = self.tokenizer.pad_token_id
        if pad is not None and pad != self.stop_id:
            return int(pad)
        return next(token for token in range(len(self.tokenizer)) if token != self.stop_id)


def common_prefix_length(left: Sequence[int], right: Sequence[int]) -> int:
    """Number of leading tokens that both share."""
    pairs = zip(left, right, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(left), len(right)))


def leading_bos_id(tokenizer: PreTrainedTokenizerFast) -> int | None:
    """The BOS token if this tokenizer's sequences begin with one (by template or by itself), else None."""
    if tokenizer.bos_token_id is None:
        return None
    probe: Any = tokenizer.apply_chat_template([{"role": "user", "content": "a"}], tokenize=False)
    begins = (tokenizer.encode(text, add_special_tokens=own)[:1] for text, own in (("a", True), (probe, False)))
    bos = int(tokenizer.bos_token_id)
    return bos if [bos] in list(begins) else None


def special_ids(tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """Ids of all control tokens, those that are not declared as special in the configuration included."""
    added = [index for index, token in tokenizer.added_tokens_decoder.items() if token.special]
    return [*tokenizer.all_special_ids, *added]
