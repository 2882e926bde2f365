#!/usr/bin/env bash
# A Ray cluster of this machine alone, for tests: its nodes are addresses of a loopback in a network namespace of its own, each with
# its own process ids, as hosts have. Needs root; `ray` is the one on PATH, with the environment of whoever calls.
#   tests/ray.sh up DIR [NODES]      node 1 is the head
#   tests/ray.sh kill DIR NODE       the node and all that runs on it, at once;  start DIR NODE: another, or the same again
#   tests/ray.sh on DIR NODE WORDS   run a command on that node, with RAY_ADDRESS
#   tests/ray.sh down DIR
set -euo pipefail
action=$1 dir=$2
export RAY_ADDRESS=10.77.0.1:6379
# a dead node is noticed within seconds, nobody is told how Ray is used
export RAY_USAGE_STATS_ENABLED=0 RAY_health_check_initial_delay_ms=1000 RAY_health_check_period_ms=1000
export RAY_health_check_timeout_ms=2000 RAY_health_check_failure_threshold=3

net() { echo "/proc/$(cat "$dir/net.pid")/ns/net"; }

start() {
    local node=$1 role=(--address "$RAY_ADDRESS")
    if [ "$node" = 1 ]; then role=(--head --port 6379 --include-dashboard=false); fi
    mkdir -p /tmp/ray "$dir/ray-$node"
    # one kill of the first process of a namespace ends all that is in it
    nsenter --net="$(net)" unshare --pid --fork --mount --mount-proc --kill-child=KILL bash -c '
        mount --bind "$0" /tmp/ray && exec ray start "$@" --block --num-cpus 1 --num-gpus 0 --object-store-memory 80000000 \
            --disable-usage-stats' "$dir/ray-$node" "${role[@]}" --node-ip-address "10.77.0.$node" \
        >>"$dir/node-$node.log" 2>&1 &
    echo $! >"$dir/node-$node.pid"
}

on() {
    local inside
    inside=$(pgrep --parent "$(cat "$dir/node-$1.pid")")
    shift
    exec nsenter --target "$inside" --net --pid --mount bash -c 'cd "$0" && exec "$@"' "$PWD" "$@"
}

up() {
    mkdir -p "$dir"
    unshare --net sleep infinity &
    echo $! >"$dir/net.pid"
    sleep 0.2
    nsenter --net="$(net)" ip link set lo up
    for i in $(seq 9); do nsenter --net="$(net)" ip address add "10.77.0.$i/24" dev lo; done
    for i in $(seq "$1"); do
        start "$i"
        [ "$i" != 1 ] || sleep 5
    done
    for _ in $(seq 60); do
        [ "$(on 1 ray status 2>/dev/null | grep -c '^ *1 node_')" = "$1" ] && return
        sleep 1
    done
    tail -n 5 "$dir"/node-*.log >&2
    return 1
}

case $action in
    up) up "${3:-3}" ;;
    kill) kill -KILL "$(cat "$dir/node-$3.pid")" ;;
    start) start "$3" ;;
    on) shift 2; on "$@" ;;
    down) for file in "$dir"/*.pid; do kill -KILL "$(cat "$file")" 2>/dev/null || true; done ;;
esac
