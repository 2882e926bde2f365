#!/usr/bin/env bash
# Builds the image, then uses it as its users do: what `make image-test` runs. Ends with "N passed, N failed".
#
#   TORCH=cpu BASE=ubuntu:24.04 tools/image.sh     the default; TORCH=cuda takes the Dockerfile's own base
#   BASE=debian                                    a base made here of Debian's packages: no registry of images is asked
#   TORCH_WHEELS=DIR                               a folder with torch's CPU wheel, in place of an index
#   WORK=DIR KEEP=1                                where it works; keep what it made
#
# With no Docker engine running, root gets one of its own for the time of the test (packages docker.io, mmdebstrap).
set -euo pipefail
cd "$(dirname "$0")/.."

export TORCH=${TORCH:-cpu}
case $TORCH in cuda) base=$(sed -n 's/^ARG BASE=//p' Dockerfile | head -1) ;; *) base=ubuntu:24.04 ;; esac
base=${BASE:-$base}
image=${IMAGE:-xstilts-harness:test}
work=${WORK:-$(mktemp -d)}
mkdir -p "$work"
started=$SECONDS
pids=()

step() { printf '\n== %4d s  %s\n' $((SECONDS - started)) "$*"; }

clean() {
    local pid
    docker ps --all --quiet --filter label=xstilts-test 2>/dev/null | xargs -r docker rm --force >/dev/null 2>&1 || true
    [ -n "${KEEP:-}" ] || docker volume rm xstilts-test-runs >/dev/null 2>&1 || true
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    umount "$work"/exec/netns/default 2>/dev/null || true
    [ -n "${KEEP:-}" ] || rm -rf "$work"
}
trap clean EXIT

# ---- an engine, a base, torch: each only where there is none

if ! docker info >/dev/null 2>&1; then
    step "an engine of our own"
    export DOCKER_HOST=unix://$work/docker.sock
    dockerd --data-root "$work/docker" --exec-root "$work/exec" --pidfile "$work/dockerd.pid" -H "$DOCKER_HOST" \
        --bridge=none --iptables=false --ip-forward=false --ip-masq=false >"$work/dockerd.log" 2>&1 &
    pids+=($!)
    for _ in $(seq 60); do docker info >/dev/null 2>&1 && break; sleep 0.5; done
    docker version --format 'Docker {{.Server.Version}}' || { tail "$work/dockerd.log"; exit 1; }
fi

if [ "$base" = debian ]; then
    step "a base of Debian's packages"
    base=xstilts-debian:bookworm
    mkdir -p "$work/base/ca"
    [ -s "$work/base/root.tar" ] || mmdebstrap --quiet --variant=minbase --include=ca-certificates bookworm "$work/base/root.tar"
    docker import "$work/base/root.tar" xstilts-debian:packages >/dev/null

    # A network may have authorities of its own, which pip would not know.
    find /usr/local/share/ca-certificates -name '*.crt' -exec cp {} "$work/base/ca/" \;
    printf 'FROM xstilts-debian:packages\nCOPY ca /usr/local/share/ca-certificates\nRUN update-ca-certificates\n%s\n' \
        'RUN printf "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n" >/etc/pip.conf' >"$work/base/Dockerfile"
    docker build --quiet --network host --tag $base "$work/base" >/dev/null
fi

