"""Model cards and what they are made of."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.factory import Factory
from tests.training.algorithms.builders import saved_model
from training import provenance
from training.algorithms.chat import CHAT_TEMPLATE
from training.model_card import ancestors, model_card, plain


def test_a_card_names_data_parents_settings_hashes_and_measurements(factory: Factory) -> None:
    root = factory.model("Base", source="hub", location="org/base")
    parent = factory.model("Tuned", parent=root)
    dataset = factory.dataset("Pairs", campaigns=[factory.campaign("Judged")])
    run = factory.training_run(
        "My run",
        algorithm="dpo",
        dataset=dataset,
        init_model=parent,
        seed=41,
        config={"beta": 0.25, "fresh": {"num_layers": 3}},
        spec_sha256="5" * 64,
        provenance={
            "code_revision": "abc123",
            "lock_sha256": "d" * 64,
            "template_sha256": "e" * 64,
            "packages": {"torch": "2.9"},
        },
        data_report=factory.data_report(dataset),
    )

    card = model_card(run)

    for words in (
        "# My run",
        f"`{dataset.sha256}`",
        "Judged (campaign",
        "Tuned (model",
        "`org/base`",
        "| `seed` | 41 |",
        "| `beta` | 0.25 |",
        "| `fresh.num_layers` | 3 |",
        "`abc123`",
        "d" * 64,
        "e" * 64,
        "5" * 64,
        "torch 2.9",
        "6 rows trained on",
        "| held out accuracy | 0.75 |",
        "0" * 64,
    ):
        assert words in card, words


def test_evaluations_of_what_was_published_are_in_it_with_their_intervals(factory: Factory) -> None:
    run, evaluation = factory.training_run(), factory.evaluation("Contest")
    run.checkpoints.update(language_model=evaluation.subjects.get())

    assert "| Contest | win rate | 0.620 | 0.550 – 0.690 | 4 |" in model_card(run)


def test_ppo_names_its_prompts_their_licence_and_its_reward_model(factory: Factory) -> None:
    prompts = factory.prompt_set(licence="CC0", source="made by hand")
    run = factory.training_run(algorithm="ppo", prompt_set=prompts)

    card = model_card(run)

    assert "| Licence | CC0 |" in card
    assert f"| Reward model | {run.reward_model}" in card


def test_a_run_that_has_not_begun_has_a_card_too(factory: Factory) -> None:
    card = model_card(factory.training_run(algorithm="sft", status="queued", num_steps=0))

    assert "fresh weights" in card
    assert "not recorded" in card
    assert "## Its weights" not in card


def test_names_cannot_break_out_of_their_cell(factory: Factory) -> None:
    run = factory.training_run("a | b\n# c <script>")

    assert "# a \\| b \\# c \\<script\\>" in model_card(run)
    assert plain("x\ny") == "x y"


def test_parents_that_form_a_ring_are_named_once(factory: Factory) -> None:
    one = factory.model()
    two = factory.model(parent=one)
    one.parent = two
    one.save(update_fields=["parent"])

    assert ancestors(one) == [one, two]


def test_provenance_has_the_hashes_of_code_lock_file_and_template(factory: Factory) -> None:
    made = provenance.provenance_of(factory.training_run(algorithm="sft"))

    assert made["template_sha256"] == hashlib.sha256(CHAT_TEMPLATE.encode()).hexdigest()
    assert made["lock_sha256"] == hashlib.sha256(Path("requirements/base.lock").read_bytes()).hexdigest()
    assert len(made["trainer_sha256"]) == 64
    assert made["packages"]["torch"]


def test_the_template_of_a_folder_is_hashed(factory: Factory, tmp_path: Path) -> None:
    folder = saved_model(tmp_path)

    assert provenance.template_sha256(folder) == provenance.template_sha256(None)
    assert provenance.template_sha256("/nowhere") == ""
    (tmp_path / "chat_template.jinja").unlink()
    (tmp_path / "tokenizer_config.json").write_text('{"chat_template": "{{ x }}"}')
    assert provenance.template_sha256(folder) == hashlib.sha256(b"{{ x }}").hexdigest()


def test_the_revision_is_read_from_git_packed_or_not(tmp_path: Path) -> None:
    assert provenance.code_revision(tmp_path) == ""
    git = tmp_path / ".git"
    (git / "refs/heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "packed-refs").write_text("# pack-refs\naaa refs/heads/main\n")
    assert provenance.code_revision(tmp_path) == "aaa"
    (git / "refs/heads/main").write_text("bbb\n")
    assert provenance.code_revision(tmp_path) == "bbb"
    (git / "HEAD").write_text("ccc\n")
    assert provenance.code_revision(tmp_path) == "ccc"


def test_other_code_has_another_hash(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1")
    before = provenance.trainer_sha256(tmp_path)
    (tmp_path / "a.py").write_text("x = 2")

    assert provenance.trainer_sha256(tmp_path) != before
