"""Whatever the template and the texts: one beginning, the reply whole, one stop, and only the reply is learnt."""

from __future__ import annotations

import random

import pytest

from tests.training.algorithms.chat_templates import FORMATS, MISTRAL, ChatFormat, tokenizer_of
from training.algorithms.batches import collate
from training.algorithms.chat import with_reply
from training.algorithms.failures import TrainingFailure
from training.algorithms.tokenisation import ChatTokeniser, common_prefix_length

NUM_CASES = 40
PIECES = (
    "What is 2 + 2?",
    "four",
    "Grüße",
    "世界",
    "🙂",
    " ",
    "\n",
    "\n\n",
    "\t",
    "007",
    "[x]",
    "### ",
    "it's",
    "ab",
    "a",
    ".",
)

formats = pytest.mark.parametrize("chat_format", FORMATS, ids=[chat_format.name for chat_format in FORMATS])


def text(draw: random.Random) -> str:
    """A text of up to six pieces that are awkward in one way or another; it may be empty or blank."""
    return "".join(draw.choices(PIECES, k=draw.randrange(7)))


def conversation(draw: random.Random, chat_format: ChatFormat) -> list[dict[str, str]]:
    """One to three questions, with a system prompt before them now and then."""
    roles = ["user", "assistant"] * draw.randrange(3) + ["user"]
    if chat_format.knows_system and draw.random() < 0.5:
        roles.insert(0, "system")
    return [{"role": role, "content": text(draw)} for role in roles]


def chat_tokeniser(chat_format: ChatFormat) -> ChatTokeniser:
    return ChatTokeniser(tokenizer_of(chat_format), max_prompt_tokens=2_000, max_completion_tokens=2_000)


@formats
def test_a_tree_is_the_rendered_conversation_up_to_its_stop_token(chat_format: ChatFormat) -> None:
    chat, draw = chat_tokeniser(chat_format), random.Random(0)
    tokenizer = chat.tokenizer
    for _ in range(NUM_CASES):
        asked, replies = conversation(draw, chat_format), [text(draw), text(draw)]
        tree = chat.tree(asked, replies)
        for reply, completion in zip(replies, tree.completions, strict=True):
            rendered = str(tokenizer.apply_chat_template(with_reply(asked, reply), tokenize=False))
            up_to_stop = rendered[: rendered.rindex(chat_format.stop) + len(chat_format.stop)]
            in_front = chat_format.bos if chat_format.adds_bos else ""
            assert tokenizer.decode([*tree.prompt, *completion]) == f"{in_front}{up_to_stop}"


@formats
def test_the_completion_is_the_reply_and_one_stop_token(chat_format: ChatFormat) -> None:
    chat, draw = chat_tokeniser(chat_format), random.Random(1)
    assert chat.tokenizer.convert_ids_to_tokens(chat.stop_id) == chat_format.stop
    assert chat.pad_id != chat.stop_id
    for _ in range(NUM_CASES):
        reply = text(draw)
        (completion,) = chat.tree(conversation(draw, chat_format), [reply]).completions
        assert completion.count(chat.stop_id) == 1
        assert completion[-1] == chat.stop_id
        assert chat.decode(completion).strip().endswith(reply.strip())


@formats
def test_the_prompt_is_where_a_sampler_starts_unless_a_merge_crosses_the_boundary(chat_format: ChatFormat) -> None:
    chat, draw = chat_tokeniser(chat_format), random.Random(2)
    num_same = 0
    for _ in range(NUM_CASES):
        asked = conversation(draw, chat_format)
        sampled_from, prompt = chat.prompt(asked), chat.tree(asked, [text(draw)]).prompt
        assert common_prefix_length(prompt, sampled_from) == len(prompt)
        assert len(sampled_from) - len(prompt) <= 2
        num_same += prompt == sampled_from
    assert num_same > NUM_CASES / 2


@formats
def test_the_sequence_begins_once(chat_format: ChatFormat) -> None:
    chat, draw = chat_tokeniser(chat_format), random.Random(3)
    if chat_format.bos is None:
        assert chat.bos_id is None
        return
    assert chat.bos_id == chat.tokenizer.convert_tokens_to_ids(chat_format.bos)
    for _ in range(NUM_CASES):
        asked = conversation(draw, chat_format)
        tree = chat.tree(asked, [text(draw)])
        ids = [*tree.prompt, *tree.completions[0]]
        num_questions = sum(message["role"] == "user" for message in asked)
        assert ids[0] == chat.bos_id
        assert ids.count(chat.bos_id) == (num_questions if chat_format.name == "llama-2" else 1)  # there, each has one


@formats
def test_only_the_tokens_of_replies_are_learnt(chat_format: ChatFormat) -> None:
    chat, draw = chat_tokeniser(chat_format), random.Random(4)
    trees = [chat.tree(conversation(draw, chat_format), [text(draw), text(draw)]) for _ in range(8)]
    batch = collate(trees, pad_id=chat.pad_id)
    assert batch.targets_N.tolist() == [
        token for tree in trees for completion in tree.completions for token in completion
    ]


@formats
def test_what_is_too_long_loses_the_beginning_of_the_prompt_and_the_end_of_the_reply_and_is_counted(
    chat_format: ChatFormat,
) -> None:
    whole, draw = chat_tokeniser(chat_format), random.Random(5)
    short = ChatTokeniser(tokenizer_of(chat_format), max_prompt_tokens=24, max_completion_tokens=6)
    num_prompts = num_completions = 0
    for _ in range(NUM_CASES):
        asked, reply = conversation(draw, chat_format), text(draw)
        full, cut = whole.tree(asked, [reply]), short.tree(asked, [reply])
        ((full_reply,), (cut_reply,)) = full.completions, cut.completions
        num_prompts += len(full.prompt) > 24
        num_completions += len(full_reply) > 6
        num_begun = 0 if short.bos_id is None else 1  # BOS stays, or is put, in front
        assert cut.prompt[:num_begun] == full.prompt[:num_begun]
        assert cut.prompt[num_begun:] == full.prompt[num_begun:][-(24 - num_begun) :]
        assert cut_reply == full_reply[:6]
        assert (short.stop_id in cut_reply) == (len(full_reply) <= 6)
    assert num_prompts
    assert num_completions
    assert (short.truncated.num_prompts, short.truncated.num_completions) == (num_prompts, num_completions)


def test_a_template_that_demands_alternating_roles_names_the_conversation_that_breaks_it() -> None:
    asked = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "a"}]
    with pytest.raises(TrainingFailure, match="roles system, user: Roles must alternate"):
        chat_tokeniser(MISTRAL).prompt(asked)
