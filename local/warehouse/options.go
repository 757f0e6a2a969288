package warehouse

import (
	"strconv"
	"strings"

	bigquery "google.golang.org/api/bigquery/v2"
)

// setOptions reads the settings in OPTIONS (…) of CREATE TABLE or VIEW, as far as tables.get shows them.
func setOptions(table *bigquery.Table, settings []token) {
	if !isGroup(settings) {
		return
	}
	for _, setting := range splitAt(settings[1:len(settings)-1], ",") {
		if len(setting) < 3 || setting[1].text != "=" {
			continue
		}
		value := setting[2:]
		switch strings.ToLower(setting[0].text) {
		case "description":
			table.Description = contentOf(value[0].text)
		case "friendly_name":
			table.FriendlyName = contentOf(value[0].text)
		case "labels":
			table.Labels = labelsOf(value)
		case "expiration_timestamp":
			if at, ok := constant(value); ok {
				table.ExpirationTime = at.value / 1000
			}
		case "partition_expiration_days":
			if days, _ := strconv.ParseFloat(textOf(value), 64); table.TimePartitioning != nil {
				table.TimePartitioning.ExpirationMs = int64(days * 86_400_000)
			}
		case "require_partition_filter":
			if table.TimePartitioning != nil {
				table.TimePartitioning.RequirePartitionFilter = strings.EqualFold(value[0].text, "true")
			}
			table.RequirePartitionFilter = strings.EqualFold(value[0].text, "true")
		}
	}
}

// labelsOf reads [('name', 'value'), …].
func labelsOf(tokens []token) map[string]string {
	labels := map[string]string{}
	var texts []string
	for _, t := range tokens {
		if t.kind == literal {
			texts = append(texts, contentOf(t.text))
		}
	}
	for i := 0; i+1 < len(texts); i += 2 {
		labels[texts[i]] = texts[i+1]
	}
	return labels
}

// contentOf is the text that a literal stands for.
func contentOf(text string) string {
	raw := strings.ContainsAny(text[:1], "rR")
	text = strings.TrimLeft(text, "rRbB")
	quote := text[:1]
	if strings.HasPrefix(text, strings.Repeat(quote, 3)) {
		quote = text[:3]
	}
	text = strings.TrimSuffix(strings.TrimPrefix(text, quote), quote)
	if raw {
		return text
	}
	escaped := strings.NewReplacer("\n", `\n`, `\"`, `\"`, `"`, `\"`, `\'`, `'`, "\\`", "`", `\?`, `?`, `\\`, `\\`).Replace(text)
	if plain, err := strconv.Unquote(`"` + escaped + `"`); err == nil {
		return plain
	}
	return text
}
