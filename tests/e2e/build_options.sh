# SPDX-License-Identifier: MIT
# What `oblea build` takes beside a Dockerfile and a context: names, another Dockerfile, platforms, networks, newer bases, files of URLs,
# secrets as variables; and Ctrl-C.
source "$(dirname "$0")/lib.sh"
need_fuse
source "$(dirname "$0")/registry_lib.sh"
need crun jq python3
small_image
oblea import "$small/oci" debian >/dev/null
mkdir "$work/c" && cd "$work/c"

run() { # IMAGE COMMAND...
    oblea run --rm "$@"
}

# Names, and where the Dockerfile is.
mkdir elsewhere
printf 'FROM debian\nRUN echo other >/which\n' >elsewhere/Other
printf 'FROM debian\nRUN echo own >/which\n' >Dockerfile
oblea image build -t one:1 -t two --tag localhost:5000/three:x -f elsewhere/Other . >"$work/out"
assert_eq "names" "Successfully tagged one:1|Successfully tagged two:latest|Successfully tagged localhost:5000/three:x" \
    "$(grep tagged "$work/out" | paste -sd'|')"
assert_eq "one image" 1 "$(oblea inspect -f '{{.Id}}' one:1 two localhost:5000/three:x | sort -u | wc -l)"
assert_eq "another Dockerfile" other "$(run two cat /which)"
oblea build -q -t own . >/dev/null
assert_eq "the context's" own "$(run own cat /which)"
oblea build -q -t piped -f - . <elsewhere/Other >/dev/null
assert_eq "one on standard input, with a context" other "$(run piped cat /which)"
assert_fails oblea build -t Bad .
assert_fails oblea build -f nowhere .
assert_contains "a Dockerfile that is not there" "$message" nowhere

# Platforms.
cat >Dockerfile <<'END'
FROM --platform=$TARGETPLATFORM scratch
ARG TARGETARCH TARGETVARIANT
LABEL arch=$TARGETARCH$TARGETVARIANT
COPY elsewhere /
END
oblea build -q --platform linux/arm/v7 -t arm . >/dev/null
assert_eq "a platform" "linux arm v7 armv7" "$(oblea inspect arm | jq -r '.[0] | "\(.Os) \(.Architecture) \(.Variant) \(.Config.Labels.arch)"')"
assert_fails oblea build --platform nonsense/of/any/kind .

# Networks: of RUN, unless it says one itself.
printf 'FROM debian\nRUN ls /sys/class/net >/default\nRUN --network=none ls /sys/class/net >/none\n' >Dockerfile
oblea build -q --network none -t closed . >/dev/null
assert_eq "without a network" "lo lo" "$(run closed sh -c 'echo $(cat /default /none)')"
assert_fails oblea build --network nonsense .

# Stages side by side: each waits for the other's mark.
cat >Dockerfile <<'END'
FROM debian AS one
RUN --mount=type=cache,id=marks,target=/marks touch /marks/one && timeout 60 sh -c 'until test -e /marks/two; do sleep 0.05; done' && echo one >/mark
FROM debian AS two
RUN --mount=type=cache,id=marks,target=/marks touch /marks/two && timeout 60 sh -c 'until test -e /marks/one; do sleep 0.05; done' && echo two >/mark
FROM debian
COPY --from=one /mark /one
COPY --from=two /mark /two
END
oblea --jobs 2 build -q -t both . >/dev/null
assert_eq "stages side by side" "one two" "$(run both sh -c 'echo $(cat /one /two)')"

# A base whose name has moved at the registry is only asked for with --pull.
start_registry base
version() { # WORD: what the registry's base has from now on
    printf 'FROM debian\nRUN echo %s >/version\n' "$1" | OBLEA_ROOT=$work/theirs oblea build -q -t "$host/base" - >/dev/null
    OBLEA_ROOT=$work/theirs oblea push -q "$host/base" >/dev/null
}
OBLEA_ROOT=$work/theirs oblea import "$small/oci" debian >/dev/null
printf 'FROM %s/base\nRUN cat /version >/seen\n' "$host" >Dockerfile
version first
oblea build -q -t pulled . >/dev/null
version second
oblea build -q -t pulled . >/dev/null
assert_eq "without --pull" first "$(run pulled cat /seen)"
oblea build -q --pull -t pulled . >/dev/null
assert_eq "with --pull" second "$(run pulled cat /seen)"

