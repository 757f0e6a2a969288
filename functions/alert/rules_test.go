package alert

import (
	"slices"
	"strings"
	"testing"
)

func TestReadRules_Mistakes(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"no list":       {`{}`, "reading the rules"},
		"unknown key":   {`[{"name":"a","topic":"incidents","text":"t","where":{}}]`, `unknown field "where"`},
		"topic":         {`[{"name":"a","topic":"incident","text":"t"}]`, `names topic "incident", which is none of `},
		"no text":       {`[{"name":"a","topic":"incidents"}]`, "needs a name and a text"},
		"field":         {`[{"name":"a","topic":"equipment_failures","text":"t","when":{"severity":["Major"]}}]`, `the field "severity", which equipment_failures do not have`},
		"value":         {`[{"name":"a","topic":"incidents","text":"t","when":{"severity":["major"]}}]`, `the value "major" of severity, which is one of Minor, Major`},
		"no value":      {`[{"name":"a","topic":"incidents","text":"t","when":{"severity":[]}}]`, "lists no value"},
		"placeholder":   {`[{"name":"a","topic":"incidents","text":"at {place}"}]`, "has {place} in its text"},
		"the same name": {`[{"name":"a","topic":"incidents","text":"t"},{"name":"a","topic":"incidents","text":"u"}]`, `two rules have the name "a"`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := readRules([]byte(c.file)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestTopics_AreThoseOfTheRules(t *testing.T) {
	if got := Topics(); !slices.Equal(got, []string{"incidents", "equipment_failures"}) {
		t.Errorf("topics %q", got)
	}
}

func TestFromEnv_Mistakes(t *testing.T) {
	for name, c := range map[string]struct{ variable, value, want string }{
		"no bucket":   {"LAKE_BUCKET", "", "LAKE_BUCKET is not set"},
		"no project":  {"GOOGLE_CLOUD_PROJECT", "", "GOOGLE_CLOUD_PROJECT is not set"},
		"no host":     {"ALERT_WEBHOOK", "https:///s3cret", "ALERT_WEBHOOK is no address"},
		"no scheme":   {"ALERT_WEBHOOK", "hooks.example.com/s3cret", "ALERT_WEBHOOK is no address"},
		"plain":       {"ALERT_WEBHOOK", "http://hooks.example.com/s3cret", "ALERT_WEBHOOK is not encrypted"},
		"time":        {"ALERT_TIMEOUT", "10", "ALERT_TIMEOUT"},
		"late":        {"ALERT_LATE", "-1s", "ALERT_LATE"},
		"unit":        {"STATION_EPOCH_UNIT", "min", "STATION_EPOCH_UNIT"},
		"unparseable": {"ALERT_WEBHOOK", "https://h/%zz s3cret", "ALERT_WEBHOOK is no address"},
	} {
		t.Run(name, func(t *testing.T) {
			environment := map[string]string{"LAKE_BUCKET": "b", "GOOGLE_CLOUD_PROJECT": "p"}
			environment[c.variable] = c.value
			_, err := FromEnv(func(name string) string { return environment[name] })
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want one with %q", err, c.want)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error repeats the address: %v", err)
			}
		})
	}
}
