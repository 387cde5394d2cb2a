"""Users and the workspaces that they share."""

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A person. Administrators (`is_superuser`) see every workspace; others see what a membership gives them."""

    workspaces: "models.ManyToManyField[Workspace, Membership]" = models.ManyToManyField(
        "Workspace", through="Membership", related_name="users"
    )


class Workspace(models.Model):
    """The boundary of access: every prompt set, model, campaign, dataset and run belongs to one."""

    name = models.CharField(max_length=120, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """One user's role in one workspace."""

    class Role(models.TextChoices):
        MANAGER = "manager", "Manager"  # runs campaigns: reads and writes everything in the workspace
        ENGINEER = "engineer", "Engineer"  # reads everything, pulls datasets, starts training and evaluation
        LABELER = "labeler", "Labeler"  # judges in the campaigns that enrol them, and sees nothing else

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "workspace"], name="one_role_per_workspace"),
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} in {self.workspace}"
