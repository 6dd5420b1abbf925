# SPDX-License-Identifier: MIT
# `oblea build` as docker's users know it: the classic output line by line, the cache, what a changed file rebuilds, stages, mounts, COPY's
# rules, failing commands, interruption.
source "$(dirname "$0")/lib.sh"
need_fuse
need crun jq
small_image
oblea import "$small/oci" debian >/dev/null
mkdir "$work/c" && cd "$work/c"

# Ids of images and containers as one word, so that output can be compared.
masked() {
    sed -E 's/[0-9a-f]{12,64}/ID/g'
}
build() { # NAME ARGUMENT...
    local name=$1
    shift
    oblea build -t "$name" "$@" . >"$work/out" 2>"$work/err" || {
        cat "$work/out" "$work/err" >&2
        fail "build of $name"
    }
    cat "$work/out"
}
run() { # IMAGE COMMAND...
    oblea run --rm "$@"
}

# The classic form.
mkdir app && echo "print('hello')" >app/main.py && echo other >app/other
cat >Dockerfile <<'END'
FROM debian
RUN echo updating && echo lists >/srv/lists
RUN echo installing >&2 && mkdir /usr/new && echo ssh >/usr/new/ssh
COPY ./app /app
END
assert_eq "a first build" "Step 1/4 : FROM debian
 ---> ID
Step 2/4 : RUN echo updating && echo lists >/srv/lists
 ---> Running in ID
updating
Removing intermediate container ID
 ---> ID
Step 3/4 : RUN echo installing >&2 && mkdir /usr/new && echo ssh >/usr/new/ssh
 ---> Running in ID
installing
Removing intermediate container ID
 ---> ID
Step 4/4 : COPY ./app /app
 ---> ID
Successfully built ID
Successfully tagged demo:latest" "$(build demo | masked)"
assert_eq "what RUN and COPY left" "lists ssh print('hello') other" \
    "$(run demo sh -c 'echo $(cat /srv/lists /usr/new/ssh /app/main.py /app/other)')"
first=$(oblea images -q --no-trunc demo)
assert_eq "containers of steps" "" "$(oblea ps -aq)"
assert_eq "mounts" "" "$(oblea mounts -q 2>/dev/null || true)"

# Again: nothing is carried out.
assert_eq "a second build" "Step 1/4 : FROM debian
 ---> ID
Step 2/4 : RUN echo updating && echo lists >/srv/lists
 ---> Using cache
 ---> ID
Step 3/4 : RUN echo installing >&2 && mkdir /usr/new && echo ssh >/usr/new/ssh
 ---> Using cache
 ---> ID
Step 4/4 : COPY ./app /app
 ---> Using cache
 ---> ID
Successfully built ID
Successfully tagged demo:latest" "$(build demo | masked)"
assert_eq "the same image" "$first" "$(oblea images -q --no-trunc demo)"

# Times do not count, contents do: one step is done again, and the old image has no name any more.
touch app/main.py
assert_eq "steps from the cache" 3 "$(build demo | grep -c 'Using cache')"
echo "print('changed')" >app/main.py
assert_eq "steps from the cache after a change" 2 "$(build demo | grep -c 'Using cache')"
assert_eq "the changed file" "print('changed')" "$(run demo cat /app/main.py)"
assert_contains "the old image" "$(oblea images --filter dangling=true -q --no-trunc)" "$first"
assert_eq "steps without the cache" 0 "$(build demo --no-cache | grep -c 'Using cache' || true)"

# Each step is an image.
steps=$(build demo | awk '/^ ---> [0-9a-f]+$/ { print $2 }')
oblea tag "$(sed -n 2p <<<"$steps")" half
assert_eq "a step by a name of its own" "lists" "$(run half cat /srv/lists)"
assert_eq "history" "COPY dir:ID in /app |/bin/sh -c echo installing >&2 && mkdir /usr/new && echo ssh >/usr/new/ssh|/bin/sh -c echo updating && echo lists >/srv/lists" \
    "$(oblea history --no-trunc --format '{{.CreatedBy}}' demo | head -3 | sed 's/.*#(nop) //' | masked | paste -sd'|')"
assert_eq "ids in the history" 4 "$(oblea history -q demo | head -4 | grep -vc missing)"
oblea rmi half >/dev/null

# Metadata, arguments, expansion.
cat >Dockerfile <<'END'
ARG BASE=debian
FROM ${BASE}
ARG VERSION=1 TWICE=${VERSION}.${VERSION}
ENV NAME=value LONG="two words" V=$TWICE
LABEL by="me" version=${VERSION:-none}
WORKDIR /work/dir
USER 33:33
EXPOSE 80 8000-8001/udp
VOLUME /data
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s --retries=2 CMD true
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["echo $NAME $LONG $V $(pwd) $(id -u)"]
END
build meta --build-arg VERSION=7 --label extra=yes >/dev/null
assert_eq "what the image runs" "value two words 7.7 /work/dir 33" "$(run meta)"
assert_eq "its config" '{"by":"me","extra":"yes","version":"7"} ["80/tcp","8000/udp","8001/udp"] ["/data"] SIGINT ["CMD-SHELL","true"] 5000000000' \
    "$(oblea inspect meta | jq -rc '.[0].Config | "\(.Labels) \(.ExposedPorts | keys) \(.Volumes | keys) \(.StopSignal) \(.Healthcheck.Test) \(.Healthcheck.Interval)"')"
