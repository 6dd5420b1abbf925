// SPDX-License-Identifier: MIT
// What Go itself makes of the templates that render_templates renders; same input, same output.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/template"
)

// As docker's own values are typed: whole numbers, lists and maps of strings.
func typed(value any) any {
	switch v := value.(type) {
	case json.Number:
		if whole, err := v.Int64(); err == nil {
			return int(whole)
		}
		fraction, _ := v.Float64()
		return fraction
	case []any:
		texts := make([]string, 0, len(v))
		for i, element := range v {
			if text, ok := element.(string); ok {
				texts = append(texts, text)
			}
			v[i] = typed(element)
		}
		if len(v) > 0 && len(texts) == len(v) {
			return texts
		}
	case map[string]any:
		texts := make(map[string]string)
		for key, element := range v {
			if text, ok := element.(string); ok {
				texts[key] = text
			}
			v[key] = typed(element)
		}
		if len(v) > 0 && len(texts) == len(v) {
			return texts
		}
	}
	return value
}

var functions = template.FuncMap{
	"json": func(v any) string {
		buffer := &bytes.Buffer{}
		encoder := json.NewEncoder(buffer)
		encoder.SetEscapeHTML(false)
		encoder.Encode(v)
		return strings.TrimSpace(buffer.String())
	},
	"split": strings.Split,
	"join":  strings.Join,
	"title": strings.Title,
	"lower": strings.ToLower,
	"upper": strings.ToUpper,
	"pad": func(source string, prefix, suffix int) string {
		if source == "" {
			return source
		}
		return strings.Repeat(" ", prefix) + source + strings.Repeat(" ", suffix)
	},
	"truncate": func(source string, length int) string {
		if len(source) < length {
			return source
		}
		return source[:length]
	},
}

func render(text string, data any) string {
	parsed, err := template.New("").Funcs(functions).Parse(text)
	if err != nil {
		return "error " + err.Error()
	}
	var result strings.Builder
	if err := parsed.Execute(&result, data); err != nil {
		return "error " + err.Error()
	}
	return "ok " + result.String()
}

func main() {
	file, err := os.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	decoder := json.NewDecoder(file)
	decoder.UseNumber()
	var data any
	if err := decoder.Decode(&data); err != nil {
		panic(err)
	}
	data = typed(data)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	all, _ := io.ReadAll(os.Stdin)
	for _, text := range bytes.Split(bytes.TrimSuffix(all, []byte{0}), []byte{0}) {
		fmt.Fprint(out, render(string(text), data), "\x00")
	}
}
