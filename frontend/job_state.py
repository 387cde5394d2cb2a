"""The part of a job's page that asks for itself again and again while the job goes on."""

from django.http import HttpResponse

from core.models import Job


def refreshed_at_end(moving: HttpResponse, job: Job) -> HttpResponse:
    """The moving part; once the job has ended the whole page comes anew, with what the job made."""
    if job.has_ended:
        moving["HX-Refresh"] = "true"
    return moving
