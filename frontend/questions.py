"""The form in which a manager writes a question, and the way between it and `annotation.question.Question`."""

from typing import Any

from django import forms

from annotation.question import Question, QuestionInvalid
from annotation.question_rules import MAX_LABEL_CHARACTERS, MAX_LABELS, MAX_POINTS, MAX_TITLE_CHARACTERS

ALL, TOP, TRAY = "all", "top", "tray"
KINDS = [
    ("pairwise", "Two replies: which is better"),
    ("ranking", "A ranking: best to worst"),
    ("rating", "Points for each reply"),
    ("demonstration", "Write the ideal reply"),
]
STRENGTHS = [(1, "a side only"), *((number, f"{number} degrees of better") for number in range(2, 8))]
POINTS = [(2, "a thumb up or down"), *((number, f"1 to {number}") for number in range(3, MAX_POINTS + 1))]
ORDERED = [(ALL, "all replies"), (TOP, "only the best few"), (TRAY, "those that can be ordered; a tray for the others")]
RATIONALES = [
    ("none", "not asked"),
    ("optional", "may be given"),
    ("required", "must be given"),
    ("sampled", "must be given for a share of the tasks"),
    ("disputed", "must be given where judgments differ"),
]
UNSAFE = [("refuse", "refuse the answer"), ("flag", "accept it and flag it")]

# How a field is called in a message about it; the others by their own name.
WORDS = {
    "title": "the sentence",
    "num_completions": "the number of replies",
    "num_strengths": "the number of degrees",
    "top_k": "the number of the best",
    "rating_points": "points",
    "aspect_points": "points",
    "rationale_share": "share",
}

# Which kinds a field is for. What does not apply takes its default, so that a hidden field never stands in the way.
KINDS_OF: dict[str, tuple[str, ...]] = {
    "num_completions": ("ranking", "rating", "demonstration"),
    "num_strengths": ("pairwise",),
    "allows_ties": ("pairwise", "ranking"),
    "allows_both_bad": ("pairwise",),
    "ordered": ("ranking",),
    "top_k": ("ranking",),
    "asks_edit": ("pairwise", "ranking", "rating"),
}

# When a field is shown, as question_editor.js reads it: every word must hold; "kind=a|b" is one of these values.
WHEN = {name: f"kind={'|'.join(kinds)}" for name, kinds in KINDS_OF.items()} | {
    "top_k": "kind=ranking ordered=top",
    "aspect_points": "aspects",
    "on_unsafe_preference": "asks_safety",
    "rationale_share": "rationale=sampled",
}

SECTIONS = {
    "What is asked": (
        *("kind", "title", "num_completions", "num_strengths", "ordered", "top_k"),
        *("allows_ties", "allows_both_bad", "allows_cant_judge"),
    ),
    "About each reply": (
        *("rating_points", "aspects", "aspect_points", "flags"),
        *("asks_safety", "on_unsafe_preference", "asks_spans", "asks_edit"),
    ),
    "Why": ("reasons", "rationale", "rationale_share"),
}


class LabelsField(forms.CharField):
    """One label a line."""

    widget = forms.Textarea(attrs={"rows": 3})

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, strip=True, max_length=MAX_LABELS * (MAX_LABEL_CHARACTERS + 2), **options)

    def clean(self, value: Any) -> Any:
        lines = (line.strip() for line in super().clean(value).splitlines())
        return tuple(line for line in lines if line)


