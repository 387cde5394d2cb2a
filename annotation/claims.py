"""The statement with which a slot is claimed: one round trip, whatever the number of processes.

Its parts run in order, each only if those before gave nothing: the annotator's own unfinished slot; a gold item that is
due; one of the annotator's earlier tasks with the sides swapped; an open slot by the campaign's policy. Rows that
others are claiming at this moment are skipped, and unique constraints stand behind all of it.
"""

import random
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from annotation.models import Annotator, Campaign, Slot

MAX_HELD = 4  # unanswered tasks that a person's pages may hold at once: shown and prefetched ones
REPEAT_AFTER = 10  # tasks between a task and its swapped repeat, at least
POLICY, RANDOM = "policy", "random"  # the arms of adaptive selection, in served_because

OWN = """
own AS (
    UPDATE annotation_slot SET leased_until = %(until)s, tab = CASE WHEN tab = '' THEN %(tab)s ELSE tab END
    WHERE id = (
        SELECT held.id FROM annotation_slot AS held
        WHERE held.campaign_id = %(campaign)s AND held.annotator_id = %(annotator)s
          AND held.judged_at IS NULL AND held.withdrawn_at IS NULL AND held.id <> ALL(%(holding)s)
          AND held.purpose <> 'adjudication'
        ORDER BY held.id LIMIT 1
    ) AND judged_at IS NULL AND annotator_id = %(annotator)s
    RETURNING *
)"""

# May the annotator be served anything new, and what are the numbers that this depends on?
MAY = """
may AS (
    SELECT campaign.question_version, campaign.num_qualification = 0 OR place.qualified_at IS NOT NULL AS is_qualified
    FROM annotation_campaign AS campaign
    JOIN annotation_enrolment AS place ON place.campaign_id = campaign.id AND place.annotator_id = %(annotator)s
    WHERE campaign.id = %(campaign)s AND campaign.status = 'open' AND place.is_active
      AND (%(is_machine)s OR campaign.guidelines = '' OR place.acknowledged_version >= campaign.guideline_version)
      {unless}
      AND (%(is_machine)s OR %(max_held)s > (
          SELECT count(*) FROM annotation_slot AS held
          WHERE held.campaign_id = %(campaign)s AND held.annotator_id = %(annotator)s
            AND held.judged_at IS NULL AND held.withdrawn_at IS NULL
      ))
)"""

COLUMNS = """
    campaign_id, comparison_id, purpose, number, priority, score, pair_key, is_block_open, annotator_id, token,
    leased_until, display_order, served_at, served_because, question_version, wants_rationale, tab"""

# Is the next gold item (or repeat) due? Never while one is open; then after so many judgments since the last one. The
# gap lies around its mean and depends on the annotator and the count, so that nobody can tell when the next one comes.
DUE = """
    NOT EXISTS (
        SELECT 1 FROM annotation_slot AS open
        WHERE open.campaign_id = %(campaign)s AND open.annotator_id = %(annotator)s
          AND open.purpose = '{purpose}' AND open.judged_at IS NULL
    ) AND (
        SELECT count(*) FROM (
            SELECT 1 FROM annotation_slot AS done
            WHERE done.campaign_id = %(campaign)s AND done.annotator_id = %(annotator)s AND done.purpose = 'main'
              AND done.judged_at > coalesce((
                  SELECT max(last.judged_at) FROM annotation_slot AS last
                  WHERE last.campaign_id = %(campaign)s AND last.annotator_id = %(annotator)s
                    AND last.purpose = '{purpose}'
              ), '-infinity')
            LIMIT 2 * {every}
        ) AS since
    ) >= {every} / 2 + (
        SELECT abs(hashint8(%(annotator)s * 7919 + count(*))::bigint) %% {every} FROM annotation_slot AS past
        WHERE past.campaign_id = %(campaign)s AND past.annotator_id = %(annotator)s AND past.purpose = '{purpose}'
    )"""

MAY_SEE = """
      AND NOT (comparison.categories && %(opt_outs)s)
      AND NOT EXISTS (
          SELECT 1 FROM annotation_skip AS skip
          WHERE skip.comparison_id = comparison.id AND skip.annotator_id = %(annotator)s OFFSET 0
      )"""

SHUFFLED = "ARRAY(SELECT place FROM generate_series(0, {count} - 1) AS place ORDER BY random())"

