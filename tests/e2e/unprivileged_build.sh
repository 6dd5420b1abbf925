# SPDX-License-Identifier: MIT
# `oblea build` by an ordinary user, with and without subordinate ids; with an OCI runtime and without.
source "$(dirname "$0")/lib.sh"
need crun jq
source "$(dirname "$0")/users_lib.sh"

user() { "${as_user[@]}" env ${runtime:+OBLEA_RUNTIME="$runtime"} "$@"; }

build_things() { # OWNER: who the files of uid 33 belong to inside
    user oblea import "$work/image" debian >/dev/null
    user mkdir -p project
    user sh -c 'echo context >project/file; echo hidden >password'
    user sh -c 'cat >project/Dockerfile' <<END
FROM debian AS first
RUN echo run >/srv/run && mkdir /srv/folder
COPY --chown=33:33 file /srv/file
FROM debian
COPY --from=first /srv /from
RUN --mount=type=cache,target=/cache,uid=0 echo x >>/cache/count && cp /cache/count /count
RUN --mount=type=secret,id=password cat /run/secrets/password >/seen
RUN --mount=type=bind,source=file,target=/bound cp /bound /copied
END
    user oblea build -t "things" --secret id=password,src="$home/password" project >"$work/out" 2>&1 || {
        cat "$work/out" >&2
        fail "build"
    }
    assert_eq "what it made" "run context x hidden context" \
        "$(user oblea run --rm things sh -c 'cd /from && echo $(cat run file /count /seen /copied)' 2>"$work/err")"
    assert_eq "owner inside" "$1" "$(user oblea run --rm things stat -c %u /from/file 2>/dev/null)"
    assert_eq "owner in the image" 33 "$(user oblea ls -l things /from/file 2>/dev/null | grep -o '33' | head -1)"
    user oblea build -t things --secret id=password,src="$home/password" project >"$work/out" 2>&1
    assert_eq "all from the cache" 6 "$(grep -c 'Using cache' "$work/out")"
    assert_eq "containers left" "" "$(user oblea ps -aq)"
}

add_user_with_ids
build_things 33
add_user_without_ids
runtime=oblea
build_things 0
