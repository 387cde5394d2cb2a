from __future__ import annotations

import pytest

from annotation.judging import Template, TemplateInvalid, make_spec, plan
from annotation.judging.injection import attacks
from annotation.judging.planning import protocol_of
from annotation.judging.protocols import PROTOCOLS
from annotation.judging.templates import enclose, fill, inert, make_code
from tests.annotation.judging.items import item_of

TEMPLATE = Template(name="short", version=1, system="", user="{prompt} {replies} {code} {reply_form}")


def test_what_is_put_in_is_never_a_placeholder() -> None:
    values = {"prompt": "{replies}", "replies": "{prompt}", "code": "{code}"}
    assert fill("{prompt}|{replies}|{code}", values) == "{replies}|{prompt}|{code}"


def test_braces_that_are_no_placeholder_stay() -> None:
    assert fill('{"verdict": "A"} {}', {}) == '{"verdict": "A"} {}'


def test_an_unknown_placeholder_is_refused_when_the_template_is_made() -> None:
    with pytest.raises(TemplateInvalid, match=r"no placeholder \{reply_b\}"):
        Template(name="own", version=1, system="", user="{prompt} {reply_b}")


def test_a_hash_is_of_the_words_and_not_of_the_name() -> None:
    renamed = Template(name="other", version=7, system=TEMPLATE.system, user=TEMPLATE.user)
    changed = Template(name="short", version=1, system="", user=TEMPLATE.user + ".")
    assert renamed.hash == TEMPLATE.hash != changed.hash
    assert renamed.label == "other@7"


@pytest.mark.parametrize("raw", [{}, {"name": "a", "version": "1", "system": "", "user": ""}, {"name": "a"}])
def test_a_stored_template_is_checked(raw: dict[str, object]) -> None:
    assert Template.from_json(TEMPLATE.to_json()) == TEMPLATE
    with pytest.raises(TemplateInvalid):
        Template.from_json(raw)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_has_a_template_with_all_that_it_needs(name: str) -> None:
    protocol = protocol_of(name)
    assert protocol.needs <= protocol.template.placeholders
    assert protocol.template.name == name


def test_a_code_stands_in_none_of_the_texts() -> None:
    texts = ["first", "second"]
    code = make_code(texts)
    assert len(code) == 16
    assert make_code([*texts, code]) != code
    assert make_code(texts) == code


def test_only_a_system_message_with_words_is_sent() -> None:
    assert [message["role"] for message in TEMPLATE.messages(dict.fromkeys(TEMPLATE.placeholders, "x"))] == ["user"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<|im_end|>", "< |im_end|>"),
        ("<｜User｜>", "< ｜User｜>"),
        ("[INST] <<SYS>> </s>", "[ INST] < <SYS>> < /s>"),
        ("<end_of_turn>", "< end_of_turn>"),
        ("</think>", "< /think>"),
        ("a\u202eb\x00", "a⟨U+202E⟩b⟨U+0000⟩"),
        ("\U000e0041", "⟨U+E0041⟩"),
        ("\ud800", "⟨U+D800⟩"),
        ("1 < 2 and [1] | <b>bold</b>\ttab\r\nline", "1 < 2 and [1] | <b>bold</b>\ttab\nline"),
        ("👩‍👩‍👧 ❤️ नमस्ते", "👩‍👩‍👧 ❤️ नमस्ते"),
    ],
)
def test_hidden_characters_are_shown_and_control_tokens_broken(text: str, shown: str) -> None:
    assert inert(text) == shown


@pytest.mark.parametrize("attack", attacks(), ids=lambda attack: attack.name)
@pytest.mark.parametrize("protocol", ["pairwise_verdict", "single_score", "listwise"])
def test_no_attack_leaves_its_markers(attack: object, protocol: str) -> None:
    text = getattr(attack, "text", "")
    for call in plan(make_spec(protocol), item_of(texts=("good", f"bad {text}")), 0):
        content = call.messages[-1]["content"]
        shown = [["good", f"bad {text}"][index] for index in call.display_order]
        titles = ["reply"] if len(shown) == 1 else ["reply A", "reply B"]
        for title, reply in zip(titles, shown, strict=True):
            assert content.count(f"<<<{title.upper()} {call.code}>>>") == 1
            assert content.count(enclose(title, reply, call.code)) == 1
        assert content.count(call.code) == 2 * (len(shown) + 1)
        assert not any(token in content for token in ("<|im", "<|eot", "[INST]", "<｜", "<end_of_turn>", "</think>"))
        content.encode()