# ADD of URLs: named by the last part of the path, not unpacked, with a checksum.
mkdir "$work/served"
echo text >"$work/served/file.txt"
tar -czf "$work/served/archive.tar.gz" -C "$work/served" file.txt
touch -d '2020-02-03 04:05:06 UTC' "$work/served/file.txt"
python3 -u -m http.server 0 --bind 127.0.0.1 --directory "$work/served" >"$work/http" 2>&1 &
servers+=($!)
until_true grep -q 'port [0-9]' "$work/http"
url=http://127.0.0.1:$(sed -n 's/.* port \([0-9]*\).*/\1/p' "$work/http")
sum=$(sha256sum "$work/served/file.txt" | cut -d' ' -f1)
cat >Dockerfile <<END
FROM debian
ARG SUM
ADD --checksum=sha256:\$SUM $url/file.txt?some=thing /named
ADD --chown=3:4 --chmod=444 $url/file.txt $url/archive.tar.gz /folder/
END
oblea build -t urls --build-arg "SUM=$sum" . >"$work/out"
assert_eq "files of URLs" "text 600 0:0 1580702706 444 3:4 archive.tar.gz file.txt" \
    "$(run urls sh -c 'echo $(cat /named) $(stat -c "%a %u:%g %Y" /named) $(stat -c "%a %u:%g" /folder/file.txt) $(ls /folder)')"
assert_eq "again" 3 "$(oblea build --build-arg "SUM=$sum" . | grep -c 'Using cache')"
wrong=${sum//[0-9]/0}
assert_fails oblea build --build-arg "SUM=$wrong" .
assert_contains "a checksum that does not hold" "$message" "Dockerfile:3: ADD failed: digest mismatch $url/file.txt?some=thing: expected sha256:$wrong, got sha256:$sum"
echo changed >"$work/served/file.txt"
assert_fails oblea build --build-arg "SUM=$sum" .
printf 'FROM debian\nADD %s/file.txt /named\n' "$url" >Dockerfile
oblea build -q -t changing . >/dev/null
echo changed again >"$work/served/file.txt"
oblea build -q -t changing . >/dev/null
assert_eq "a file that has changed" "changed again" "$(run changing cat /named)"
printf 'FROM debian\nADD %s/missing /\n' "$url" >Dockerfile
assert_fails oblea build .
assert_contains "one that is not there" "$message" "the server answered 404"

# A secret as a variable, and Ctrl-C: what a terminal sends to all that belongs to the command.
cat >Dockerfile <<'END'
FROM debian
RUN echo kept >/kept
RUN --mount=type=secret,id=token,env=TOKEN echo "$TOKEN" | sha256sum; echo started; sleep 1000
END
token=the-hidden-word-$RANDOM$RANDOM
MY_TOKEN=$token setsid env --default-signal=INT "$oblea" build --secret id=token,env=MY_TOKEN . >"$work/out" 2>"$work/err" &
builder=$!
until_true grep -q '^started' "$work/out"
assert_contains "the variable" "$(cat "$work/out")" "$(sha256sum <<<"$token")"
assert_eq "a secret in the store" "" "$(grep -rl "$token" "$OBLEA_ROOT" || true)"
kill -INT -- -$builder
status=0
wait $builder || status=$?
assert_eq "exit status" 130 "$status"
assert_eq "what is said" "oblea: interrupted" "$(cat "$work/err")"
assert_eq "containers" "" "$(oblea ps -aq)"
no_process() { [[ -z $(grep -lsz "^MY_TOKEN=$token" /proc/[0-9]*/environ) ]]; }
until_true no_process
assert_eq "mounts" 0 "$(grep -c "$OBLEA_ROOT" /proc/self/mountinfo || true)"
assert_eq "leases" "" "$(find "$OBLEA_ROOT/leases" -type f)"
printf 'FROM debian\nRUN echo kept >/kept\n' >Dockerfile
assert_contains "the next build" "$(oblea build .)" "Using cache"
oblea gc -q >/dev/null
assert_contains "verify" "$(oblea verify)" "No faults"
