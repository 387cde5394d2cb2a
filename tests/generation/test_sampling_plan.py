from __future__ import annotations

from generation.sampling_plan import arm_conversation, prompt_seed

USER = {"role": "user", "content": "Hello"}
SYSTEM = {"role": "system", "content": "You are a pirate."}


def test_without_a_system_prompt_the_conversation_is_the_prompt() -> None:
    assert arm_conversation([SYSTEM, USER], "") == [SYSTEM, USER]


def test_a_system_prompt_comes_first_and_every_turn_stays() -> None:
    turns = [USER, {"role": "assistant", "content": "Hi"}, {"role": "user", "content": "And?"}]
    assert arm_conversation(turns, "Be brief.") == [{"role": "system", "content": "Be brief."}, *turns]


def test_the_prompts_own_system_turn_follows_in_the_same_turn() -> None:
    joined = {"role": "system", "content": "Be brief.\n\nYou are a pirate."}
    assert arm_conversation([SYSTEM, USER], "Be brief.") == [joined, USER]
    assert SYSTEM["content"] == "You are a pirate."


def test_a_seed_depends_on_run_prompt_and_arm_and_fits_every_server() -> None:
    seeds = {prompt_seed(run, prompt, arm) for run in (0, 1, 2**63 - 1) for prompt in ("a", "b") for arm in (0, 1)}
    assert len(seeds) == 12
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert prompt_seed(0, "a", 0) == prompt_seed(0, "a", 0)
