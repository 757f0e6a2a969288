// Package schemas holds the schemas of the topics' values that producers give
// to a schema registry. cmd/generate writes them from the types in package
// event.
package schemas

import (
	"embed"
	"fmt"

	"github.com/stationflow/stationflow/event/payload"
)

//go:embed *.avsc *.proto *.schema.json
var files embed.FS

// Of returns the schema of a topic's values in a format.
func Of(topic string, format payload.Format) (string, error) {
	suffix := map[payload.Format]string{payload.AvroFormat: ".avsc", payload.ProtobufFormat: ".proto", payload.JSONFormat: ".schema.json"}[format]
	text, err := files.ReadFile(topic + suffix)
	if err != nil || suffix == "" {
		return "", fmt.Errorf("finding the schema of %s as %s: there is none", topic, format)
	}
	return string(text), nil
}

// Subject is the name under which the schemas of a topic's values are
// registered, as serializers choose it by themselves.
func Subject(topic string) string { return topic + "-value" }
