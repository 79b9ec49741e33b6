# The desk as an image: dependencies by hash, no root, data in /data.
#
# The base is pinned by its exact tag. A tag can be moved, a digest cannot; to pin by digest, look it
# up once with `docker buildx imagetools inspect python:3.13.16-slim-trixie` and build with
#   docker build --build-arg PYTHON=python:3.13.16-slim-trixie@sha256:<digest> .
ARG PYTHON=python:3.13.16-slim-trixie

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/frontdesk
ENV PATH=/opt/frontdesk/bin:$PATH
WORKDIR /src
# Dependencies before the code: a change of the code leaves this layer alone. Wheels only, because
# the slim base has no compiler and a source build would link the system's older SQLite.
COPY requirements/ requirements/
RUN pip install --require-hashes --only-binary :all: -r requirements/run.txt -r requirements/charts.txt -r requirements/files.txt -r requirements/local.txt
COPY pyproject.toml README.md LICENSE ./
COPY bot/ bot/
COPY adapters/ adapters/
COPY storage/ storage/
RUN pip install --no-deps --no-build-isolation --no-index .
# SQLite before 3.51.3 can damage a database in WAL mode (sqlite.org/wal.html); fail here, not later.
RUN cd / && python -c "from storage.driver import sqlite; v = sqlite.sqlite_version_info; assert v >= (3, 51, 3), v"

FROM ${PYTHON}
# Chinese labels in the picture of /stats; 5 MB. Without it they are in English.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends fonts-wqy-microhei \
 && rm -rf /var/lib/apt/lists/*
RUN groupadd --system --gid 10001 frontdesk \
 && useradd --system --uid 10001 --gid 10001 --home-dir /data --shell /usr/sbin/nologin frontdesk \
 && install --directory --owner=10001 --group=10001 --mode=0700 /data
COPY --from=build /opt/frontdesk /opt/frontdesk
ENV PATH=/opt/frontdesk/bin:$PATH PYTHONUNBUFFERED=1 \
    FRONTDESK_DB=/data/frontdesk.db FRONTDESK_HTTP=0.0.0.0:8080
# frontdesk.toml and relative paths are looked for here.
WORKDIR /data
VOLUME /data
USER 10001:10001
EXPOSE 8080
# The desk finishes what it is writing within 25 s of this; give it 30 before a kill.
STOPSIGNAL SIGTERM
# No curl in the base; http.client, since urllib would ask a proxy from the environment.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-c", "import os, http.client as h; c = h.HTTPConnection('127.0.0.1', int((os.environ.get('FRONTDESK_HTTP') or ':8080').rpartition(':')[2]), timeout=4); c.request('GET', '/livez'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["frontdesk"]
CMD ["run"]
