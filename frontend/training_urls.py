"""Addresses of starting training runs."""

from django.urls import path

from frontend.views import new_training, training_comparison, training_records

urlpatterns = [
    path("new/", new_training.new_training, name="new-training"),
    path("start/", new_training.start_training, name="start-training"),
    path("preview/", new_training.preview_training, name="preview-training"),
    path("compare/", training_comparison.compare_training, name="compare-training"),
    path("compare/curves/", training_comparison.comparison_curves, name="comparison-curves"),
    path("<int:run_id>/card.md", training_records.model_card_file, name="model-card"),
    path("<int:run_id>/samples/", training_records.samples, name="training-samples"),
]
