"""A model server that judges: it prefers the reply with most pluses, and can be told to misbehave."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.generation.engines.chat_server import Reply, completion

_REPLY = re.compile(r"<<<REPLY ([A-I]) \w+>>>\n(.*?)\n<<<END OF REPLY", re.DOTALL)
Say = Callable[[dict[str, str]], str]  # letter → reply text; what the judge says


def best(replies: dict[str, str]) -> str:
    """The letter of the reply with most pluses; C where they are level."""
    counts = {letter: text.count("+") for letter, text in replies.items()}
    top = [letter for letter, count in counts.items() if count == max(counts.values())]
    return top[0] if len(top) == 1 else "C"


@dataclass
class JudgeServer:
    """What the judge says, and what it was asked."""

    say: Say = best
    finish_reason: str = "stop"
    asked: Counter[str] = field(default_factory=Counter)  # request → how often
    num_answers: int | None = None  # after so many it waits for `goes_on`
    num_together: int = 1  # nobody is answered before so many have asked
    goes_on: threading.Event = field(default_factory=threading.Event)
    has_company: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, path: str, body: dict[str, Any]) -> Reply:
        """Letters go out in the object that a list of choices is asked for with."""
        content = body["messages"][-1]["content"]
        with self._lock:
            self.asked[content] += 1
            if sum(self.asked.values()) >= self.num_together:
                self.has_company.set()
            is_late = self.num_answers is not None and sum(self.asked.values()) > self.num_answers
        self.has_company.wait(20)
        if is_late:
            self.goes_on.wait(120)
        said = self.say(dict(_REPLY.findall(content)))
        schema = body.get("response_format", {}).get("json_schema", {}).get("schema", {})
        wants_choice = set(schema.get("properties", {})) == {"choice"}
        text = json.dumps({"choice": said}) if wants_choice and len(said) == 1 else said
        return completion(text, finish_reason=self.finish_reason, prompt_tokens=100, tokens=10)
