# One image for web, worker and beat: docker run ... palms web|worker|beat, or: palms manage migrate
FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /venv
COPY requirements.txt constraints.txt /build/
RUN /venv/bin/pip install --no-compile -c /build/constraints.txt -r /build/requirements.txt

FROM python:3.11-slim-bookworm
RUN groupadd --system --gid 10001 palms \
    && useradd --system --uid 10001 --gid palms --home-dir /app --no-create-home --shell /usr/sbin/nologin palms
COPY --from=build /venv /venv
WORKDIR /app
COPY . .
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=palms.settings \
    PALMS_STATIC_ROOT=/app/staticfiles
# Values for this one command only; none of them stays in the image.
RUN PALMS_SECRET_KEY=build PALMS_FIELD_KEYS=build DATABASE_URL=postgres://build/build PALMS_BASE_URL=https://build.invalid \
    PALMS_ALLOWED_HOSTS=build.invalid PALMS_MAIL_DIR=/tmp python manage.py collectstatic --no-input --verbosity 0
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["python", "docker/healthcheck.py"]
ENTRYPOINT ["sh", "docker/entrypoint.sh"]
CMD ["web"]
