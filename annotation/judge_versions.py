"""Writes to LLM judges: a judge with its first version, later versions, and panels."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import transaction

from accounts.models import User, Workspace
from annotation.judges import PANEL, RUBRIC, JudgeInvalid, newest_version
from annotation.judging import PROTOCOLS, JudgeSpec, SpecInvalid, spec_from_json
from annotation.models import Annotator, JudgeVersion
from annotation.services import CampaignRefused
from generation.models import LanguageModel

MAX_PRICE = 1_000_000
MAX_MEMBERS = 9


def create_llm_judge(
    *,
    workspace: Workspace,
    name: str,
    protocol: str,
    model: LanguageModel,
    parameters: Mapping[str, Any] | None = None,
    adapter: str = "",
    prompt_price: object = None,
    reply_price: object = None,
    user: User | None = None,
) -> Annotator:
    """A judge with version 1. `parameters` are fields of `annotation.judging.JudgeSpec`, `template` among them.

    Raises `JudgeInvalid` naming what does not go together, `CampaignRefused` for a taken name.
    """
    _check_name(workspace, name)
    spec = checked_spec(protocol, parameters or {})
    with transaction.atomic():
        judge = Annotator.objects.create(
            workspace=workspace, kind=Annotator.Kind.JUDGE, name=name, protocol=spec.protocol
        )
        _store(judge, 1, spec, model, adapter, _prices(prompt_price, reply_price), user)
    return judge


def add_version(
    *,
    judge: Annotator,
    model: LanguageModel,
    parameters: Mapping[str, Any] | None = None,
    adapter: str = "",
    prompt_price: object = None,
    reply_price: object = None,
    user: User | None = None,
) -> JudgeVersion:
    """What the judge is from now on, under its protocol; the newest version again if nothing differs."""
    newest = newest_version(judge)
    if newest is None:
        raise JudgeInvalid(f"{judge} is no judge with a language model; only those have versions.")
    spec, prices = checked_spec(judge.protocol, parameters or {}), _prices(prompt_price, reply_price)
    same = (newest.spec_hash, newest.model_id, newest.adapter, (newest.prompt_price, newest.reply_price))
    if same == (spec.hash, model.pk, adapter.strip(), prices):
        return newest
    with transaction.atomic():
        Annotator.objects.select_for_update().get(pk=judge.pk)
        number = judge.versions.order_by("-number").values_list("number", flat=True)[0] + 1
        return _store(judge, number, spec, model, adapter, prices, user)


def create_panel(
    *, workspace: Workspace, name: str, members: Sequence[Annotator], method: str = "vote", quorum: int = 0
) -> Annotator:
    """A judge that asks nobody: it combines what its members have said about the same comparison."""
    _check_name(workspace, name)
    if method not in ("vote", "mean"):
        raise JudgeInvalid(f"method must be vote or mean, got {method!r}.")
    if not 2 <= len({member.pk for member in members}) == len(members) <= MAX_MEMBERS:
        raise JudgeInvalid(f"A panel has from 2 to {MAX_MEMBERS} different members, got {len(members)}.")
    if not 0 <= quorum <= len(members):
        raise JudgeInvalid(f"quorum must lie in 0–{len(members)}, the number of members; got {quorum}.")
    for member in members:
        if member.workspace_id != workspace.pk or newest_version(member) is None:
            raise JudgeInvalid(f"{member} is no judge with a language model in this workspace.")
    parameters = {"members": [member.pk for member in members], "method": method, "quorum": quorum}
    return Annotator.objects.create(
        workspace=workspace, kind=Annotator.Kind.JUDGE, name=name, protocol=PANEL, parameters=parameters
    )


def checked_spec(protocol: str, parameters: Mapping[str, Any]) -> JudgeSpec:
    """The judge that these describe, with the protocol's own template unless one is given. Raises `JudgeInvalid`."""
    if protocol not in PROTOCOLS:
        known = ", ".join((RUBRIC, PANEL, *PROTOCOLS))
        raise JudgeInvalid(f"protocol must be one of {known}, got {protocol!r}.")
    if "protocol" in parameters:
        raise JudgeInvalid("protocol is no parameter: it is given beside them.")
    template = parameters.get("template") or PROTOCOLS[protocol].template.to_json()
    try:
        return spec_from_json({**parameters, "protocol": protocol, "template": template})
    except (SpecInvalid, TypeError, AttributeError) as error:
        raise JudgeInvalid(f"{str(error)[:1].upper()}{str(error)[1:]}.") from error


def _store(
    judge: Annotator,
    number: int,
    spec: JudgeSpec,
    model: LanguageModel,
    adapter: str,
    prices: tuple[Decimal | None, Decimal | None],
    user: User | None,
) -> JudgeVersion:
    if model.workspace_id != judge.workspace_id:
        raise JudgeInvalid("The language model must belong to the judge's workspace.")
    if model.kind == LanguageModel.Kind.REWARD or model.source == LanguageModel.Source.NAMED:
        raise JudgeInvalid(f"{model} cannot be asked: a judge needs a model that writes and that can be reached.")
    return JudgeVersion.objects.create(
        judge=judge,
        number=number,
        model=model,
        adapter=adapter.strip(),
        spec=spec.to_json(),
        spec_hash=spec.hash,
        template_hash=spec.template.hash,
        prompt_price=prices[0],
        reply_price=prices[1],
        created_by=user,
    )


def _prices(prompt_price: object, reply_price: object) -> tuple[Decimal | None, Decimal | None]:
    """Both prices for a million tokens, or neither."""
    given = [None if value in (None, "") else _price(value) for value in (prompt_price, reply_price)]
    if (given[0] is None) != (given[1] is None):
        raise JudgeInvalid("Give the price of a million tokens for prompts and for replies, or neither.")
    return given[0], given[1]


def _price(value: object) -> Decimal:
    try:
        price = Decimal(str(value)).quantize(Decimal("0.0001"))
    except InvalidOperation:
        price = Decimal(-1)
    if not price.is_finite() or not 0 <= price < MAX_PRICE:
        raise JudgeInvalid(f"A price for a million tokens is an amount from 0 to {MAX_PRICE - 1}, got {value!r}.")
    return price


def _check_name(workspace: Workspace, name: str) -> None:
    if Annotator.objects.filter(workspace=workspace, name=name).exists():
        raise CampaignRefused(f"{workspace} already has an annotator called {name!r}; choose another name.")
