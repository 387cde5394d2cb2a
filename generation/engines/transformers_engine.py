"""Sampling in this process with a transformers model. torch and transformers are imported on first use."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from generation.engines.base import (
    Conversation,
    SampledText,
    SamplingParameters,
    TokenLogprob,
    check_num_completions,
    check_seeds,
    storable,
)
from generation.engines.errors import (
    ContextOverflow,
    ConversationRefused,
    ConversationsFailed,
    EngineError,
    MissingChatTemplate,
    ModelFolderInvalid,
    ParametersInvalid,
    ParametersUnsupported,
)
from generation.engines.model_folder import CHAT_TEMPLATE_FIX, check_model_folder, looks_like_path
from generation.engines.token_choices import ChoiceTree

DEFAULT_BATCH_TOKENS = 16_384  # rows × (longest prompt + reply) of one batch: bounds the memory of the cache
_MAX_TOKENS_PER_CHARACTER = 4  # byte-level tokenizers may cut a character into its UTF-8 bytes


@dataclass(frozen=True, kw_only=True)
class _Prepared:
    """A conversation as the model reads it."""

    index: int
    tokens: list[int]
    draws_key: bytes  # the same for the same conversation, whatever surrounds it
    seed: int


class TransformersEngine:
    """Samples from a causal language model in this process, batched by length.

    Replies depend on the seed and the conversation alone, not on the other conversations of the call, so that
    a resumed run draws what an uninterrupted one would have drawn.
    """

    def __init__(
        self, model: Any, tokenizer: Any, *, batch_tokens: int = DEFAULT_BATCH_TOKENS, name: str = "the model"
    ) -> None:
        """`model` and `tokenizer` as transformers loads them. Raises MissingChatTemplate."""
        if not getattr(tokenizer, "chat_template", None):
            raise MissingChatTemplate(f"{name} has no chat template: {CHAT_TEMPLATE_FIX}")
        self._model: Any = model
        self._tokenizer: Any = tokenizer
        self._batch_tokens = batch_tokens
        self._context_length = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self._end_tokens = _end_tokens(model, tokenizer)
        self._revision = _revision(model, name)

    @classmethod
    def load(
        cls, model: str, *, device: str | None = None, batch_tokens: int = DEFAULT_BATCH_TOKENS
    ) -> TransformersEngine:
        """`model` is a folder or a hub id; `device` defaults to the GPU if there is one.

        Raises ModelFolderInvalid or MissingChatTemplate.
        """
        if looks_like_path(model):
            model = str(Path(model).expanduser())
            check_model_folder(Path(model))
        loaded, tokenizer = _load(model, device)
        return cls(loaded, tokenizer, batch_tokens=batch_tokens, name=model)

    def sample(
        self,
        conversations: Sequence[Conversation],
        *,
        num_completions: int,
        parameters: SamplingParameters,
        seeds: Sequence[int] | None = None,
    ) -> Iterator[tuple[int, list[SampledText]]]:
        """See `Engine.sample`. Short prompts come first. Raises ParametersUnsupported for schemas and adapters."""
        check_num_completions(num_completions)
        check_seeds(seeds, len(conversations))
        _check_supported(parameters)
        prepared, failures = self._prepare(
            conversations, parameters.max_new_tokens, seeds or [parameters.seed] * len(conversations)
        )
        for batch in self._batches(prepared, num_completions, parameters.max_new_tokens):
            yield from self._sample_batch(batch, num_completions, parameters)
        if failures:
            raise ConversationsFailed(failures)

    def close(self) -> None:
        """Forget the model, so that its memory can be reused."""
        self._model = self._tokenizer = None

    def _prepare(
        self, conversations: Sequence[Conversation], max_new_tokens: int, seeds: Sequence[int]
    ) -> tuple[list[_Prepared], dict[int, EngineError]]:
        prepared: list[_Prepared] = []
        failures: dict[int, EngineError] = {}
        repeats: Counter[str] = Counter()  # the second of two equal conversations draws other replies
        for index, conversation in enumerate(conversations):
            try:
                text = self._render(conversation)
                tokens = self._encode(text, max_new_tokens)
            except EngineError as error:
                failures[index] = error
                continue
            key = hashlib.sha256(f"{repeats[text]}\n{text}".encode("utf-8", "backslashreplace")).digest()
            repeats[text] += 1
            prepared.append(_Prepared(index=index, tokens=tokens, draws_key=key, seed=seeds[index]))
        return prepared, failures

    def _render(self, conversation: Conversation) -> str:
        messages = [dict(message) for message in conversation]
        try:
            text = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        except Exception as error:  # templates are programs of the model's authors and may raise anything
            raise ConversationRefused(f"the model's chat template refuses this conversation: {error}") from error
        return str(text)

    def _encode(self, text: str, max_new_tokens: int) -> list[int]:
        tokens: list[int] = self._tokenizer(storable(text), add_special_tokens=False)["input_ids"]
        if not tokens:
            raise ConversationRefused("the conversation has no tokens: give it at least one message with text")
        if self._context_length is not None and len(tokens) + max_new_tokens > self._context_length:
            raise ContextOverflow(
                f"the prompt's {len(tokens)} tokens and max_new_tokens={max_new_tokens} exceed the model's "
                f"context of {self._context_length}: shorten the prompt or lower max_new_tokens"
            )
        return tokens

    def _batches(
        self, prepared: Sequence[_Prepared], num_completions: int, max_new_tokens: int
    ) -> Iterator[list[_Prepared]]:
        """By length, as many as fit `batch_tokens`; one at least."""
        batch: list[_Prepared] = []
        for item in sorted(prepared, key=lambda item: len(item.tokens)):
            row = len(item.tokens) + max_new_tokens
            if batch and (len(batch) + 1) * num_completions * row > self._batch_tokens:
                yield batch
                batch = []
            batch.append(item)
        if batch:
            yield batch

    def _sample_batch(
        self, batch: Sequence[_Prepared], num_completions: int, parameters: SamplingParameters
    ) -> Iterator[tuple[int, list[SampledText]]]:
        import torch

        from generation.engines.sampling_loop import sample_tokens
        from generation.engines.token_logprobs import LogprobRecorder

        started = time.monotonic()
        num_rows, num_top = len(batch) * num_completions, parameters.num_logprobs
        recorder = LogprobRecorder(num_rows, num_top=num_top, token_text=self._token_text) if num_top else None
        replies = sample_tokens(
            self._model,
            [item.tokens for item in batch],
            torch.from_numpy(_uniforms(batch, num_completions, parameters.max_new_tokens)),
            temperature=parameters.temperature,
            top_p=parameters.top_p,
            ends_reply=lambda tokens: self._ends(tokens, parameters.stop),
            allowed_next=self._choice_tree(parameters).next if parameters.choices else None,
            record=recorder,
        )
        latency_ms = (time.monotonic() - started) * 1000
        for number, item in enumerate(batch):
            rows = range(number * num_completions, (number + 1) * num_completions)
            texts = [self._sampled_text(replies[row], item, parameters.stop) for row in rows]
            logprobs: list[list[TokenLogprob]] = [recorder.rows[row] if recorder else [] for row in rows]
            yield (
                item.index,
                [
                    replace(text, logprobs=tuple(own), latency_ms=latency_ms, model_revision=self._revision)
                    for text, own in zip(texts, logprobs, strict=True)
                ],
            )

    def _choice_tree(self, parameters: SamplingParameters) -> ChoiceTree:
        """Raises ParametersInvalid where a choice would not fit `max_new_tokens`."""
        encoded = [self._tokenizer(text, add_special_tokens=False)["input_ids"] for text in parameters.choices]
        tree = ChoiceTree(encoded, end_tokens=sorted(self._end_tokens))
        if tree.longest > parameters.max_new_tokens:
            raise ParametersInvalid(
                f"the longest choice and its end have {tree.longest} tokens, max_new_tokens is "
                f"{parameters.max_new_tokens}: raise it"
            )
        return tree

    def _token_text(self, token: int) -> str:
        return str(self._tokenizer.decode([token]))

    def _ends(self, tokens: list[int], stop: tuple[str, ...]) -> bool:
        if tokens[-1] in self._end_tokens:
            return True
        if not stop:
            return False
        tail = tokens[-_MAX_TOKENS_PER_CHARACTER * max(map(len, stop)) :]
        return _cut(self._decode(tail), stop)[1]

    def _decode(self, tokens: list[int]) -> str:
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True))

    def _sampled_text(self, tokens: list[int], item: _Prepared, stop: tuple[str, ...]) -> SampledText:
        has_ended = tokens[-1] in self._end_tokens
        text, was_cut = _cut(self._decode(tokens[:-1] if has_ended else tokens), stop)
        return SampledText(
            text=storable(text),
            finish_reason="stop" if has_ended or was_cut else "length",
            num_prompt_tokens=len(item.tokens),
            num_tokens=len(tokens),
        )


def _cut(text: str, stop: tuple[str, ...]) -> tuple[str, bool]:
    """The text before the earliest stop text, and whether there was one."""
    places = [place for place in (text.find(ending) for ending in stop) if place >= 0]
    return (text[: min(places)], True) if places else (text, False)


def _check_supported(parameters: SamplingParameters) -> None:
    if parameters.json_schema is not None:
        raise ParametersUnsupported(
            "this process cannot hold a model to a JSON schema: serve the model (manage.py serve_model), "
            "or leave the schema out and read what it says"
        )
    if parameters.adapter:
        raise ParametersUnsupported(f"adapters ({parameters.adapter}) are spoken with through a vLLM server only")
    if parameters.choices and parameters.stop:
        raise ParametersUnsupported("a reply that is one of several texts ends by itself: leave stop out")


def _revision(model: Any, name: str) -> str:
    """The commit of a hub model, the sum of a checkpoint's manifest, or nothing."""
    commit = getattr(model.config, "_commit_hash", None)
    manifest = Path(name) / "manifest.json"
    if commit is None and manifest.is_file():
        return f"manifest {hashlib.sha256(manifest.read_bytes()).hexdigest()}"
    return str(commit or "")