assert_contains "arguments nobody asked for" "$(build meta --build-arg NOBODY=1)" "[Warning] One or more build-args [NOBODY] were not consumed"

# Stages: only what is needed, scratch, COPY --from, owners and modes, globs and links.
mkdir -p tree/sub && echo 1 >tree/a.txt && echo 2 >tree/b.txt && echo 3 >tree/sub/c && ln -s a.txt tree/link && chmod 750 tree/b.txt
echo 'tree/b*' >.dockerignore
cat >Dockerfile <<'END'
FROM debian AS builder
RUN mkdir -p /out/bin && echo binary >/out/bin/tool && chown 7:8 /out/bin/tool && chmod 4711 /out/bin/tool && ln -s bin /out/link
FROM debian AS unused
RUN exit 99
FROM scratch AS files
COPY --from=builder /out /
COPY --chown=12:34 --chmod=640 tree/*.txt /texts/
COPY <<one <<"two" /heredocs/
1 is $HOME
one
2 is $HOME
two
FROM debian
COPY --from=files / /all/
COPY --chown=www-data tree /all/tree
ADD archive.tar.gz /unpacked
WORKDIR /all
END
tar -czf archive.tar.gz -C tree sub link
build stages >"$work/stages"
assert_eq "stages that are not needed" "" "$(grep unused "$work/stages" || true)"
assert_eq "modes and owners" "4711 7:8 640 12:34 644 33:33" \
    "$(run stages sh -c 'echo $(stat -c "%a %u:%g" bin/tool texts/a.txt tree/a.txt)')"
assert_eq "what .dockerignore leaves out" "a.txt link sub a.txt" "$(run stages sh -c 'echo $(ls tree) $(ls texts)')"
assert_eq "unpacked" "3 a.txt" "$(run stages sh -c 'echo $(cat /unpacked/sub/c) $(readlink /unpacked/link)')"
assert_eq "heredocs" '1 is  2 is $HOME' "$(run stages sh -c 'cat heredocs/*' | paste -sd' ')"
assert_eq "all of it from the cache" "$(grep -c '^Step' "$work/stages")" "$(($(build stages | grep -c 'Using cache') + 3))"
assert_eq "a target" "Successfully tagged builder:latest" "$(build builder --target builder | tail -1)"

# The destination's links lead nowhere else, and a merged /usr stays merged.
mkdir -p root/bin && echo tool >root/bin/tool
cat >Dockerfile <<'END'
FROM debian
RUN ln -s /etc /to-etc && ln -s ../../../../../../tmp /up
COPY tree/a.txt /to-etc/
COPY tree/a.txt /up/
COPY root /
END
build links >/dev/null
assert_eq "through links" "1 1" "$(run links sh -c 'echo $(cat /etc/a.txt /tmp/a.txt)')"
assert_eq "files in a merged /usr" "$(run debian sh -c 'readlink /bin || echo no link') tool" "$(run links sh -c 'readlink /bin || echo no link; cat /bin/tool' | paste -sd' ')"

# RUN: shells, heredocs, mounts, networks.
cat >Dockerfile <<'END'
FROM debian
SHELL ["/bin/sh", "-ec"]
RUN <<EOF
echo first >/srv/first
echo second >/srv/second
EOF
RUN ["/bin/sh", "-c", "echo exec >/srv/exec"]
RUN --mount=type=cache,target=/root/cache echo x >>/root/cache/count && wc -l </root/cache/count >/srv/count
RUN --mount=type=secret,id=password,target=/run/secrets/password cat /run/secrets/password >/srv/seen
RUN --mount=type=bind,source=tree,target=/mnt/tree cat /mnt/tree/a.txt >/srv/bound && ! touch /mnt/tree/x 2>/dev/null
RUN --mount=type=bind,from=debian,source=/etc,target=/mnt/etc cp /mnt/etc/issue /srv/issue
RUN --mount=type=tmpfs,target=/tmp/memory echo lost >/tmp/memory/file
RUN --network=none test "$(ls /sys/class/net)" = lo
RUN if [ -n "${HTTP_PROXY-}" ]; then echo "$HTTP_PROXY" >/srv/proxy; fi
END
echo hidden >"$work/password"
build mounts --secret "id=password,src=$work/password" --build-arg HTTP_PROXY=http://proxy >/dev/null
assert_eq "what RUN gave" "first second exec 1 hidden 1 http://proxy" \
    "$(run mounts sh -c 'echo $(cd /srv && cat first second exec count seen bound proxy)')"
assert_eq "mount points that were not there" "" "$(run mounts sh -c 'ls -d /mnt/tree /mnt/etc /run/secrets /root/cache /tmp/memory 2>/dev/null || true')"
assert_eq "an argument that no ARG asks for, in the history" "" "$(oblea history --no-trunc mounts | grep http://proxy || true)"
build mounts --no-cache --secret "id=password,src=$work/password" >/dev/null
assert_eq "a cache outlives the build" 2 "$(run mounts cat /srv/count)"
assert_eq "a secret in the store" "" "$(grep -rl hidden "$OBLEA_ROOT/containers" 2>/dev/null || true)"

# An image without any of the folders that a container has: they are none of its afterwards.
cat >Dockerfile <<'END'
FROM scratch
COPY --from=debian --exclude=proc --exclude=sys --exclude=dev --exclude=etc / /
RUN echo made >/made
END
build bare >/dev/null
assert_eq "a container of it" made "$(run bare cat /made)"
assert_eq "folders of the container" "" "$(oblea ls bare / | grep -xE 'proc|sys|dev|etc' || true)"

# ONBUILD.
printf 'FROM debian\nONBUILD COPY tree/a.txt /from-trigger\nONBUILD RUN cat /from-trigger >/seen\n' >Dockerfile
build trigger >/dev/null
printf 'FROM trigger\nRUN cat /seen\n' >Dockerfile
assert_contains "triggers" "$(build triggered)" "# Executing 2 build triggers"
assert_eq "what triggers did" 1 "$(run triggered cat /seen)"
assert_eq "triggers are not handed on" null "$(oblea inspect triggered | jq -c '.[0].Config.OnBuild')"

# Failures: the command's status, and docker's words.
printf 'FROM debian\nRUN echo before\nRUN echo trouble && exit 7\n' >Dockerfile
status=0
oblea build . >"$work/out" 2>"$work/err" || status=$?
assert_eq "exit status" 7 "$status"
assert_contains "why" "$(cat "$work/err")" "The command '/bin/sh -c echo trouble && exit 7' returned a non-zero code: 7"
assert_contains "its output" "$(cat "$work/out")" trouble
assert_eq "containers left" "" "$(oblea ps -aq)"
printf 'FROM debian\nCOPY nothing /\n' >Dockerfile
assert_fails oblea build .
assert_contains "a missing file" "$message" "Dockerfile:2: COPY failed: file not found in build context or excluded by .dockerignore: stat nothing: file does not exist"
printf 'FROM debian\nCOPY tree/a.txt /usr\nCOPY tree/a.txt /etc/issue/x\n' >Dockerfile
assert_fails oblea build .
assert_contains "below a file" "$message" "cannot copy to non-directory"

# Other forms of output and input.
printf 'FROM debian\nRUN echo said\n' >Dockerfile
assert_eq "-q" "$(oblea build -q .)" "$(oblea build -q --iidfile "$work/iid" . && true)"
assert_eq "--iidfile" "$(oblea build -q .)" "$(cat "$work/iid")"
assert_contains "--progress plain" "$(oblea build --no-cache --progress plain .)" "| said"
assert_eq "--progress json" "said" "$(oblea build --no-cache --progress json . | jq -r 'select(.event == "output").text')"
assert_contains "--progress tty" "$(oblea build --progress tty .)" $'\e[1mStep 1/2 : FROM debian\e[0m'
assert_contains "a Dockerfile on standard input" "$(printf 'FROM debian\nRUN echo from stdin\n' | oblea build -)" "Successfully built"
assert_contains "a tar on standard input" "$(tar -c Dockerfile tree | oblea build -)" "Successfully built"
assert_fails oblea build --squash .

# The same input gives the same image.
cat >Dockerfile <<'END'
FROM debian
COPY tree /tree
RUN echo 1 >/srv/file && mkdir /srv/folder
WORKDIR /new/folder
END
one=$(SOURCE_DATE_EPOCH=1000000000 oblea build -q --no-cache .)
two=$(SOURCE_DATE_EPOCH=1000000000 oblea build -q --no-cache .)
assert_eq "twice" "$one" "$two"

# Somebody else's image as a cache.
oblea build -q -t theirs . >/dev/null
oblea save -o "$work/theirs.tar" theirs
OBLEA_ROOT=$work/other oblea load -i "$work/theirs.tar" >/dev/null
OBLEA_ROOT=$work/other oblea import "$small/oci" debian >/dev/null
assert_eq "steps by --cache-from" 3 "$(OBLEA_ROOT=$work/other oblea build --cache-from theirs . 2>&1 | grep -c 'Using cache')"
assert_eq "steps without --cache-from" 0 "$(OBLEA_ROOT=$work/other oblea build --no-cache . | grep -c 'Using cache' || true)"

# The builder is killed: what it started ends, and the next build goes on from the cache.
printf 'FROM debian\nRUN echo kept >/kept\nRUN echo started && sleep 1000\n' >Dockerfile
oblea build . >"$work/killed" 2>&1 &
builder=$!
until_true grep -q '^started' "$work/killed"
kill -9 "$builder"
wait "$builder" 2>/dev/null || true
no_container() { [[ -z $(oblea ps -aq) ]]; }
until_true no_container
printf 'FROM debian\nRUN echo kept >/kept\nRUN true\n' >Dockerfile
assert_contains "after a kill" "$(build after)" "Using cache"
oblea gc -q >/dev/null
assert_contains "verify" "$(oblea verify)" "No faults"
