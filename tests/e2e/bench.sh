# SPDX-License-Identifier: MIT
# Every suite of oblea-bench runs, at its smallest, and reports oblea in each of them.
source "$(dirname "$0")/lib.sh"
need_fuse
need jq

oblea-bench all --size tiny --scratch "$work" --subjects "oblea,oblea read-only,overlayfs,plain" \
    --json "$work/json" --html "$work/page.html" >"$work/table"
for suite in lookup read walk copyup metadata programs startup; do
    jq -e --arg suite "$suite" '[.results[] | select(.suite == $suite and .subject == "oblea")] | length > 0' "$work/json" \
        >/dev/null || fail "no figures of $suite: $(cat "$work/table")"
done
jq -e '[.results[] | select(.subject == "oblea import")] | length == 1' "$work/json" >/dev/null || fail "no figures of import"
jq -e '[.notes[] | select(startswith("oblea"))] | length == 0' "$work/json" >/dev/null ||
    fail "something could not be measured: $(jq -r '.notes[]' "$work/json")"
grep -q '<polyline' "$work/page.html" || fail "the page has no plot"
! oblea-bench lookup --size tiny --scratch "$work" --subjects nobody 2>"$work/err" || fail "a subject that does not exist was measured"
assert_contains "the error" "$(cat "$work/err")" "oblea read-only"
[[ -z $(find "$work" -maxdepth 1 -name 'oblea-bench-*') ]] || fail "the scratch folder was left behind"
