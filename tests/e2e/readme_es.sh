# SPDX-License-Identifier: MIT
# What the Spanish README's tour says is what happens.
source "$(dirname "$0")/lib.sh"
need_fuse
small_image
mkdir "$work/tour"
cp "$small/docker.tar" "$work/tour/hello.tar"
python3 "$tests/e2e/run_readme.py" "$tests/../tools/man/README.es.md" "$work/tour" || fail "the README says otherwise"
