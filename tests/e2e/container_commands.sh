# SPDX-License-Identifier: MIT
# Every command, flag and text of container_commands.md is what happens.
source "$(dirname "$0")/lib.sh"
need_fuse
need crun catatonit
small_image
oblea import -q "$small/oci" debian:12 >/dev/null
oblea tag debian:12 team/base:1
export TZ=UTC
mkdir "$work/tour"
python3 "$tests/e2e/run_readme.py" "$tests/e2e/container_commands.md" "$work/tour" || fail "the commands do otherwise"
