#!/usr/bin/env bash
# A SLURM cluster of this machine alone, for tests: Debian's packages (slurm-wlm, munge), no systemd, loopback only. Needs root.
#   tests/slurm.sh up DIR [NODES]    DIR/slurm.conf is what SLURM_CONF is to name
#   tests/slurm.sh kill DIR NODE     the node and all that runs on it, at once;  start DIR NODE: and back
#   tests/slurm.sh down DIR
set -euo pipefail
action=$1 dir=$2
export SLURM_CONF=$dir/slurm.conf

# Each node has its own process ids, as hosts have: a lease of one says nothing on another. One kill ends all of it.
start() {
    unshare --pid --fork --mount-proc --kill-child=KILL slurmd -D -N "$1" >>"$dir/$1.out" 2>&1 &
    echo $! >"$dir/$1.pid"
}

conf() {
    local host=$(hostname -s) nodes=$1 port=$2
    cat <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# a job that is queued again waits until its credential has expired: two minutes by default
AuthInfo=socket=$dir/munge/socket,cred_expire=5
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool-%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/%n.slurmd
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/%n.log
# neither cgroups nor accounts, which a container may not have
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,sched_min_interval=0,batch_sched_delay=0
ReturnToService=2
SlurmdTimeout=10
KillWait=20
MailProg=/bin/true
CONF
    for i in $(seq "$nodes"); do
        echo "NodeName=n$i NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + i)) CPUs=1 RealMemory=1000 State=UNKNOWN"
    done
    echo "PartitionName=test Nodes=n[1-$nodes] Default=YES MaxTime=INFINITE State=UP"
}

# The first of so many ports in a row, and one more, that nobody uses.
free() {
    python3 - "$1" <<'PYTHON'
import random, socket, sys
while True:
    first = random.randrange(20000, 32000)
    try:
        for port in range(first, first + int(sys.argv[1]) + 1):
            socket.socket().bind(("127.0.0.1", port))
        break
    except OSError:
        pass
print(first)
PYTHON
}

up() {
    local nodes=$1 port
    port=$(free "$nodes")
    mkdir -p "$dir/state" "$dir/munge"
    chmod 755 "$dir" "$dir/munge"
    for i in $(seq "$nodes"); do mkdir -p "$dir/spool-n$i"; done
    (umask 077 && head -c 1024 /dev/urandom >"$dir/munge/key")
    munged --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" --pid-file="$dir/munge/pid" \
        --log-file="$dir/munge/log" --seed-file="$dir/munge/seed" --num-threads=2
    conf "$nodes" "$port" >"$SLURM_CONF"
    slurmctld
    for i in $(seq "$nodes"); do start "n$i"; done
    for _ in $(seq 150); do
        [ "$(sinfo --noheader --states=idle --format=%D 2>/dev/null)" = "$nodes" ] && return
        sleep 0.2
    done
    sinfo --Node --long >&2
    tail -n 5 "$dir/slurmctld.log" >&2
    return 1
}

end() { # the process whose number a file has
    if [ -f "$1" ]; then kill "${2:--TERM}" "$(cat "$1")" 2>/dev/null || true; fi
}

case $action in
    up) up "${3:-3}" ;;
    kill) end "$dir/$3.pid" -KILL ;;
    start) start "$3" ;;
    down)
        for file in "$dir"/n*.pid; do end "$file" -KILL; done
        end "$dir/slurmctld.pid"
        end "$dir/munge/pid"
        ;;
esac
