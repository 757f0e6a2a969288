package pubsub

import "testing"

func TestFilter(t *testing.T) {
	attributes := map[string]string{"ce-subject": "incidents", "ce-lane": "rows", "empty": ""}
	for text, want := range map[string]bool{
		``:                                          true,
		`attributes.lane = "rows"`:                  false,
		`attributes."ce-lane" = "rows"`:             true,
		`attributes."ce-lane"="lake"`:               false,
		`attributes."ce-lane" != "lake"`:            true,
		`attributes.missing != "lake"`:              false,
		`attributes:empty`:                          true,
		`attributes:"missing"`:                      false,
		`NOT attributes:missing`:                    true,
		`-attributes:empty`:                         false,
		`hasPrefix(attributes."ce-subject", "inc")`: true,
		`hasPrefix(attributes.missing, "")`:         false,
		`(attributes."ce-lane" = "rows" OR attributes."ce-lane" = "both") AND attributes."ce-subject" = "incidents"`: true,
		`attributes."ce-lane" = "lake" OR attributes."ce-lane" = "both"`:                                             false,
		`attributes."ce-lane" = "rows" AND NOT (attributes:empty AND attributes:missing)`:                            true,
	} {
		f, err := parseFilter(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := f == nil || f(attributes); got != want {
			t.Errorf("%s is %v, want %v", text, got, want)
		}
	}
}

func TestFilter_Refused(t *testing.T) {
	for _, text := range []string{
		`attributes`, `attributes.`, `attributes.a`, `attributes.a = b`, `attributes.a > "b"`, `attributes.a ! = `, `data = "a"`, `(attributes:a`, `attributes:a)`,
		`attributes:a AND attributes:b OR attributes:c`, `attributes:a attributes:b`, `hasPrefix(attributes.a)`, `hasPrefix(a, "b")`, `NOT`, `attributes.a = "b`, `"`,
	} {
		if _, err := parseFilter(text); err == nil {
			t.Errorf("%s is accepted", text)
		}
	}
}
