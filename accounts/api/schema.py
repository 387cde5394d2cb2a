"""How views are described in the OpenAPI document."""

from drf_spectacular.openapi import AutoSchema


class ApiSchema(AutoSchema):
    """The first line of a docstring is the operation's summary, which the list of operations shows."""

    def get_summary(self) -> str | None:
        return super().get_summary() or self.get_description().partition("\n")[0].rstrip(".") or None
