#!/usr/bin/env python
"""Concord's command line: `python manage.py help` lists what it can do."""

import os
import sys


def main() -> None:
    """Start embedded services where no addresses are given, then hand over to Django."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from core.embedded import provide_environment

    provide_environment()
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