GOLD_EVERY = "greatest(1, %(gold_every)s)"
GOLD = f"""
gold AS (
    INSERT INTO annotation_slot ({COLUMNS})
    SELECT comparison.campaign_id, comparison.id, CASE WHEN may.is_qualified THEN 'gold' ELSE 'qualification' END,
        0, 0, 0, comparison.pair_key, FALSE, %(annotator)s, %(token)s, %(until)s,
        {SHUFFLED.format(count="comparison.num_completions")}, %(now)s, 'gold', may.question_version, FALSE, %(tab)s
    FROM annotation_comparison AS comparison, may
    WHERE comparison.campaign_id = %(campaign)s AND comparison.gold IS NOT NULL
      AND comparison.is_qualification = NOT may.is_qualified
      AND (NOT may.is_qualified OR (%(gold_every)s > 0 AND {DUE.format(purpose="gold", every=GOLD_EVERY)}))
      AND NOT EXISTS (
          SELECT 1 FROM annotation_slot AS seen
          WHERE seen.comparison_id = comparison.id AND seen.annotator_id = %(annotator)s
      ){MAY_SEE}
    ORDER BY hashint8(comparison.id * 31 + %(annotator)s), comparison.id
    LIMIT 1
    ON CONFLICT DO NOTHING
    RETURNING *
)"""

REPEAT = f"""
repeat AS (
    INSERT INTO annotation_slot ({COLUMNS})
    SELECT past.campaign_id, past.comparison_id, 'repeat', 0, 0, 0, past.pair_key, FALSE, %(annotator)s, %(token)s,
        %(until)s,
        ARRAY(SELECT past.display_order[i] FROM generate_subscripts(past.display_order, 1) AS i ORDER BY i DESC),
        %(now)s, 'repeat', may.question_version, FALSE, %(tab)s
    FROM may, (
        SELECT * FROM annotation_slot AS judged
        WHERE judged.campaign_id = %(campaign)s AND judged.annotator_id = %(annotator)s
          AND judged.purpose = 'main' AND judged.judged_at IS NOT NULL
        ORDER BY judged.judged_at DESC OFFSET %(repeat_after)s LIMIT 50
    ) AS past
    WHERE may.is_qualified{{unless}}
      AND NOT EXISTS (
          SELECT 1 FROM annotation_slot AS again
          WHERE again.comparison_id = past.comparison_id AND again.annotator_id = %(annotator)s
            AND again.purpose = 'repeat'
      )
      AND {DUE.format(purpose="repeat", every="%(repeat_every)s")}
    ORDER BY past.judged_at DESC
    LIMIT 1
    ON CONFLICT DO NOTHING
    RETURNING *
)"""

# Of several at once each is of another comparison: only the lowest open slot of each is looked at.
LOWEST_OF_ITS_COMPARISON = """
              AND NOT EXISTS (
                  SELECT 1 FROM annotation_slot AS lower
                  WHERE lower.comparison_id = open.comparison_id AND lower.number < open.number
                    AND lower.judged_at IS NULL AND lower.withdrawn_at IS NULL AND lower.purpose = 'main'
                    AND (lower.annotator_id IS NULL OR lower.leased_until < %(now)s)
              )"""
NTH_OF_ITS_MODELS = "row_number() OVER (PARTITION BY free.pair_key ORDER BY free.id)"

# Sides: the first of two tasks of the same models is shown in a random order, the second one the other way round.
# MATERIALIZED: a plan that looked for free slots once for every row it might update would lock and claim several.
# OFFSET 0 keeps the planner from turning a look-up by index into a join with all that the annotator ever did.
FRESH = f"""
free AS MATERIALIZED (
    SELECT open.id, open.pair_key, comparison.num_completions, may.question_version
    FROM may, annotation_slot AS open
    JOIN annotation_comparison AS comparison ON comparison.id = open.comparison_id
    WHERE may.is_qualified{{unless}}
      AND open.campaign_id = %(campaign)s AND open.judged_at IS NULL AND open.withdrawn_at IS NULL
      AND open.purpose = 'main'
      AND (open.annotator_id IS NULL OR open.leased_until < %(now)s)
      AND NOT EXISTS (
          SELECT 1 FROM annotation_slot AS own
          WHERE own.comparison_id = open.comparison_id AND own.annotator_id = %(annotator)s OFFSET 0
      ){{lowest}}{MAY_SEE}
      {{start}}
    ORDER BY {{order}}
    LIMIT %(limit)s
    FOR UPDATE OF open SKIP LOCKED
),
fresh AS (
    UPDATE annotation_slot AS slot
    SET annotator_id = %(annotator)s, token = %(token)s, leased_until = %(until)s, draft = NULL, tab = %(tab)s,
        served_at = %(now)s, served_because = %(because)s, wants_rationale = FALSE,
        question_version = chosen.question_version,
        is_block_open = (NOT coalesce(last.is_block_open, FALSE)) <> (chosen.nth %% 2 = 0),
        display_order = CASE
            WHEN chosen.num_completions = 2 THEN
                CASE (
                    coalesce(CASE WHEN last.is_block_open THEN last.display_order[2] END, %(bit)s) + chosen.nth - 1
                ) %% 2
                WHEN 0 THEN ARRAY[0, 1] ELSE ARRAY[1, 0] END
            ELSE {SHUFFLED.format(count="chosen.num_completions")}
        END
    FROM (SELECT free.*, {{nth}} AS nth FROM free) AS chosen
    LEFT JOIN LATERAL (
        SELECT past.is_block_open, past.display_order FROM annotation_slot AS past
        WHERE past.annotator_id = %(annotator)s AND past.campaign_id = %(campaign)s
          AND past.pair_key = chosen.pair_key AND past.purpose = 'main'
        ORDER BY past.served_at DESC LIMIT 1
    ) AS last ON chosen.num_completions = 2
    WHERE slot.id = chosen.id
    RETURNING slot.*
)"""

