"""LLM judges as pure functions: what to ask, what a reply says, what the replies come to, how good the judge is.

    spec = make_spec("pairwise_reasoning", conflict="abstain", temperature=0.7, num_samples=3)
    calls = plan(spec, item, seed)                       # each with messages, schema or choices, seed and `key`
    outcome = read(call, reply)                          # Verdict, Unparsed, Refused or Truncated; never raises
    call = retry(call, outcome)                          # as long as the outcome is no verdict
    judged = combine(spec, item, [(call, outcome), …])   # `answer` for `annotation.answers`, or `reason`

- A `JudgeSpec` is a judge without its model. It is JSON (`to_json`, `spec_from_json`) and has a `hash`; its `template`
  has one of its own. `why_not(spec, question)` says why a judge cannot answer a question; `plan` raises `CannotJudge`.
- An `Item` is a comparison: prompt messages, texts by index, the question, a reference or None, its number in the run
  (which balances orders exactly) or the display order of its lease.
- A `JudgeCall` has `messages`, `display_order`, `json_schema` or `choices`, `num_logprobs`, `max_new_tokens`,
  `temperature`, `top_p`, `seed`; `template_hash`, `round`, `part`, `sample` and `attempt` say what it is for. As JSON
  (`to_json`, `from_json`) it is all that `read` needs: re-reading a stored reply needs no new call.
- `cache_key(call, model=…, model_revision=…, adapter=…)` is the address of a reply. Store only what `is_cacheable`.
- A `Reply` is anything with `text`, `finish_reason` and `logprobs` (tokens with `token`, `logprob` and `top`), such as
  an engine's `SampledText`; `TextReply` is one by itself.
- A `Judged` has the answer or the reason for none, tiers, soft `probabilities` and `preference`, `margin`, `flipped`,
  the answers by displayed order, and counts of calls, unparsed, refused and truncated replies.
- `judge_item(spec, item, source=…)` does all of it with a function that answers; `combine_panel` joins judges.

Elsewhere: `calibration` (against people), `routing` (who decides what), `injection` (attacks and their success),
`recorded` (replaying), `rubric` (scripted judges without a model). Names, schemas and templates:
docs/reference/judging.md; biases and what to do about them: docs/explanation/judges.md.
"""

from annotation.judging.asking import Source, ask, judge_item
from annotation.judging.calls import Item, JudgeCall, Reply, ReplyToken, TextReply, TokenLogprob, cache_key
from annotation.judging.combining import combine
from annotation.judging.outcomes import (
    Failure,
    Judged,
    OrderAnswer,
    Outcome,
    Probabilities,
    Refused,
    Truncated,
    Unparsed,
    Verdict,
)
from annotation.judging.panel import combine_panel
from annotation.judging.planning import (
    CannotJudge,
    check_spec,
    display_orders,
    make_spec,
    num_orders,
    plan,
    retry,
    spec_from_json,
    why_not,
)
from annotation.judging.protocols import PROTOCOLS
from annotation.judging.reading import is_cacheable, read
from annotation.judging.spec import Aspect, Criterion, JudgeSpec, SpecInvalid
from annotation.judging.templates import Template, TemplateInvalid

__all__ = [
    "PROTOCOLS",
    "Aspect",
    "CannotJudge",
    "Criterion",
    "Failure",
    "Item",
    "JudgeCall",
    "JudgeSpec",
    "Judged",
    "OrderAnswer",
    "Outcome",
    "Probabilities",
    "Refused",
    "Reply",
    "ReplyToken",
    "Source",
    "SpecInvalid",
    "Template",
    "TemplateInvalid",
    "TextReply",
    "TokenLogprob",
    "Truncated",
    "Unparsed",
    "Verdict",
    "ask",
    "cache_key",
    "check_spec",
    "combine",
    "combine_panel",
    "display_orders",
    "is_cacheable",
    "judge_item",
    "make_spec",
    "num_orders",
    "plan",
    "read",
    "retry",
    "spec_from_json",
    "why_not",
]
