# syntax=docker/dockerfile:1
#
#   docker build -t xstilts-harness .
#   docker run --rm xstilts-harness eval --all                     the smoke suite on the CPU, no network needed
#
# GPUs, volumes that survive the container, your own tasks, Apptainer: docs/running.md

# The CUDA release that torch==2.13.0 from the default package index is built for: that wheel asks for
# cuda-toolkit 13.0.3, and pip installs it as nvidia-* wheels inside the virtual environment. `base` is therefore
# enough: it adds what a container needs to be given GPUs (and to be refused on a driver older than CUDA 13), while
# `runtime` would bring every CUDA library a second time. A build step below fails when torch and CUDA drift apart.
ARG CUDA=13.0.3
ARG UBUNTU=24.04


FROM nvidia/cuda:${CUDA}-base-ubuntu${UBUNTU} AS python
# No versions here on purpose: Ubuntu's archive keeps only the newest build of a package, so a pinned one stops
# installing at its next security fix. The release (24.04) and the name (python3.12) fix what could matter.
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ca-certificates python3.12 \
    && rm -rf /var/lib/apt/lists/*


FROM python AS build
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3.12-venv \
    && rm -rf /var/lib/apt/lists/*
RUN python3.12 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PIP_DISABLE_PIP_VERSION_CHECK=1

# Packages first: this large layer is built again only when the lock file changes. Wheels only, so no compiler is needed.
COPY requirements.lock /src/
RUN pip install --no-cache-dir --only-binary=:all: -r /src/requirements.lock

# A lock file that names a CPU build, or an index that serves one, must not become an image that trains on the CPU in silence.
ARG CUDA
RUN python -c "import torch; assert torch.version.cuda, f'torch {torch.__version__} has no CUDA'; \
assert '${CUDA}'.startswith(torch.version.cuda), f'torch is built for CUDA {torch.version.cuda}, the image is ${CUDA}'"

COPY pyproject.toml README.md LICENSE /src/
COPY encoders /src/encoders
COPY protocols /src/protocols
COPY suites /src/suites
COPY tasks /src/tasks
COPY leaderboard/published /src/leaderboard/published
COPY harness /src/harness
RUN pip install --no-cache-dir --no-deps --no-build-isolation /src && pip check


FROM python AS final
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ARG CUDA
ARG UBUNTU
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="xstilts-harness" \
      org.opencontainers.image.description="Does English intermediate-task training help zero-shot cross-lingual transfer? A reproducibility benchmark harness." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="docker.io/nvidia/cuda:${CUDA}-base-ubuntu${UBUNTU}"

# 24.04 has a user `ubuntu` with id 1000 already. The volumes are open to every user, like /tmp, so that
# `docker run --user "$(id -u):$(id -g)"` can write to them too.
RUN useradd --uid 10001 --user-group --create-home --no-log-init xstilts \
    && mkdir -p /workspace /cache /runs \
    && chmod 1777 /workspace /cache /runs
COPY --from=build /opt/venv /opt/venv

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

# As the user who will run it: the built-in specs are sound, and the smoke suite needs nothing that is not in the image.
RUN xstilts-harness validate \
    && xstilts-harness plan --all --offline --json --store /tmp/check \
       | python -c "import json, sys; blocked = json.load(sys.stdin)['blocked']; assert not blocked, blocked" \
    && rm -rf /tmp/check

VOLUME ["/cache", "/runs"]
ENTRYPOINT ["xstilts-harness"]
CMD ["--help"]
