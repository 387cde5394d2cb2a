#!/usr/bin/env python
"""Concord's command line: `python manage.py help` lists what it can do."""

import os
import secrets
import sys

WITHOUT_DATABASE = ("selfcheck",)  # commands for which no server is started, and nothing is stored


def main() -> None:
    """Start embedded services where no addresses are given, then hand over to Django."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from core.embedded import EmbeddedPostgresFailed, provide_environment

    if sys.argv[1:2] and sys.argv[1] in WITHOUT_DATABASE:
        os.environ["DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/none"  # settings want one; nobody connects
        os.environ["SECRET_KEY"] = secrets.token_urlsafe(48)
    try:
        provide_environment()
    except EmbeddedPostgresFailed as error:
        sys.exit(str(error))
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError, connection

    from core.errors import DatabaseUnreachable, is_unreachable

    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:
        if not is_unreachable(error):
            raise
        sys.exit(f"{DatabaseUnreachable.title}: {DatabaseUnreachable.at(connection.settings_dict, error).detail}")
    except ImproperlyConfigured as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
