from __future__ import annotations

from typing import Any

import pytest

from tests.generation.engines.tiny_model import build_model, build_tokenizer


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return build_tokenizer(["Say cat twice.", "What is 3 plus 4?", "a dog and a cat", "Grüße aus dem Süden 🙂"])


@pytest.fixture(scope="session")
def model(tokenizer: Any) -> Any:
    return build_model(tokenizer)
