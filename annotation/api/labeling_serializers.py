"""What a labeler sees and sends. Models, votes, ids of completions and reasons of the queue have no place here."""

from typing import Any

from rest_framework import serializers

from accounts.api.fields import InputSerializer, ObjectField
from annotation import slot_numbers
from annotation.models import Campaign, Judgment, Slot
from annotation.opt_outs import SENSITIVE
from annotation.queue import question_of
from annotation.task_content import content_of
from generation.api.serializers import MessageSerializer

MAX_MILLISECONDS = 2**31 - 1


class LabelingCampaignSerializer(serializers.ModelSerializer[Campaign]):
    """A campaign as its labelers see it."""

    class Meta:
        model = Campaign
        fields = ["id", "name", "status", "question", "guidelines", "guideline_version"]


class TaskSerializer(serializers.Serializer[Any]):
    """A leased slot: what to judge. `tiers` of the answer speak of places in `replies`, from 0."""

    slot = serializers.IntegerField()
    token = serializers.UUIDField(help_text="Send it back with the judgment: it proves the lease.")
    leased_until = serializers.DateTimeField()
    campaign = serializers.IntegerField()
    question = serializers.DictField()
    guideline_version = serializers.IntegerField()
    messages = MessageSerializer(many=True)
    replies = serializers.ListField(child=serializers.CharField())
    is_sensitive = serializers.BooleanField()


class NextTaskSerializer(serializers.Serializer[Any]):
    """The next task, or why there is none."""

    task = TaskSerializer(allow_null=True)
    reason = serializers.CharField(allow_blank=True, help_text="Why there is no task; empty if there is one.")


class JudgmentInput(InputSerializer):
    """An answer to a leased slot."""

    token = serializers.UUIDField()
    answer = ObjectField(help_text='For example {"tiers": [[1], [0]]}: the reply shown second is better.')
    idempotency_key = serializers.CharField(
        max_length=64, help_text="Made by the client, one for each answer: sending the same again stores nothing twice."
    )
    active_ms = serializers.IntegerField(min_value=0, max_value=MAX_MILLISECONDS, default=0)
    total_ms = serializers.IntegerField(min_value=0, max_value=MAX_MILLISECONDS, default=0)


class SlotNumberField(serializers.IntegerField):
    """A slot, under the number that its annotator sees."""

    def __init__(self, **options: Any) -> None:
        super().__init__(source="slot_id", read_only=True, **options)

    def to_representation(self, value: Any) -> int:
        return slot_numbers.shown(value)


class ReceiptSerializer(serializers.ModelSerializer[Judgment]):
    """Proof that a judgment is stored."""

    slot = SlotNumberField()

    class Meta:
        model = Judgment
        fields = ["id", "slot", "created_at"]


class ReleaseInput(InputSerializer):
    """The lease to give back."""

    token = serializers.UUIDField()


class ReleasedSerializer(serializers.Serializer[Any]):
    """Whether the lease was still held."""

    is_released = serializers.BooleanField()


def task_of(slot: Slot) -> dict[str, Any]:
    """The fields of `TaskSerializer`, with the replies in the order that this annotator is shown."""
    content = content_of(slot.comparison_id)
    return {
        "slot": slot_numbers.shown(slot.pk),
        "token": slot.token,
        "leased_until": slot.leased_until,
        "campaign": slot.campaign_id,
        "question": question_of(slot).to_json(),
        "guideline_version": slot.campaign.guideline_version,
        "messages": content.messages,
        "replies": [content.texts[position] for position in slot.display_order],
        "is_sensitive": SENSITIVE in content.categories,
    }
