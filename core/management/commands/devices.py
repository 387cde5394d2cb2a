"""`manage.py devices`: what this machine would compute on, and who holds the devices of all machines."""

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from core import device_leases
from core.device_discovery import devices_here
from core.models import Device


class Command(BaseCommand):
    help = "List the devices of this machine, and who holds those of every machine."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write("This machine has:")
        for found in devices_here(os.environ, num_cpu_slots=settings.CPU_SLOTS):
            self.stdout.write(f"  {found.name} ({found.key})")
        self.stdout.write("Workers have seen:")
        for device in Device.objects.all():
            until = f", until {device.leased_until:%Y-%m-%d %H:%M:%S} UTC" if device.leased_until else ""
            self.stdout.write(f"  {device}: {device.holder or 'free'}{until}")
        for waiter in device_leases.waiting():
            self.stdout.write(f"{waiter.holder} {device_leases.in_words(waiter)}")
