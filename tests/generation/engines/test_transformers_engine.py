from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from math import exp
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from generation.engines.base import Conversation, Engine, SampledText, SamplingParameters
from generation.engines.errors import (
    ContextOverflow,
    ConversationRefused,
    MissingChatTemplate,
    ModelFolderInvalid,
    ParametersInvalid,
    ParametersUnsupported,
)
from generation.engines.transformers_engine import TransformersEngine
from tests.generation.engines.draining import drain
from tests.generation.engines.tiny_model import END_TOKEN, build_model, build_tokenizer, save

CONVERSATIONS: list[Conversation] = [
    [{"role": "user", "content": text}] for text in ("Say cat twice.", "a", "What is 3 plus 4? " * 3, "Grüße 🙂")
]
PARAMETERS = SamplingParameters(max_new_tokens=12, seed=1)


@pytest.fixture(scope="module")
def engine(model: Any, tokenizer: Any) -> TransformersEngine:
    return TransformersEngine(model, tokenizer)


def sample(
    engine: Engine,
    conversations: list[Conversation],
    *,
    num_completions: int = 3,
    parameters: SamplingParameters = PARAMETERS,
) -> dict[int, list[SampledText]]:
    return dict(engine.sample(conversations, num_completions=num_completions, parameters=parameters))


def test_every_conversation_gets_its_replies(engine: TransformersEngine) -> None:
    replies = sample(engine, CONVERSATIONS)
    assert sorted(replies) == [0, 1, 2, 3]
    assert all(len(own) == 3 for own in replies.values())
    assert len({reply.text for own in replies.values() for reply in own}) > 6


def test_the_same_seed_gives_the_same_replies_and_another_does_not(engine: TransformersEngine) -> None:
    assert sample(engine, CONVERSATIONS) == sample(engine, CONVERSATIONS)
    other = SamplingParameters(max_new_tokens=12, seed=2)
    assert sample(engine, CONVERSATIONS) != sample(engine, CONVERSATIONS, parameters=other)


def test_a_resumed_run_draws_what_an_uninterrupted_one_draws(engine: TransformersEngine) -> None:
    whole = sample(engine, CONVERSATIONS)
    rest = sample(engine, CONVERSATIONS[2:])
    assert [rest[0], rest[1]] == [whole[2], whole[3]]


def test_the_size_of_batches_does_not_change_the_replies(
    model: Any, tokenizer: Any, engine: TransformersEngine
) -> None:
    one_by_one = TransformersEngine(model, tokenizer, batch_tokens=1)
    assert sample(one_by_one, CONVERSATIONS) == sample(engine, CONVERSATIONS)


def test_fewer_replies_are_the_first_of_more(engine: TransformersEngine) -> None:
    one, three = sample(engine, CONVERSATIONS, num_completions=1), sample(engine, CONVERSATIONS)
    assert [one[index][0] for index in range(4)] == [three[index][0] for index in range(4)]


def test_equal_conversations_draw_different_replies(engine: TransformersEngine) -> None:
    replies = sample(engine, [CONVERSATIONS[0], CONVERSATIONS[0]])
    assert replies[0] != replies[1]


def test_temperature_zero_repeats_itself(engine: TransformersEngine) -> None:
    greedy = SamplingParameters(temperature=0, max_new_tokens=12)
    first, second, third = sample(engine, CONVERSATIONS[:1], parameters=greedy)[0]
    assert first == second == third


def test_the_prompt_is_what_the_chat_template_makes_of_the_conversation(
    engine: TransformersEngine, tokenizer: Any
) -> None:
    rendered = "<|system|>Be brief.<|end|><|user|>a<|end|><|assistant|>"
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "a"}]
    expected = len(tokenizer(rendered, add_special_tokens=False)["input_ids"])
    assert sample(engine, [turns])[0][0].num_prompt_tokens == expected


