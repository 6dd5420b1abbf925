# SPDX-License-Identifier: MIT
# What the store has already is not stored again: the same image, the same image from another format, shared layers.
source "$(dirname "$0")/lib.sh"
small_image

listing() {
    (cd "$OBLEA_ROOT" && find "$@" -type f -printf '%P %s\n' | sort)
}

oblea import "$small/oci" small:latest >/dev/null
listing . | grep -v -E '^(leases|tmp)/' >"$work/first"
oblea import "$small/oci" small:latest >/dev/null
listing . | grep -v -E '^(leases|tmp)/' >"$work/second"
diff "$work/first" "$work/second" || fail "a second import of the same image stored something"

listing layers objects merged >"$work/first"
oblea import "$small/docker.tar" other:latest >/dev/null
listing layers objects merged >"$work/second"
diff "$work/first" "$work/second" || fail "the same layers from another archive were stored again"

# A second image with two of the three layers.
PYTHONPATH=$tests/images python3 - "$small" "$work" <<'END'
import sys
import oci_image
small, work = sys.argv[1:]
top = oci_image.LayerTar()
top.file("etc/issue", "another top\n")
top.save(f"{work}/top.tar")
layers = [f"{small}/layers/1.tar", f"{small}/layers/2.tar", f"{work}/top.tar"]
config = oci_image.make_config(layers, ["base", "hello", "another top"], {}, "amd64")
oci_image.write_layout(f"{work}/sharing", layers, config, "sharing", ["gzip", "gzip", "gzip"])
END
before=$(find "$OBLEA_ROOT/layers" -mindepth 1 -maxdepth 1 | wc -l)
oblea import "$work/sharing" sharing:latest >/dev/null
assert_eq "new layers" 1 $(($(find "$OBLEA_ROOT/layers" -mindepth 1 -maxdepth 1 | wc -l) - before))
oblea info >"$work/info"
[[ -s $work/info ]] || fail "oblea info says nothing"

# Removing all of them, and collecting, leaves nothing of them.
oblea rmi sharing:latest other:latest small:latest >/dev/null
oblea gc >/dev/null
assert_eq "what is left of the layers" "" "$(listing layers objects merged)"
