"""Which token ends a reply, read from a folder's files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from training.stop_token import stop_token_id

CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
LLAMA_3 = "{{ bos_token }}{% for m in messages %}<|head|>{{ m.role }}\n\n{{ m.content | trim }}<|eot|>{% endfor %}"
MISTRAL = "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST]{{ m.content }}[/INST]{% else %}{{ m.content + eos_token }}{% endif %}{% endfor %}"  # noqa: E501 -- one line, as such templates are


def folder_with(folder: Path, template: str, *, in_settings: bool = False, **settings: Any) -> Path:
    tokens = ["<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|head|>", "<|eot|>"]
    added = [{"id": number, "content": token, "special": True} for number, token in enumerate(tokens)]
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": added}))
    config: dict[str, Any] = {"bos_token": "<s>", "eos_token": "</s>", **settings}
    if in_settings:
        config["chat_template"] = template
    else:
        (folder / "chat_template.jinja").write_text(template)
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(("template", "stop"), [(CHATML, 4), (LLAMA_3, 6), (MISTRAL, 2)], ids=["4", "6", "2"])
@pytest.mark.parametrize("in_settings", [False, True])
def test_the_token_behind_a_reply_ends_it(tmp_path: Path, template: str, stop: int, in_settings: bool) -> None:
    assert stop_token_id(folder_with(tmp_path, template, in_settings=in_settings)) == stop


@pytest.mark.parametrize(
    "template", ["", "{{ messages[-1].content }}", "{{ raise_exception('no') }}", "{% if %}", "{{ messages[9].role }}"]
)
def test_a_template_that_says_nothing_leaves_the_tokenizers_end(tmp_path: Path, template: str) -> None:
    assert stop_token_id(folder_with(tmp_path, template)) == 2


def test_a_token_may_be_an_object(tmp_path: Path) -> None:
    assert stop_token_id(folder_with(tmp_path, MISTRAL, eos_token={"content": "</s>"})) == 2


def test_without_files_there_is_none(tmp_path: Path) -> None:
    assert stop_token_id(tmp_path) is None


def test_a_template_cannot_reach_out_of_its_sandbox(tmp_path: Path) -> None:
    assert stop_token_id(folder_with(tmp_path, "{{ ''.__class__.__mro__[1].__subclasses__() }}")) == 2
