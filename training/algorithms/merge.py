"""`python -m training.algorithms.merge CHECKPOINT`: make a checkpoint that holds an adapter alone a whole model.

The final checkpoint of a run is one already; this is for those in the middle of a run and of a stopped one.
"""

from __future__ import annotations

import sys
from pathlib import Path

from training.algorithms.adapter_files import FOLDER, head_outputs
from training.algorithms.checkpoints import MANIFEST, PARTIAL_SUFFIX, CheckpointCorrupted, remove, verify
from training.algorithms.failures import TrainingFailure
from training.algorithms.models import ModelInvalid, load_language_model, load_reward_model
from training.algorithms.session import read_state


def main(arguments: list[str]) -> int:
    """Merge the one folder named; 0 if it is a whole model now, 1 with the reason on stderr if it is not."""
    if len(arguments) != 1:
        sys.stderr.write("Name one checkpoint's folder, such as var/runs/12/checkpoints/step-000300.\n")
        return 1
    try:
        merge_checkpoint(Path(arguments[0]))
    except TrainingFailure as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{arguments[0]} is a whole model now.\n")
    return 0


def merge_checkpoint(folder: Path) -> None:
    """Add the merged model to a checkpoint's folder; `config.json`, which makes it one, comes last.

    Raises `ModelInvalid` if the folder has no adapter, is a whole model already, or is damaged.
    """
    if (folder / "config.json").exists() or not (folder / FOLDER).is_dir():
        raise ModelInvalid(str(folder), "it is no checkpoint that holds an adapter alone.")
    try:
        if (folder / MANIFEST).exists():
            verify(folder)
    except CheckpointCorrupted as error:
        raise ModelInvalid(str(folder), str(error)) from error
    load = load_language_model if head_outputs(folder / FOLDER) is None else load_reward_model
    network = load(folder, dtype=read_state(folder)["config"]["dtype"]).network
    made = folder / f"merged{PARTIAL_SUFFIX}"
    remove(made)  # of an earlier try
    network.save_pretrained(made)
    for path in sorted(made.iterdir(), key=lambda path: path.name == "config.json"):
        path.rename(folder / path.name)
    made.rmdir()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
