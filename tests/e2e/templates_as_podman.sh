# SPDX-License-Identifier: MIT
# The same templates over the same image give the same text in oblea and in podman.
source "$(dirname "$0")/lib.sh"
need podman
small_image
oblea load -q -i "$small/docker.tar" >/dev/null
image=example.org/small:latest
podman=(podman --root "$work/podman" --runroot "$work/podman-run" --tmpdir "$work/podman-tmp" --storage-driver vfs)
test_cleanup() { "${podman[@]}" system reset --force >/dev/null 2>&1; }
"${podman[@]}" load -q -i "$small/docker.tar" >/dev/null

# Of fields that both have alike. (podman's ids have no algorithm, its sizes count something else, its times are not texts.)
while IFS= read -r template; do
    assert_eq "$template" "$("${podman[@]}" image inspect --format "$template" "$image" 2>&1 | sed 's/^Error: //')" \
        "$(oblea image inspect --format "$template" "$image" 2>&1 | sed 's/^oblea: //')"
done <<'TEMPLATES'
{{.RepoTags}} {{.Architecture}}/{{.Os}} {{.Config.Cmd}} {{.Config.WorkingDir}} {{.Config.Entrypoint}} {{.Config.Labels}}
{{range $i, $e := .Config.Env}}{{if $i}};{{end}}{{$e}}{{end}} {{len .RootFS.Layers}} {{index .RootFS.Layers 0}}
{{with .Config}}{{.WorkingDir | printf "%-10s|"}}{{end}} {{printf "%q" .Os}} {{upper .Os}} {{title .Os}} {{join .Config.Env ","}}
{{json .Config.Env}} {{json .RepoTags}} {{split .Os "n"}} {{if eq .Os "linux" "windows"}}known{{else}}unknown{{end}}
{{range .Config.Env}}[{{.}}]{{else}}none{{end}} {{slice .Os 1 3}} {{html "<" .Os ">"}} {{urlquery "a b&c"}}
{{- /* comment */ -}} x {{- .Os -}} y {{$x := .Os}}{{$x}}{{$x = "z"}}{{$x}}
TEMPLATES
