"""The prompts, models and completions that imported votes are about, each stored once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from django.db.models import CharField, Func
from django.utils import timezone

from annotation.bulk_copy import copy_rows, next_ids
from annotation.judgment_import.votes import ImportedReply
from generation.models import Completion, LanguageModel, Prompt, PromptSet
from generation.splits import fingerprint

CompletionKey = tuple[int, int | None, str]  # (prompt, model, SHA-256 of the text)


class TextDigest(Func):
    """SHA-256 of a text column in hexadecimal, so that long texts need not travel to be compared."""

    template = "encode(sha256(convert_to(%(expressions)s, 'UTF8')), 'hex')"
    output_field = CharField()


class Material:
    """Finds or makes rows of one prompt set."""

    def __init__(self, prompt_set: PromptSet) -> None:
        self.prompt_set = prompt_set
        self.num_prompts = self.num_completions = 0  # new ones
        self._models: dict[str, int] = {}

    def prompts(self, wanted: Sequence[tuple[list[dict[str, str]], tuple[str, ...]]]) -> list[int]:
        """Ids of the prompts with these (messages, tags)."""
        keys = [fingerprint(messages) for messages, _ in wanted]
        known = dict(self.prompt_set.prompts.filter(fingerprint__in=set(keys)).values_list("fingerprint", "pk"))
        fresh = {key: one for key, one in zip(keys, wanted, strict=True) if key not in known}
        rows = [
            Prompt(pk=pk, prompt_set=self.prompt_set, messages=messages, fingerprint=key, tags=list(tags))
            for (key, (messages, tags)), pk in zip(fresh.items(), next_ids(Prompt, len(fresh)), strict=True)
        ]
        copy_rows(rows)
        self.num_prompts += len(rows)
        known |= {row.fingerprint: row.pk for row in rows}
        return [known[key] for key in keys]

    def completions(self, wanted: Sequence[tuple[int, ImportedReply]]) -> list[int]:
        """Ids of these replies (to the prompt of that id): one text of two models is two completions."""
        self._know_models({reply.model for _, reply in wanted if reply.model})
        keys = [self._key(prompt, reply) for prompt, reply in wanted]
        known = self._known_completions({prompt for prompt, _ in wanted})
        fresh = {key: reply for key, (_, reply) in zip(keys, wanted, strict=True) if key not in known}
        now = timezone.now()
        rows = [
            Completion(
                pk=pk,
                prompt_id=key[0],
                model_id=key[1],
                origin=Completion.Origin.IMPORTED,
                text=reply.text,
                created_at=now,
            )
            for (key, reply), pk in zip(fresh.items(), next_ids(Completion, len(fresh)), strict=True)
        ]
        copy_rows(rows)
        self.num_completions += len(rows)
        known |= {key: row.pk for key, row in zip(fresh, rows, strict=True)}
        return [known[key] for key in keys]

    def _key(self, prompt: int, reply: ImportedReply) -> CompletionKey:
        return prompt, self._models.get(reply.model), hashlib.sha256(reply.text.encode()).hexdigest()

    def _known_completions(self, prompts: set[int]) -> dict[CompletionKey, int]:
        imported = Completion.objects.filter(prompt__in=prompts, origin=Completion.Origin.IMPORTED).order_by("-pk")
        rows = imported.annotate(digest=TextDigest("text")).values_list("prompt_id", "model_id", "digest", "pk")
        return {(prompt, model, digest): pk for prompt, model, digest, pk in rows}

    def _know_models(self, names: set[str]) -> None:
        """Look up or make the models of these names."""
        unknown = names - self._models.keys()
        if not unknown:
            return
        workspace = self.prompt_set.workspace_id
        LanguageModel.objects.bulk_create(
            [
                LanguageModel(workspace_id=workspace, name=name, source=LanguageModel.Source.NAMED, location=name)
                for name in sorted(unknown)
            ],
            ignore_conflicts=True,
        )
        rows = LanguageModel.objects.filter(workspace=workspace, name__in=unknown)
        self._models |= dict(rows.values_list("name", "pk"))
