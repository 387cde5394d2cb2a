"""What a pipeline run can be told."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from core.errors import ConcordError

KINDS = ("starter", "pairs")


class OptionsInvalid(ConcordError):
    """The options of a pipeline contradict each other or name something unknown."""

    status = 422
    title = "This pipeline cannot start"


@dataclass(frozen=True, kw_only=True)
class PipelineOptions:
    """Stored as JSON on the run. Raises `OptionsInvalid` on construction."""

    kind: str = "starter"  # "starter": sample and judge the starter prompts; "pairs": learn from a file's judgments
    seed: int = 0  # of prompts, training, sampling and bootstrap
    data: str = ""  # pairs: path of a JSONL file (.gz too) in the hh-rlhf or TRL layout
    model: str = ""  # folder or hub id to start from; "" starts a small fresh Llama
    vllm_url: str = ""  # starter: sample the candidates from the model that this server serves
    sizes: dict[str, Any] = field(default_factory=dict)  # fields of training.algorithms.presets.StarterSizes
    configs: dict[str, dict[str, Any]] = field(default_factory=dict)  # algorithm → fields that replace the preset's

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise OptionsInvalid(f"kind must be one of {', '.join(KINDS)}, got {self.kind!r}.")
        if (self.kind == "pairs") != bool(self.data):
            raise OptionsInvalid("A pipeline over pairs needs data, the path of a file; the starter one takes none.")
        if self.kind == "pairs" and self.vllm_url:
            raise OptionsInvalid("A pipeline over pairs samples nothing; leave vllm_url empty.")
        if not isinstance(self.seed, int) or not 0 <= self.seed < 2**31:
            raise OptionsInvalid(f"seed must be a whole number from 0 to 2³¹ − 1, got {self.seed!r}.")
        if not isinstance(self.sizes, dict) or not isinstance(self.configs, dict):
            raise OptionsInvalid("sizes and configs must be JSON objects.")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> "PipelineOptions":
        names = {item.name for item in fields(cls)}
        if unknown := sorted(set(raw) - names):
            raise OptionsInvalid(f"Unknown option {unknown[0]!r}; known are {', '.join(sorted(names))}.")
        return cls(**raw)
