# The image of every Concord service: web, workers, beat and migrate differ only in their command.
# torch's default wheels bring CUDA and are large. A CPU-only image:
#   docker compose build --build-arg PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
FROM python:3.11-slim

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    TOKENIZERS_PARALLELISM=false

# A user of its own, and the folder that the shared volume takes its owner from.
RUN groupadd --gid 10001 concord \
    && useradd --uid 10001 --gid concord --create-home concord \
    && install --directory --owner=concord --group=concord /var/lib/concord

WORKDIR /app
ARG PIP_EXTRA_INDEX_URL=""
COPY requirements/base.lock requirements/base.lock
RUN pip install -r requirements/base.lock
COPY . .

USER concord
EXPOSE 8000
CMD ["gunicorn", "config.wsgi", "--bind=0.0.0.0:8000", "--workers=2", "--threads=8", "--worker-tmp-dir=/dev/shm"]
