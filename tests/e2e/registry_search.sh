# SPDX-License-Identifier: MIT
# Searching a registry that has a search, and one that has a catalogue only.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/registry_lib.sh"
small_image
start_registry plain
for name in team/app team/other app; do
    skopeo copy -q --dest-tls-verify=false "oci:$small/oci" "docker://$host/$name:1"
done
assert_eq "the head of the table" "NAME DESCRIPTION STARS OFFICIAL" "$(oblea search "$host/app" | head -n 1 | xargs)"
assert_eq "the catalogue" "$host/app $host/team/app" "$(oblea search --format '{{.Name}}' "$host/app" | sort | xargs)"
assert_eq "a limit" 1 "$(oblea search --limit 1 --format '{{.Name}}' "$host/app" | wc -l)"
assert_eq "all of it" 3 "$(oblea search --format '{{.Name}}' "$host/" | wc -l)"

cat >"$work/search.py" <<'PYTHON'
import http.server, json, urllib.parse
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        query = urllib.parse.parse_qs(url.query)
        found = [{"name": "a/first", "description": "D" * 60, "star_count": 7, "is_official": False, "is_automated": False},
                 {"name": "debian", "description": "An OS", "star_count": 5000, "is_official": True, "is_automated": False}]
        body = json.dumps({"results": found, "query": query.get("q"), "n": query.get("n")} if url.path == "/v1/search" else {}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
PYTHON
start_server python3 "$work/search.py"
names() {
    oblea search --format '{{.Name}}' "$@" | sed "s|$host/||" | xargs
}
assert_eq "as sent" "a/first debian" "$(names "$host/x")"
assert_eq "options behind the term" "debian" "$(names "$host/x" --filter is-official=true)"
assert_eq "by stars" "debian a/first" "$(names --sort stars "$host/x")"
assert_eq "of some fame" "debian" "$(names -f stars=100 "$host/x")"
assert_eq "cut descriptions" 45 "$(oblea search --format '{{.Description}}' "$host/x" | head -n 1 | tr -d '\n' | wc -m)"
assert_eq "whole descriptions" 60 "$(oblea search --no-trunc --format '{{.Description}}' "$host/x" | head -n 1 | tr -d '\n' | wc -c)"
assert_eq "official" "[OK]" "$(oblea search --format '{{.IsOfficial}}' -f stars=100 "$host/x")"
expect_failure "limit 200 is outside the range of [1, 100]" oblea search --limit 200 x
expect_failure "is-official" oblea search --filter is-officiel=true x
