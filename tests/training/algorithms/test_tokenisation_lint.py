"""What the checks of tokenizer and template say about well-known templates."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.training.algorithms.builders import tokenizer
from tests.training.algorithms.chat_templates import FORMATS, MISTRAL, ChatFormat, tokenizer_of
from training.algorithms.data_rows import DataRow, data_rows
from training.algorithms.tokenisation import ChatTokeniser
from training.algorithms.tokenisation_lint import UNLIMITED, lint, token_counts


def chat(made: Any) -> ChatTokeniser:
    return ChatTokeniser(made, max_prompt_tokens=UNLIMITED, max_completion_tokens=UNLIMITED)


def row(chosen: str = "bee", rejected: str = "cat", role: str = "user") -> DataRow:
    prompt = json.dumps([{"role": role, "content": "Say bee."}])
    (made,) = data_rows([{"prompt": prompt, "chosen": chosen, "rejected": rejected, "split": "train"}])
    return made


def checks(tokeniser: ChatTokeniser, *rows: DataRow) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in lint(tokeniser, rows)}


@pytest.mark.parametrize("chat_format", FORMATS, ids=lambda one: one.name)
def test_well_known_templates_keep_bos_stop_and_padding(chat_format: ChatFormat) -> None:
    found = checks(chat(tokenizer_of(chat_format)), row())

    assert found["bos"]["is_kept"]
    assert found["stop"]["is_kept"]
    assert chat_format.stop in found["stop"]["text"]
    assert found["pad"]["is_kept"]


def test_our_own_template_keeps_every_rule() -> None:
    assert all(check["is_kept"] for check in lint(chat(tokenizer()), [row()]))


def test_an_eos_that_is_not_the_stop_token_is_named() -> None:
    (chatml,) = [one for one in FORMATS if one.name == "chatml"]

    assert "<|endoftext|>" in checks(chat(tokenizer_of(chatml)))["stop"]["text"]


def test_a_template_that_trims_replies_is_named() -> None:
    (llama,) = [one for one in FORMATS if one.name == "llama-3"]

    found = checks(chat(tokenizer_of(llama)), row(chosen="  bee  "))

    assert not found["round_trip"]["is_kept"]
    assert found["round_trip"]["text"].startswith("1 of 2 replies")


def test_a_template_whose_waiting_prompt_no_reply_follows_is_named() -> None:
    made = tokenizer_of(MISTRAL)
    kept = made.chat_template
    made.chat_template = kept + "{% if add_generation_prompt %}[INST]{% endif %}"
    try:
        assert not checks(chat(made))["generation_prompt"]["is_kept"]
    finally:
        made.chat_template = kept  # the tokenizer is shared


def test_tokens_are_counted_with_their_stop_token() -> None:
    tokeniser = chat(tokenizer())
    tree = tokeniser.tree(row().conversation, ["bee", "cat"])

    counted = token_counts(tokeniser, row())

    assert counted is not None
    assert counted.prompt == len(tree.prompt)
    assert counted.completions == tuple(len(ids) for ids in tree.completions)


def test_a_prompt_alone_is_counted_as_it_is_sampled_from() -> None:
    tokeniser = chat(tokenizer())
    (prompt,) = data_rows([{"prompt": json.dumps([{"role": "user", "content": "Say bee."}]), "split": "train"}])

    counted = token_counts(tokeniser, prompt)

    assert counted is not None
    assert (counted.prompt, counted.completions) == (len(tokeniser.prompt(prompt.conversation)), ())


def test_a_row_whose_roles_the_template_refuses_has_no_count() -> None:
    assert token_counts(chat(tokenizer_of(MISTRAL)), row(role="system")) is None
