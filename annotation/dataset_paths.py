"""Where the files of a finished dataset are, and what is wrong if they are not there."""

from pathlib import Path

from annotation.models import Dataset
from core.errors import ConcordError


class DatasetNotReady(ConcordError):
    """The dataset has no files yet, or never will."""

    status = 409
    title = "This dataset is not finished"


class DatasetFileMissing(ConcordError):
    """The row says that the dataset is finished, and its file is not there."""

    status = 410
    title = "The file of this dataset is gone"


def existing_file(dataset: Dataset, path: Path) -> Path:
    """The path, if the dataset is finished and the file there. Raises `DatasetNotReady` or `DatasetFileMissing`."""
    if dataset.status != Dataset.Status.FINISHED:
        raise DatasetNotReady(f"{dataset} is {dataset.status}; its files exist once it is finished.")
    if not path.is_file():
        raise DatasetFileMissing(f"{path.name} of {dataset} is missing on this server; freeze it again.")
    return path
