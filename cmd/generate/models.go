package main

import (
	"cmp"
	"strings"

	"github.com/stationflow/stationflow/event"
)

// A model is dbt's staging model of a topic: what it selects, by group.
type model struct {
	Topic                        string
	IDs, Fields, Moments, Origin []string
}

// modelOf returns the staging model: the event's columns with the names that
// marts use, what is derived of each alike, and the record's origin.
func modelOf(schema *event.Schema) model {
	m := model{Topic: schema.Topic}
	for _, c := range schema.Columns {
		as := cmp.Or(c.As, c.Name)
		switch {
		case c.Name == "id":
			m.IDs = append(m.IDs, renamed(c.Name, schema.Singular+"_id"))
		case strings.HasSuffix(c.Name, "_id"):
			m.IDs = append(m.IDs, renamed(c.Name, as))
		case c.Name == "timestamp":
			m.Moments = append(m.Moments, renamed(c.Name, schema.Moment))
		case c.Type == event.Timestamp:
			m.Moments = append(m.Moments, renamed(c.Name, as))
		default:
			m.Fields = append(m.Fields, renamed(c.Name, as))
		}
		if c.Name == "location" {
			m.Fields = append(m.Fields, "concat(station, ' / ', location) as zone")
		}
	}
	m.Moments = append(m.Moments, "{{ local_datetime('timestamp') }} as "+schema.Moment+"_local")
	for _, c := range schema.StagingColumns()[len(schema.Columns):] {
		if c.Name != "kafka_topic" {
			m.Origin = append(m.Origin, c.Name)
		}
	}
	return m
}

func renamed(name, as string) string {
	if name == as {
		return name
	}
	return name + " as " + as
}

// A tested model is a staging model as its yml describes it.
type tested struct {
	Name, Description string
	Listed            []listed
}

// A listed column has no values but these.
type listed struct {
	Name, Description string
	Values            []string
}

// modelTests returns the staging models of the topics and of the quarantine.
func modelTests(topics []topic) []tested {
	var models []tested
	for _, t := range topics {
		m := tested{Name: "stg_" + t.Topic,
			Description: t.Plural + ", each Kafka record once. One row per Kafka record of the topic " + t.Topic + "."}
		for _, c := range t.Columns {
			if c.OneOf != nil {
				m.Listed = append(m.Listed, listed{cmp.Or(c.As, c.Name), c.Description, c.OneOf})
			}
		}
		models = append(models, m)
	}
	reason := listed{Name: "reason", Description: "Why the record was refused."}
	for _, r := range event.Reasons() {
		reason.Values = append(reason.Values, string(r))
	}
	return append(models, tested{Name: "stg_quarantine",
		Description: "Records that are no event of their topic, with the reason, each Kafka record once. One row per quarantined Kafka record.",
		Listed:      []listed{reason}})
}
