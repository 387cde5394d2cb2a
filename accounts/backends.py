"""Who is signed in, read with a statement that is compiled once."""

from typing import Any

from django.contrib.auth.backends import ModelBackend

from accounts.models import User
from core.compiled import CompiledQuery

USER = CompiledQuery(lambda user: User.objects.filter(pk=user).order_by(), user=-1)


class Backend(ModelBackend):
    """Name and password, as Django checks them; every request of a page begins with `get_user`."""

    def get_user(self, user_id: Any) -> User | None:
        found = USER.first(user=user_id)
        return found if found is not None and self.user_can_authenticate(found) else None
