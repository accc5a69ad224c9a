#!/bin/sh
# One image, by argument: web | worker | beat | manage <command>. Each becomes process 1, so a stop reaches it.
set -eu
role="${1:-web}"
[ "$#" -eq 0 ] || shift
case "$role" in
    web)
        exec python -m gunicorn palms.wsgi:application --bind "0.0.0.0:${PORT:-8000}" --worker-class gthread \
            --workers "${WEB_CONCURRENCY:-2}" --threads "${WEB_THREADS:-16}" --timeout 60 --graceful-timeout 20 \
            --worker-tmp-dir /dev/shm --no-control-socket --access-logfile - "$@"
        ;;
    worker)
        exec python -m celery -A palms worker --concurrency "${WORKER_CONCURRENCY:-2}" --loglevel info "$@"
        ;;
    beat)
        exec python -m celery -A palms beat --schedule /tmp/beat-schedule --loglevel info "$@"
        ;;
    manage)
        exec python manage.py "$@"
        ;;
    *)
        echo "Unknown argument: $role. Use web, worker, beat, or manage <command>." >&2
        exit 64
        ;;
esac