class QuestionForm(forms.Form):
    """Every field of a question, in words."""

    kind = forms.ChoiceField(label="What annotators do", choices=KINDS, widget=forms.RadioSelect)
    title = forms.CharField(
        label="The sentence above the replies", max_length=MAX_TITLE_CHARACTERS, widget=forms.TextInput
    )
    num_completions = forms.IntegerField(label="Replies in one task", min_value=0, max_value=9, required=False)
    num_strengths = forms.TypedChoiceField(label="How much better", choices=STRENGTHS, coerce=int)
    allows_ties = forms.BooleanField(label="Ties are allowed", required=False)
    allows_both_bad = forms.BooleanField(label="“Both are bad” is an answer", required=False)
    allows_cant_judge = forms.BooleanField(label="“I can’t judge this” is an answer", required=False)
    ordered = forms.ChoiceField(label="What is ordered", choices=ORDERED)
    top_k = forms.IntegerField(
        label="How many of the best", min_value=0, max_value=8, required=False, help_text="The others count as worse."
    )
    rating_points = forms.TypedChoiceField(
        label="Points for each reply", choices=[(0, "none"), *POINTS], coerce=int, help_text="1 is worst."
    )
    aspects = LabelsField(label="Aspects, rated for each reply", help_text="One a line, such as honesty.")
    aspect_points = forms.TypedChoiceField(label="Points for each aspect", choices=POINTS, coerce=int)
    asks_safety = forms.BooleanField(label="Ask whether each reply is safe", required=False)
    on_unsafe_preference = forms.ChoiceField(label="When an unsafe reply is preferred to a safe one", choices=UNSAFE)
    flags = LabelsField(label="Flags for single replies", help_text="One a line, such as hallucination.")
    reasons = LabelsField(label="Reasons to choose from", help_text="One a line, such as clearer.")
    rationale = forms.ChoiceField(label="A reason in words", choices=RATIONALES)
    rationale_share = forms.FloatField(
        label="Share of the tasks", min_value=0, max_value=1, required=False, help_text="Above 0, up to 1."
    )
    asks_spans = forms.BooleanField(label="Ask for good and bad passages", required=False)
    asks_edit = forms.BooleanField(label="Ask for an improved best reply", required=False)

    def fix_size(self, num_comparisons: int) -> None:
        """Comparisons have been made for this kind and number of replies: they stay."""
        for name in ("kind", "num_completions"):
            self.fields[name].disabled = True
            self.fields[name].help_text = f"Fixed: comparisons have been made for it ({num_comparisons})."

    def clean(self) -> dict[str, Any]:
        """Adds `question`; a rule that is broken is said at the field that breaks it."""
        cleaned = super().clean() or {}
        self._check_numbers(cleaned)
        if not self.errors:
            try:
                cleaned["question"] = Question.from_json(_values(cleaned))
            except QuestionInvalid as invalid:
                self._say(invalid)
        return cleaned

    def _check_numbers(self, cleaned: dict[str, Any]) -> None:
        """Numbers that may be left empty while they are not for the kind."""
        kind = cleaned.get("kind", "")
        if kind in KINDS_OF["num_completions"] and cleaned.get("num_completions") is None:
            self.add_error("num_completions", "Say how many replies a task has.")
        if kind in KINDS_OF["top_k"] and cleaned.get("ordered") == TOP and not cleaned.get("top_k"):
            self.add_error("top_k", "Say how many of the best are ordered.")

    def _say(self, invalid: QuestionInvalid) -> None:
        words = str(invalid).replace(invalid.field, WORDS.get(invalid.field, invalid.field)) + "."
        self.add_error(invalid.field or None, f"{words[:1].upper()}{words[1:]}")


def initial_of(question: Question) -> dict[str, Any]:
    """What the form shows for a question."""
    initial = {
        name: "\n".join(value) if isinstance(value, list) else value for name, value in question.to_json().items()
    }
    return initial | {"ordered": TOP if question.top_k else TRAY if question.allows_unranked else ALL}


def _values(cleaned: dict[str, Any]) -> dict[str, Any]:
    """The question's fields from the form's; those that are not for its kind are left out."""
    kind = cleaned["kind"]
    values = {name: value for name, value in cleaned.items() if kind in KINDS_OF.get(name, (kind,))}
    ordered, top_k = values.pop("ordered", ALL), values.pop("top_k", None)
    if ordered == TOP:
        values["top_k"] = top_k or 0
    values["allows_unranked"] = ordered == TRAY
    values["rationale_share"] = (values.pop("rationale_share") or 0.0) if values["rationale"] == "sampled" else 0.0
    if kind == "demonstration" and not values["num_completions"]:
        values |= {"rating_points": 0, "aspects": (), "asks_safety": False, "flags": (), "asks_spans": False}
    return values
