package alert

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stationflow/stationflow/event"
)

// A rule says which events of a topic people must know about, and what they are
// told. Of several rules that an event keeps, the first counts.
type rule struct {
	Name  string              `json:"name"`
	Topic string              `json:"topic"`
	When  map[string][]string `json:"when"` // values that a field may have, each field; none for all events
	Text  string              `json:"text"` // {field} stands for its value
}

//go:embed rules.json
var embedded []byte

// Topics returns the topics that the rules name, in the order used everywhere.
func Topics() []string {
	rules, err := readRules(embedded)
	if err != nil {
		panic("alert: " + err.Error()) // a test reads them
	}
	var topics []string
	for _, topic := range event.Topics() {
		if slices.ContainsFunc(rules, func(r rule) bool { return r.Topic == topic }) {
			topics = append(topics, topic)
		}
	}
	return topics
}

var placeholder = regexp.MustCompile(`\{([^{}]*)\}`)

// readRules reads a file of rules. The error says what in it could never take
// effect: a topic or a field that there is not, or a value that it cannot have.
func readRules(file []byte) ([]rule, error) {
	var rules []rule
	decoder := json.NewDecoder(bytes.NewReader(file))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&rules); err != nil {
		return nil, fmt.Errorf("reading the rules of alerts: %w", err)
	}
	names := map[string]bool{}
	for i, r := range rules {
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("reading the rules of alerts: rule %d, %q, %w", i+1, r.Name, err)
		}
		if names[r.Name] {
			return nil, fmt.Errorf("reading the rules of alerts: two rules have the name %q", r.Name)
		}
		names[r.Name] = true
	}
	return rules, nil
}

func (r rule) check() error {
	schema, known := event.SchemaOf(r.Topic)
	switch {
	case !known || r.Topic == event.CanaryTopic:
		return fmt.Errorf("names topic %q, which is none of %s", r.Topic, strings.Join(event.Topics(), ", "))
	case r.Name == "" || r.Text == "":
		return fmt.Errorf("needs a name and a text")
	}
	for field, values := range r.When {
		column := columnOf(schema, field)
		if column < 0 {
			return fmt.Errorf("asks for the field %q, which %s do not have", field, r.Topic)
		}
		if len(values) == 0 {
			return fmt.Errorf("lists no value for the field %q, so that no event keeps it", field)
		}
		for _, value := range values {
			if of := schema.Columns[column].OneOf; of != nil && !slices.Contains(of, value) {
				return fmt.Errorf("asks for the value %q of %s, which is one of %s", value, field, strings.Join(of, ", "))
			}
		}
	}
	for _, match := range placeholder.FindAllStringSubmatch(r.Text, -1) {
		if columnOf(schema, match[1]) < 0 {
			return fmt.Errorf("has {%s} in its text, which %s do not have", match[1], r.Topic)
		}
	}
	return nil
}

func columnOf(schema *event.Schema, name string) int {
	return slices.IndexFunc(schema.Columns, func(c event.Column) bool { return c.Name == name })
}

// keeps reports whether the event is one that the rule names.
func (r rule) keeps(schema *event.Schema, row event.Row) bool {
	for field, values := range r.When {
		if !slices.Contains(values, asText(&row[columnOf(schema, field)])) {
			return false
		}
	}
	return true
}

// tell is the rule's text about the event.
func (r rule) tell(schema *event.Schema, row event.Row) string {
	return placeholder.ReplaceAllStringFunc(r.Text, func(field string) string {
		return asText(&row[columnOf(schema, strings.Trim(field, "{}"))])
	})
}

// asText is a value as people read it; "" for NULL.
func asText(v *event.Value) string {
	switch v.Type {
	case event.String:
		return string(v.Text())
	case event.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case event.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case event.Timestamp:
		return v.Time().Format(time.RFC3339)
	}
	return ""
}

// asJSON is a value as a notification has it.
func asJSON(v *event.Value) any {
	switch v.Type {
	case event.Int64:
		return v.Int()
	case event.Float64:
		return v.Float()
	case event.Timestamp:
		return v.Time()
	case event.String:
		return string(v.Text())
	}
	return nil
}
