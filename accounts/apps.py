"""Who may see and do what: users, workspaces, roles, API tokens."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