def test_the_end_token_ends_a_reply_and_is_counted_but_not_shown(tokenizer: Any) -> None:
    class AlwaysEnd(torch.nn.Module):
        """A model that is sure of the end token."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = build_model(tokenizer)
            self.config, self.generation_config, self.device = self.inner.config, None, torch.device("cpu")

        def forward(self, **inputs: Any) -> Any:
            output = self.inner(**inputs)
            output.logits[..., tokenizer.eos_token_id] = 1e4
            return output

    (reply,) = sample(TransformersEngine(AlwaysEnd(), tokenizer), CONVERSATIONS[:1], num_completions=1)[0]
    assert (reply.text, reply.finish_reason, reply.num_tokens) == ("", "stop", 1)


def test_a_reply_without_end_is_cut_at_the_limit(engine: TransformersEngine) -> None:
    greedy = SamplingParameters(temperature=0, max_new_tokens=5)
    reply = sample(engine, CONVERSATIONS[:1], num_completions=1, parameters=greedy)[0][0]
    assert (reply.finish_reason, reply.num_tokens) == ("length", 5)


def test_a_stop_text_ends_a_reply_and_is_cut_off(engine: TransformersEngine) -> None:
    whole = sample(engine, CONVERSATIONS[:1])[0][0]
    stop = whole.text[5:7]
    parameters = SamplingParameters(max_new_tokens=12, seed=1, stop=(stop, "never said"))
    reply = sample(engine, CONVERSATIONS[:1], parameters=parameters)[0][0]
    assert reply.text == whole.text[: whole.text.index(stop)]
    assert reply.finish_reason == "stop"
    assert reply.num_tokens < whole.num_tokens


def test_what_does_not_fit_the_context_fails_alone(engine: TransformersEngine) -> None:
    too_long = [{"role": "user", "content": "cat dog " * 200}]
    sampled, failures = drain(engine.sample([too_long, CONVERSATIONS[0]], num_completions=1, parameters=PARAMETERS))
    assert set(sampled) == {1}
    assert isinstance(failures[0], ContextOverflow)
    assert "exceed the model's context of 256" in str(failures[0])


def test_a_conversation_that_the_template_refuses_fails_alone(model: Any, tokenizer: Any) -> None:
    picky = build_tokenizer(["a"])
    picky.chat_template = "{% if messages[0]['role'] != 'user' %}{{ raise_exception('user first') }}{% endif %}x"
    turns = [{"role": "system", "content": "a"}]
    sampled, failures = drain(
        TransformersEngine(build_model(picky), picky).sample(
            [turns, CONVERSATIONS[0]], num_completions=1, parameters=PARAMETERS
        )
    )
    assert set(sampled) == {1}
    assert isinstance(failures[0], ConversationRefused)
    assert "user first" in str(failures[0])


def test_a_lone_surrogate_in_a_prompt_is_harmless(engine: TransformersEngine) -> None:
    assert len(sample(engine, [[{"role": "user", "content": "a\ud800b"}]])[0]) == 3


def test_less_than_one_reply_is_refused(engine: TransformersEngine) -> None:
    with pytest.raises(ParametersInvalid, match="num_completions"):
        sample(engine, CONVERSATIONS, num_completions=0)


def test_a_folder_is_loaded(tmp_path: Path, model: Any, tokenizer: Any, engine: TransformersEngine) -> None:
    save(tmp_path, model, tokenizer)
    loaded = TransformersEngine.load(str(tmp_path), device="cpu")
    assert sample(loaded, CONVERSATIONS) == sample(engine, CONVERSATIONS)
    loaded.close()
    loaded.close()


def test_a_folder_without_tokenizer_is_refused(tmp_path: Path, model: Any) -> None:
    model.save_pretrained(tmp_path)
    with pytest.raises(ModelFolderInvalid, match=r"tokenizer\.json is missing"):
        TransformersEngine.load(str(tmp_path))


def test_weights_that_cannot_be_read_are_refused(tmp_path: Path, model: Any, tokenizer: Any) -> None:
    save(tmp_path, model, tokenizer)
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelFolderInvalid, match="cannot be loaded"):
        TransformersEngine.load(str(tmp_path))


def test_weights_that_lack_a_tensor_are_refused(tmp_path: Path, model: Any, tokenizer: Any) -> None:
    save(tmp_path, model, tokenizer)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelFolderInvalid, match=r"lack 1 tensors, such as model\.norm\.weight"):
        TransformersEngine.load(str(tmp_path))


def test_a_hub_id_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelFolderInvalid, match="nobody/nothing cannot be loaded"):
        TransformersEngine.load("nobody/nothing")


def test_a_model_without_chat_template_is_refused(model: Any) -> None:
    base = build_tokenizer([END_TOKEN])
    base.chat_template = None
    with pytest.raises(MissingChatTemplate, match="the model has no chat template: use the"):
        TransformersEngine(model, base)


def test_importing_the_engines_does_not_import_torch() -> None:
    modules = ", ".join(
        f"generation.engines.{name}"
        for name in ("base", "errors", "model_folder", "openai_engine", "scripted", "transformers_engine")
    )
    code = f"import sys, {modules}; sys.exit(bool({{'torch', 'transformers', 'django'}} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_conversation_with_the_same_seed_of_its_own_gets_the_same_replies(engine: TransformersEngine) -> None:
    seeded = dict(engine.sample(CONVERSATIONS[:2], num_completions=2, parameters=PARAMETERS, seeds=[5, 6]))
    swapped = dict(engine.sample(CONVERSATIONS[1::-1], num_completions=2, parameters=PARAMETERS, seeds=[6, 5]))
    assert (seeded[0], seeded[1]) == (swapped[1], swapped[0])
    assert seeded[0] != sample(engine, CONVERSATIONS[:1], num_completions=2)[0]


def test_log_probabilities_are_those_of_the_model(engine: TransformersEngine, model: Any, tokenizer: Any) -> None:
    import torch

    parameters = SamplingParameters(max_new_tokens=5, seed=3, temperature=0.5, top_p=0.9, num_logprobs=4)
    (reply,) = sample(engine, CONVERSATIONS[:1], num_completions=1, parameters=parameters)[0]
    text = tokenizer.apply_chat_template(CONVERSATIONS[0], tokenize=False, add_generation_prompt=True)
    tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert len(reply.logprobs) == reply.num_tokens == 5
    for drawn in reply.logprobs:
        with torch.inference_mode():
            expected = model(input_ids=torch.tensor([tokens])).logits[0, -1].log_softmax(-1)
        same = [token for token in expected.argsort(descending=True) if tokenizer.decode([token]) == drawn.token]
        token = min(same, key=lambda token: abs(float(expected[token]) - drawn.logprob))
        assert drawn.logprob == pytest.approx(float(expected[token]), abs=1e-4)
        assert max(drawn.top.values()) == pytest.approx(float(expected.max()), abs=1e-4)
        assert drawn.token in drawn.top
        tokens.append(int(token))


def test_a_reply_can_be_held_to_one_of_several_texts(engine: TransformersEngine) -> None:
    parameters = SamplingParameters(choices=("cat", "cats", "a dog"), max_new_tokens=10, num_logprobs=3)
    replies = [
        reply
        for own in sample(engine, CONVERSATIONS, num_completions=20, parameters=parameters).values()
        for reply in own
    ]
    assert {reply.text for reply in replies} == {"cat", "cats", "a dog"}
    assert {reply.finish_reason for reply in replies} == {"stop"}
    first = replies[0].logprobs[0]  # among the first tokens of the choices alone
    assert sum(exp(logprob) for logprob in first.top.values()) == pytest.approx(1.0, abs=1e-5)


def test_the_likeliest_choice_is_taken_at_temperature_0(engine: TransformersEngine) -> None:
    parameters = SamplingParameters(choices=("A", "B"), temperature=0, max_new_tokens=4, num_logprobs=2)
    for (reply,) in sample(engine, CONVERSATIONS, num_completions=1, parameters=parameters).values():
        top = reply.logprobs[0].top
        assert set(top) == {"A", "B"}
        assert reply.text == max(top, key=lambda token: top[token])


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        (SamplingParameters(json_schema={"type": "object"}), ParametersUnsupported, "serve_model"),
        (SamplingParameters(adapter="polite"), ParametersUnsupported, "polite"),
        (SamplingParameters(choices=("A",), stop=("B",)), ParametersUnsupported, "leave stop out"),
        (SamplingParameters(choices=("a dog and a cat",), max_new_tokens=1), ParametersInvalid, "raise it"),
    ],
)
def test_what_this_process_cannot_do_is_said(
    engine: TransformersEngine, parameters: SamplingParameters, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        sample(engine, CONVERSATIONS, parameters=parameters)


def test_the_revision_of_a_checkpoint_is_the_sum_of_its_manifest(tmp_path: Path, model: Any, tokenizer: Any) -> None:
    save(tmp_path, model, tokenizer)
    (tmp_path / "manifest.json").write_text("{}")
    loaded = TransformersEngine.load(str(tmp_path))
    (reply,) = sample(loaded, CONVERSATIONS[:1], num_completions=1)[0]
    assert reply.model_revision == f"manifest {sha256(b'{}').hexdigest()}"