more=()
if [ -n "${TORCH_WHEELS:-}" ]; then
    mkdir -p "$work/index"
    ln -sfn "$(realpath "$TORCH_WHEELS")" "$work/index/torch"
    python3 -m http.server --bind 127.0.0.1 --directory "$work/index" 8977 >/dev/null 2>&1 &
    pids+=($!)
    more+=(--build-arg TORCH_INDEX=http://127.0.0.1:8977/)
fi

# ---- the image

step "docker build: $TORCH on $base"
commit=$(git rev-parse HEAD)
docker build --network host --tag "$image" --build-arg "BASE=$base" --build-arg "TORCH=$TORCH" "${more[@]}" \
    --build-arg "REVISION=$commit" --build-arg "VERSION=test" . >"$work/build.log" 2>&1 || { tail -40 "$work/build.log"; exit 1; }
docker image inspect "$image" --format '{{.Size}}' | awk '{printf "%.2f GB\n", $1 / 1e9}'
docker history --human=false --format '{{.Size}} {{.CreatedBy}}' "$image" | grep COPY \
    | awk '{printf "%8.1f MB  %s\n", $1 / 1e6, substr($0, index($0, "COPY"))}'

# ---- in use

passed=0
failed=0
exec 3>&1
check() { # what it shows, the exit code to expect, a command
    local name=$1 expect=$2 code=0 from=$SECONDS
    shift 2
    "$@" >"$work/check.log" 2>&1 || code=$?
    if [ "$code" = "$expect" ]; then
        passed=$((passed + 1)); printf '   ok %4d s  %s\n' $((SECONDS - from)) "$name"
    else
        failed=$((failed + 1)); printf 'FAIL %4d s  %s: exit code %s, not %s\n' $((SECONDS - from)) "$name" "$code" "$expect"
        tail -15 "$work/check.log"
    fi
}
run() { docker run --rm --label xstilts-test --network none "$@"; }
inside() { run --entrypoint "$1" "${@:2}"; } # ENTRYPOINT, then docker's options, image and arguments

step "the image, with no network"
check "no argument: help" 0 run "$image"
check "its own check of itself" 0 run "$image" doctor
check "an unknown command" 2 run "$image" no-such-command
check "data of the hub that are not here" 3 run "$image" eval --suite small --offline
check "published numbers, by their arithmetic" 0 run "$image" reproduce --level 2

label() { docker image inspect "$image" --format "{{index .Config.Labels \"org.opencontainers.image.$1\"}}" | grep -qFx -- "$2"; }
check "labelled with its commit" 0 label revision "$commit"
check "labelled with its licence" 0 label licenses Apache-2.0
frozen() { inside pip "$image" freeze --exclude xstilts-harness | cmp - <(inside cat "$image" /opt/venv/packages.txt); }
check "the packages recorded are those inside" 0 frozen
light() { # the project is the last COPY: a new version of it moves these bytes and no others
    [ "$(docker history --human=false --format '{{.Size}} {{.CreatedBy}}' "$image" | grep COPY | head -1 | cut -d' ' -f1)" -lt 10000000 ]
}
check "the project's own layer is below 10 MB" 0 light

# Nobody's user, nothing writable but a folder of one's own, no capability, no home.
rm -rf "$work/runs"
mkdir -p "$work/runs"
chown 1234:1234 "$work/runs"
strict=(--user 1234:1234 --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges -e HOME=/nonexistent)
strict+=(-v "$work/runs:/runs")

stopped() { # SIGTERM while it trains: workers save, and it leaves by itself well within compose.yaml's 60 s
    local from code said name=xstilts-test-stopped
    docker run --label xstilts-test --network none --detach --name $name "${strict[@]}" "$image" eval --all >/dev/null
    # one training has ended, and others go on
    for _ in $(seq 1200); do
        said=$(docker logs $name 2>&1)
        [[ $said == *'] train '* ]] && break
        sleep 0.5
    done
    from=$SECONDS
    docker stop --time 60 $name >/dev/null
    code=$(docker inspect $name --format '{{.State.ExitCode}}')
    echo "        docker stop took $((SECONDS - from)) s" >&3
    docker logs $name 2>&1 | tail -5
    docker rm $name >/dev/null
    return "$code"
}
step "eval --all: as somebody else, read-only, with no network"
check "docker stop while it trains" 143 stopped
check "the same command ends it" 0 run "${strict[@]}" "$image" eval --all
again() { run "${strict[@]}" "$image" eval --all 2>&1 | grep "the same content as before"; }
check "once more, in another container: nothing to do" 0 again

suite=$(basename "$work"/runs/board/releases/0001-*.env.json .env.json)
suite=${suite#0001-}
check "$suite: within compare's tolerance of the release that the image carries" 0 \
    run "${strict[@]}" "$image" leaderboard compare --board /leaderboard "$suite" "/runs/board/releases/0001-$suite.json"
check "$suite: the release that the image carries, by its own evidence" 0 run "$image" leaderboard verify --board /leaderboard "$suite"
keys() { # of every job: what was trained and scored is what we released
    inside python "${strict[@]}" "$image" -c "
import glob, json
jobs = lambda path: set(json.load(open(path))['jobs'])
committed = jobs(sorted(glob.glob('/leaderboard/releases/*-$suite.json'))[-1])
here = jobs('/runs/board/releases/0001-$suite.json')
print(len(committed), 'keys', committed ^ here)
assert committed == here"
}
check "$suite: the same keys" 0 keys
named() { grep -q "$commit" "$work/runs/board/releases/0001-$suite.env.json"; }
check "the release names the image's commit" 0 named

step "what goes wrong, and how it says so"
mkdir -p "$work/roots"
check "a folder that it may not write" 74 run -v "$work/roots:/runs" "$image" eval --all

step "done"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