BY_COVERAGE = "open.priority DESC, open.number, open.id"
BY_SCORE = "open.priority DESC, open.score DESC, open.number, open.id"
SHUFFLE = "open.random_key"


def claim(
    campaign: Campaign,
    annotator: Annotator,
    *,
    now: datetime,
    limit: int = 1,
    tab: str = "",
    holding: Sequence[int] = (),
    opt_outs: Sequence[str] = (),
    renews_own: bool = True,
) -> list[Slot]:
    """Up to `limit` slots under leases for this annotator, in serving order.

    `holding` names slots that the annotator's pages have already; `opt_outs` the categories that are not to be shown.
    """
    is_random = campaign.selection == Campaign.Selection.ADAPTIVE and _draws_at_random(campaign)
    values: dict[str, Any] = {
        "campaign": campaign.pk,
        "annotator": annotator.pk,
        "is_machine": annotator.kind != Annotator.Kind.PERSON,
        "max_held": MAX_HELD,
        "token": uuid.uuid4(),
        "tab": tab,
        "now": now,
        "until": now + timedelta(seconds=campaign.lease_seconds),
        "holding": list(holding),
        "opt_outs": list(opt_outs),
        "limit": limit,
        "gold_every": campaign.gold_every,
        "repeat_every": campaign.repeat_every,
        "repeat_after": REPEAT_AFTER,
        "bit": random.getrandbits(1),
        "start": random.random(),  # noqa: S311 -- a fair choice, not a secret
        "because": RANDOM if is_random else POLICY if campaign.selection == Campaign.Selection.ADAPTIVE else "coverage",
    }
    statement = _statement(campaign, limit=limit, is_random=is_random, renews_own=renews_own)
    claimed = list(Slot.objects.raw(statement, values))
    if is_random and not claimed:  # the end of the shuffle was reached: go on at its beginning
        claimed = list(Slot.objects.raw(statement, {**values, "start": 0.0}))
    return claimed


@contextmanager
def in_one_piece(*, is_single_statement: bool) -> Iterator[None]:
    """A transaction, unless one statement is one anyway: that saves two round trips a task.

    Inside somebody else's transaction it is a savepoint, so that an integrity error undoes only this.
    """
    if is_single_statement and not connection.in_atomic_block:
        yield
    else:
        with transaction.atomic():
            yield


def _draws_at_random(campaign: Campaign) -> bool:
    return random.random() < campaign.random_share  # noqa: S311 -- a fair choice, not a secret


def _statement(campaign: Campaign, *, limit: int, is_random: bool, renews_own: bool) -> str:
    """Only the parts that this campaign needs: a short statement is planned fast."""
    order = SHUFFLE if is_random else BY_SCORE if campaign.selection == Campaign.Selection.ADAPTIVE else BY_COVERAGE
    fresh = FRESH.format(
        order=order,
        start="AND open.random_key >= %(start)s" if is_random else "",
        nth="1" if limit == 1 else NTH_OF_ITS_MODELS,
        lowest="" if limit == 1 else LOWEST_OF_ITS_COMPARISON,
        unless="{unless}",
    )
    has_gold = campaign.gold_every > 0 or campaign.num_qualification > 0
    wanted = {"own": renews_own, "gold": has_gold, "repeat": campaign.repeat_every > 0, "fresh": True}
    texts = {"own": OWN, "gold": GOLD, "repeat": REPEAT, "fresh": fresh}
    given = [name for name, is_wanted in wanted.items() if is_wanted]
    parts = [_unless(texts[name], given[:place]) for place, name in enumerate(given)]
    parts.insert(int(renews_own), _unless(MAY, given[: int(renews_own)]))
    union = " UNION ALL ".join(f"SELECT * FROM {name}" for name in given)
    return f"WITH {','.join(parts)} SELECT * FROM ({union}) AS served ORDER BY priority DESC, number, id"


def _unless(part: str, before: Sequence[str]) -> str:
    """The part, for the case that none of those before it has given anything."""
    return part.replace("{unless}", "".join(f" AND NOT EXISTS (SELECT 1 FROM {name})" for name in before))
