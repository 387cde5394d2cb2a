"""Addresses of imports and exports of judgments."""

from django.urls import path

from frontend.views import exchange

urlpatterns = [
    path("import/", exchange.import_page, name="import-judgments"),
    path("import/preview/", exchange.preview_import, name="preview-import"),
    path("import/run/", exchange.import_judgments, name="run-import"),
    path("export/", exchange.export_page, name="export-judgments"),
    path("export/file/", exchange.export_file, name="export-file"),
]