def _uniforms(batch: Sequence[_Prepared], num_completions: int, max_new_tokens: int) -> Any:
    """Numbers in [0, 1), one for each token to draw: [conversations × num_completions, max_new_tokens]."""
    import numpy as np

    shape = (num_completions, max_new_tokens)
    seeds = ([item.seed, int.from_bytes(item.draws_key, "big")] for item in batch)
    return np.concatenate([np.random.default_rng(seed).random(shape) for seed in seeds])


def _end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """Every token that ends a reply: the tokenizer's, and those of the model's generation configuration."""
    configured = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    several = configured if isinstance(configured, list) else [configured]
    return frozenset(token for token in (*several, tokenizer.eos_token_id) if token is not None)


def _load(model: str, device: str | None) -> tuple[Any, Any]:
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    chosen = device or ("cuda" if torch.cuda.is_available() else "cpu")
    options: dict[str, Any] = {
        "dtype": torch.float32 if chosen == "cpu" else "auto",
        "use_safetensors": True,
        "output_loading_info": True,
    }
    try:
        tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
        loader: Any = AutoModelForCausalLM
        loaded, info = loader.from_pretrained(model, trust_remote_code=False, **options)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelFolderInvalid(f"{model} cannot be loaded: {error}") from error
    if info["missing_keys"]:  # transformers would go on with random weights in their place
        missing = sorted(info["missing_keys"])
        raise ModelFolderInvalid(f"the weights of {model} lack {len(missing)} tensors, such as {missing[0]}")
    return loaded.to(chosen).eval(), tokenizer
