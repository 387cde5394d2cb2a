"""Fifty annotators in a race for tasks: `python -m tests.annotation.race_client CAMPAIGN FIRST LOG SEED`.

Each of several threads goes on with a random annotator: claims, thinks, sometimes beyond the end of the lease,
sometimes walks away, submits, sometimes twice. What the queue accepted is written to LOG at once, so that the test can
tell whether an accepted answer was lost. It ends when nobody has been given anything for a while, or is killed.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
import uuid

from core.embedded import provide_environment

provide_environment()

import django  # noqa: E402 -- the environment must be complete before settings are read

django.setup()

from annotation import queue  # noqa: E402 -- likewise
from annotation.models import Annotator, Campaign, Slot  # noqa: E402

NUM_CLIENTS, NUM_THREADS = 50, 10
IDLE_SECONDS = 4.0


class Race:
    def __init__(self, campaign: int, first: int, log: str, seed: int) -> None:
        self.campaign = Campaign.objects.get(pk=campaign)
        rows = Annotator.objects.filter(enrolments__campaign=campaign).order_by("pk")
        self.annotators = list(rows[first : first + NUM_CLIENTS])
        self.locks = [threading.Lock() for _ in self.annotators]
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.served_at = time.monotonic()
        self.seed = seed

    def run(self) -> None:
        threads = [threading.Thread(target=self.work, args=(number,)) for number in range(NUM_THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def work(self, number: int) -> None:
        rng = random.Random(f"{self.seed}-{number}")
        while time.monotonic() - self.served_at < IDLE_SECONDS:
            index = rng.randrange(len(self.annotators))
            with self.locks[index]:
                self.step(self.annotators[index], rng)

    def step(self, annotator: Annotator, rng: random.Random) -> None:
        slot = queue.claim_next_slot(campaign=self.campaign, annotator=annotator)
        if slot is None:
            time.sleep(0.02)
            return
        self.served_at = time.monotonic()
        mood = rng.random()
        if mood < 0.05:
            return  # walks away; the lease runs out
        if mood < 0.15:
            time.sleep(self.campaign.lease_seconds + 0.3)  # too late, unless nobody took it meanwhile
        elif mood < 0.2:
            queue.release_slot(slot_id=slot.pk, annotator=annotator, token=slot.token or "")
            return
        self.submit(slot, annotator, rng)

    def submit(self, slot: Slot, annotator: Annotator, rng: random.Random) -> None:
        key = str(uuid.uuid4())
        tiers = rng.choice([[[0], [1]], [[1], [0]], [[0, 1]]])
        for _ in range(2 if rng.random() < 0.1 else 1):  # the network gave no answer: sent again
            try:
                judgment = queue.submit_judgment(
                    slot_id=slot.pk,
                    annotator=annotator,
                    token=slot.token or "",
                    answer={"tiers": tiers},
                    idempotency_key=key,
                )
            except queue.LeaseLost:
                self.note("lost", slot, annotator, key)
                return
            self.note("stored", slot, annotator, key, judgment=judgment.pk)

    def note(self, what: str, slot: Slot, annotator: Annotator, key: str, **fields: int) -> None:
        line = {"what": what, "slot": slot.pk, "annotator": annotator.pk, "key": key, **fields}
        os.write(self.log, (json.dumps(line) + "\n").encode())


if __name__ == "__main__":
    campaign, first, log, seed = sys.argv[1:]
    Race(int(campaign), int(first), log, int(seed)).run()
