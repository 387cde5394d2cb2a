"""Django's settings. What differs between installations comes from `config.environment`."""

import os
import sys
from datetime import timedelta
from typing import Any

import django_stubs_ext
import plotly
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict

from config.environment import BASE_DIR as PROJECT_DIR
from config.environment import EnvironmentInvalid, read_environment

django_stubs_ext.monkeypatch()

try:
    ENVIRONMENT = read_environment(os.environ)
except EnvironmentInvalid as error:
    raise ImproperlyConfigured(str(error)) from None

BASE_DIR = PROJECT_DIR  # the folder of manage.py, where child processes start
VAR_DIR = ENVIRONMENT.var_dir
VLLM_DIR = BASE_DIR / ".venv-vllm"  # the environment that `make vllm` builds
DATASETS_DIR = VAR_DIR / "datasets"
RUNS_DIR = VAR_DIR / "runs"
SECRET_KEY = ENVIRONMENT.secret_key
DEBUG = ENVIRONMENT.is_debug
ALLOWED_HOSTS = list(ENVIRONMENT.allowed_hosts)
ALLOWED_PRIVATE_HOSTS = ENVIRONMENT.allowed_private_hosts
ENDPOINT_API_KEYS = ENVIRONMENT.endpoint_api_keys

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "django_celery_beat",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "core",
    "accounts",
    "generation",
    "annotation",
    "training",
    "evaluation",
    "pipeline",
    "frontend",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "core.problems.ProblemPageMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ],
        },
    },
]


def database_settings(url: str) -> dict[str, Any]:
    """Django's DATABASES entry for a PostgreSQL URL."""
    parts = conninfo_to_dict(url)
    return {
        "ENGINE": "core.postgresql",
        "NAME": parts.pop("dbname", ""),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": parts.pop("port", ""),
        "OPTIONS": parts,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }


DATABASES = {"default": database_settings(ENVIRONMENT.database_url)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.Backend"]
SESSION_ENGINE = "accounts.sessions"
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign-in"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
# Plotly's own JavaScript, from the Python package: served from here, never from a third party.
STATICFILES_DIRS = [("plotly", os.path.join(os.path.dirname(plotly.__file__), "package_data"))]
WHITENOISE_USE_FINDERS = True

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = ENVIRONMENT.is_https
SECURE_SSL_REDIRECT = ENVIRONMENT.is_https
SECURE_HSTS_SECONDS = 31_536_000 if ENVIRONMENT.is_https else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ENVIRONMENT.is_https else None
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    # The admin brings scripts of its own (unfold uses Alpine, which evaluates expressions).
    "EXCLUDE_URL_PREFIXES": ("/admin/",),
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    },
}

CELERY_BROKER_URL = ENVIRONMENT.broker_url
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "light"
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {"pool_pre_ping": True} if ENVIRONMENT.broker_url.startswith("sqla+") else {"visibility_timeout": 3600}
)
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 1  # seconds between looks at the schedule
CELERY_BEAT_SCHEDULE = {
    "requeue-stale-jobs": {"task": "core.tasks.requeue_stale_jobs", "schedule": timedelta(seconds=5)},
    "advance-pipelines": {
        "task": "pipeline.tasks.advance_waiting_pipelines",
        "schedule": timedelta(seconds=1),
        "options": {"expires": 5},
    },
    "fill-rounds": {
        "task": "pipeline.tasks.fill_rounds",
        "schedule": timedelta(seconds=5),
        "options": {"expires": 20},
    },
    "advance-scheduled-training": {
        "task": "pipeline.tasks.advance_firings",
        "schedule": timedelta(seconds=5),
        "options": {"expires": 20},
    },
    "watch-quality": {
        "task": "annotation.tasks.watch_quality",
        "schedule": timedelta(minutes=5),
        "options": {"expires": 240},
    },
    "check-endpoints": {
        "task": "generation.tasks.check_endpoints",
        "schedule": timedelta(minutes=5),
        "options": {"expires": 240},
    },
    "forget-delivered-messages": {
        "task": "core.tasks.forget_delivered_messages",
        "schedule": timedelta(minutes=10),
    },
}
JOB_STALE_SECONDS = ENVIRONMENT.job_stale_seconds
CPU_SLOTS = ENVIRONMENT.cpu_slots
STALL_SECONDS = ENVIRONMENT.stall_seconds
JOB_MAX_ATTEMPTS = 3  # a job that lost its worker this often is failed instead of tried again

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "knox.auth.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "core.problems.problem_response",
    "PAGE_SIZE": 50,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
REST_KNOX = {"TOKEN_TTL": timedelta(days=90), "TOKEN_PREFIX": "concord_"}
SPECTACULAR_SETTINGS = {
    "TITLE": "Concord",
    "DESCRIPTION": "Prompts, completions, judgments, datasets, training runs and evaluations.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "JobStatus": "core.models.Job.WITHOUT_PAUSE",
        "PausableJobStatus": "core.models.Job.Status",
        "CampaignStatus": "annotation.models.Campaign.Status",
        "PipelineStatus": "pipeline.models.PipelineRun.Status",
        "StepStatus": "pipeline.models.PipelineStep.Status",
        "ScheduleTrigger": "pipeline.models.TrainingSchedule.Trigger",
        "FiringStatus": "pipeline.models.ScheduleFiring.Status",
        "FiringTrigger": "pipeline.models.ScheduleFiring.Trigger",
        "AnnotatorKind": "annotation.models.Annotator.Kind",
        "JudgingRunKind": "annotation.models.JudgingRun.Kind",
        "DatasetKind": "annotation.models.Dataset.Kind",
        "EvaluationKind": "evaluation.models.EvaluationRun.Kind",
        "MetricKind": "training.models.Metric.Kind",
        "ModelKind": "generation.models.LanguageModel.Kind",
    },
}

UNFOLD = {"SITE_TITLE": "Concord", "SITE_HEADER": "Concord", "SITE_URL": "/"}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {"httpx": {"level": "WARNING"}},  # a line for every request to a model is too many
}

IS_TESTING = "pytest" in sys.modules
if IS_TESTING:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
