#   docker build -t xstilts-harness .
#   docker run --rm xstilts-harness eval --all                     the default suite on the CPU, no network needed
#
# Without a GPU, a third of the size: --build-arg TORCH=cpu --build-arg BASE=ubuntu:24.04
# GPUs, volumes that survive the container, your own tasks, compose, Apptainer: docs/running.md

# Any Debian or Ubuntu. For CUDA `base` is enough: torch==2.13.0 from PyPI brings CUDA 13.0 as wheels, and this adds
# what a container needs to be given GPUs, and to be refused on a driver older than that. `runtime` would bring every
# library a second time. A step below fails when torch and CUDA drift apart.
ARG BASE=nvidia/cuda:13.0.3-base-ubuntu24.04


FROM ${BASE} AS python
# No versions here on purpose: the archive keeps only the newest build of a package, so a pinned one stops installing at
# its next security fix. The base fixes the release, and so the version of Python.
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/*


# What the lock files name, in a layer that only they change. Wheels only, so no compiler is needed.
FROM python AS packages
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1

# A mirror of PyPI, where there is one; unset, pip's own.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
COPY requirements.lock requirements-torch.lock /src/
RUN pip install --no-deps --require-hashes --only-binary=:all: -r /src/requirements.lock

# PyPI's torch by its hash. The CPU build is another file under the same version, on an index that has only such.
ARG BASE
ARG TORCH=cuda
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN case "${TORCH}" in \
        cuda) pip install --no-deps --require-hashes --only-binary=:all: -r /src/requirements-torch.lock ;; \
        cpu) pip install --no-deps --index-url "${TORCH_INDEX}" "$(grep -o '^torch==[0-9.]*' /src/requirements-torch.lock)" ;; \
        *) echo "TORCH is cuda or cpu, not ${TORCH}" >&2; exit 1 ;; \
    esac \
    && pip check

# An index that serves another build must not become an image that trains on the CPU in silence.
RUN python -c "import torch; built = torch.version.cuda or 'cpu'; \
assert (built == 'cpu') == ('${TORCH}' == 'cpu'), f'torch is built for {built}, asked for was ${TORCH}'; \
assert 'nvidia/cuda' not in '${BASE}' or built in '${BASE}', f'torch is built for {built}, the image stands on ${BASE}'"
RUN pip freeze > /opt/venv/packages.txt


FROM packages AS project
COPY pyproject.toml README.md LICENSE /src/
COPY encoders /src/encoders
COPY protocols /src/protocols
COPY schemas /src/schemas
COPY suites /src/suites
COPY tasks /src/tasks
COPY leaderboard/published /src/leaderboard/published
COPY harness /src/harness
RUN pip install --no-deps --no-build-isolation --prefix=/opt/project /src


FROM python AS final

# 24.04 has a user `ubuntu` with id 1000 already. The volumes are open to every user, like /tmp, so that
# `docker run --user "$(id -u):$(id -g)"` can write to them too.
RUN useradd --uid 10001 --user-group --create-home --no-log-init xstilts \
    && mkdir -p /workspace /cache /runs \
    && chmod 1777 /workspace /cache /runs

# The project last: all that a new version of it changes is some megabytes. /leaderboard: our own releases, to compare.
COPY --from=packages /opt/venv /opt/venv
COPY leaderboard /leaderboard
COPY --from=project /opt/project /opt/venv

ARG BASE
ARG VERSION=
ARG REVISION=
ARG SOURCE=
LABEL org.opencontainers.image.title="xstilts-harness" \
      org.opencontainers.image.description="XTREME and intermediate-task gains of an encoder: a reproducibility benchmark harness." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.base.name="${BASE}"

# /cache: the hub's cache   /runs: job results and releases   /workspace: mount your own specs at /workspace/tasks
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/home/xstilts \
    HF_HOME=/cache \
    XSTILTS_STORE=/runs/store \
    XSTILTS_BOARD=/runs/board \
    XSTILTS_COMMIT=${REVISION} \
    LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1

USER 10001:10001
WORKDIR /workspace

# As the user who will run it: the built-in specs are sound, and the default suite needs nothing that is not in the image.
RUN xstilts-harness validate \
    && mkdir /tmp/check \
    && xstilts-harness plan --all --offline --json --store /tmp/check/store > /tmp/check/plan.json \
    && python -c "import json; blocked = json.load(open('/tmp/check/plan.json'))['blocked']; assert not blocked, blocked" \
    && rm -r /tmp/check

VOLUME ["/cache", "/runs"]
ENTRYPOINT ["xstilts-harness"]
CMD ["--help"]
