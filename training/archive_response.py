"""The archive of an exported checkpoint as an answer over HTTP, streamed."""

from django.http import StreamingHttpResponse

from training import model_export
from training.models import Checkpoint


def archive_response(checkpoint: Checkpoint, form: str) -> StreamingHttpResponse:
    """Raises `ExportRefused` before anything is sent."""
    files = model_export.export_files(checkpoint, form)
    name = model_export.export_name(checkpoint, form)
    answer = StreamingHttpResponse(model_export.archive(files, name), content_type="application/x-tar")
    answer["Content-Disposition"] = f'attachment; filename="{name}.tar"'
    answer["Content-Length"] = str(model_export.archive_size(files, name))
    return answer
