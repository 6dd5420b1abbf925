# SPDX-License-Identifier: MIT
# Memory, processors and processes of a container are limited, whatever runtime it has, for exec too; nothing stays.
source "$(dirname "$0")/lib.sh"
need_root
need_fuse
need crun runc jq
small_image
oblea import "$small/oci" small:latest >/dev/null
oblea create --name probe --memory 64m --pids-limit 20 --cpus 0.5 small:latest true >/dev/null 2>"$work/err" || skip "no cgroups here: $(cat "$work/err")"
oblea start probe >/dev/null 2>"$work/err" || skip "cgroups cannot be made here: $(cat "$work/err")"
oblea rm -f probe >/dev/null

# limit ID FILE OF-VERSION-2: what the container's cgroup says.
limit() {
    local folder file
    for folder in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/{memory,cpu,cpuset,pids}; do
        for file in "$folder/oblea/$1/$2" "$folder/oblea/$1/$3"; do
            [[ ! -e $file ]] || { xargs <"$file"; return; }
        done
    done
}
left() { find /sys/fs/cgroup -path "*/oblea/$1*" -name cgroup.procs 2>/dev/null; }

use_limits() {
    local id said status=0
    id=$(oblea run -d --name limited --memory 64m --memory-swap -1 --cpus 0.5 --cpu-shares 512 --pids-limit 20 --cpuset-cpus 0 small:latest sleep 1000)
    assert_eq "memory" $((64 << 20)) "$(limit "$id" memory.limit_in_bytes memory.max)"
    assert_eq "processes" 20 "$(limit "$id" pids.max pids.max)"
    assert_eq "processors" 0 "$(limit "$id" cpuset.cpus cpuset.cpus)"
    said=$(limit "$id" cpu.cfs_quota_us cpu.max)
    [[ $said == 50000 || $said == "50000 100000" ]] || fail "half of a processor: $said"
    assert_eq "what inspect says" "67108864 -1 500000000 512 0 20" \
        "$(oblea inspect -f '{{with .HostConfig}}{{.Memory}} {{.MemorySwap}} {{.NanoCpus}} {{.CpuShares}} {{.CpusetCpus}} {{.PidsLimit}}{{end}}' limited)"
    # The container's own processes, and those that are added.
    said=$(oblea exec limited sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21; do sleep 100 >/dev/null 2>&1 & done' 2>&1) && fail "more than 20 processes: $said"
    assert_contains "more than 20 processes" "$said" "fork"
    oblea rm -f limited >/dev/null
    assert_eq "cgroups at the end" "" "$(left "$id")"

    oblea run --name hungry --memory 16m --memory-swap 16m small:latest sh -c 'head -c 100000000 /dev/zero | tail -c 100000000 >/dev/null; exit $?' 2>/dev/null || status=$?
    assert_eq "status of what took too much" 137 "$status"
    assert_eq "why" true "$(oblea inspect -f '{{.State.OOMKilled}}' hungry)"
    oblea rm hungry >/dev/null

    # Of a container whose monitor was killed nothing stays either.
    id=$(oblea run -d --name lost --pids-limit 20 small:latest sleep 1000)
    kill -9 "$(jq .monitor_pid "$(container_folder lost)/state.json")"
    oblea rm -f lost >/dev/null
    is_gone() { [[ -z $(left "$1") ]]; }
    until_true is_gone "$id"
}
for OBLEA_RUNTIME in crun runc oblea; do
    export OBLEA_RUNTIME
    use_limits
done
assert_fails oblea create --name other --cpuset-cpus 100000 small:latest
assert_eq "containers at the end" "" "$(oblea ps -aq)"
