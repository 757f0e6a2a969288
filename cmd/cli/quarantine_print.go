package cli

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/quarantine"
)

// list prints a line for each topic and reason, and examples below it.
func (c *quarantineCommand) list(ctx context.Context, table *quarantine.Table) error {
	groups, err := table.Groups(ctx, c.filter, c.examples)
	if err != nil {
		return err
	}
	records := int64(0)
	for i := range groups {
		records += groups[i].Records
	}
	if c.asJSON {
		return printJSON(c.streams.Out, struct {
			Bytes   int64       `json:"bytes_read"`
			Records int64       `json:"records"`
			Groups  []groupJSON `json:"groups"`
		}{c.read, records, groupsJSON(groups)})
	}
	if records == 0 {
		fmt.Fprintln(c.streams.Out, "nothing of that is in quarantine")
		return nil
	}
	if err := c.printGroups(groups); err != nil {
		return err
	}
	fmt.Fprintf(c.streams.Out, "\n%s in quarantine\n", counted(int(records), "record"))
	return nil
}

// printGroups writes a line for each group, all under the same columns and no
// wider than a terminal usually is, and examples below it.
func (c *quarantineCommand) printGroups(groups []quarantine.Group) error {
	const day = "01-02 15:04"
	var lines bytes.Buffer
	table := tabwriter.NewWriter(&lines, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TOPIC\tREASON\tRECORDS\tFIRST (UTC)\tLAST")
	for _, g := range groups {
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\n", g.Topic, g.Reason, g.Records, g.First.UTC().Format(day), g.Last.UTC().Format(day))
	}
	_ = table.Flush() // to memory
	width, is := c.streams.terminal()
	if !is {
		width = 1 << 20
	}
	for i, line := range strings.Split(strings.TrimSuffix(lines.String(), "\n"), "\n") {
		if _, err := fmt.Fprintln(c.streams.Out, line); err != nil {
			return err
		}
		if i == 0 {
			continue
		}
		g := &groups[i-1]
		if g.Tried.Sub(g.Last) >= time.Minute {
			fmt.Fprintf(c.streams.Out, "  last tried %s UTC\n", g.Tried.UTC().Format("2006-01-02 15:04"))
		}
		for _, e := range g.Examples {
			fmt.Fprint(c.streams.Out, broken(fmt.Sprintf("  %s/%d/%d  ", g.Topic, e.Partition, e.Offset), e.Detail.StringVal, width))
		}
	}
	return nil
}

// A groupJSON is a group as list --json prints it; fields may be added.
type groupJSON struct {
	Topic    string        `json:"topic"`
	Reason   string        `json:"reason"`
	Records  int64         `json:"records"`
	First    time.Time     `json:"first"`      // when the first of them came into quarantine
	Last     time.Time     `json:"last"`       // when the last of them did
	Tried    time.Time     `json:"last_tried"` // when one of them was refused last, as by a retry
	Examples []exampleJSON `json:"examples"`   // the newest first
}

type exampleJSON struct {
	Place  string `json:"place"`
	Detail string `json:"detail"`
}

func groupsJSON(groups []quarantine.Group) []groupJSON {
	all := make([]groupJSON, len(groups))
	for i, g := range groups {
		all[i] = groupJSON{g.Topic, g.Reason, g.Records, g.First.UTC(), g.Last.UTC(), g.Tried.UTC(), []exampleJSON{}}
		for _, e := range g.Examples {
			place := quarantine.Place{Topic: g.Topic, Partition: int32(e.Partition), Offset: e.Offset}
			all[i].Examples = append(all[i].Examples, exampleJSON{place.String(), e.Detail.StringVal})
		}
	}
	return all
}

// oneLine makes one line of a detail, which quotes what a producer wrote.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}

// show prints the record of a place: of each topic id, if the topic was made
// again.
func (c *quarantineCommand) show(ctx context.Context, table *quarantine.Table) error {
	place := c.filter.Places[0]
	rows, err := table.History(ctx, place)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return fmt.Errorf("%v is not in quarantine, and never was as far as it is kept; to see what is: stationflow quarantine list", place)
	}
	var shown []recordJSON
	at := map[string]int{} // by topic id
	for i := range rows {
		id := rows[i].TopicID
		if _, known := at[id]; !known {
			at[id] = len(shown)
			shown = append(shown, recordJSON{})
		}
		shown[at[id]].add(&rows[i])
	}
	if c.asJSON {
		return printJSON(c.streams.Out, struct {
			Bytes   int64        `json:"bytes_read"`
			Records []recordJSON `json:"records"`
		}{c.read, shown})
	}
	for i := range shown {
		if i > 0 {
			fmt.Fprintln(c.streams.Out)
		}
		shown[i].print(&c.streams)
	}
	return nil
}

// A recordJSON is a record as show --json prints it; fields may be added.
type recordJSON struct {
	Topic     string      `json:"topic"`
	TopicID   string      `json:"topic_id"`
	Partition int64       `json:"partition"`
	Offset    int64       `json:"offset"`
	Timestamp *time.Time  `json:"kafka_timestamp"` // null when Kafka gave none that can be kept
	Accepted  bool        `json:"accepted"`        // it was tried again, and is in its staging table since
	Reason    string      `json:"reason"`          // the newest for which it was refused
	Detail    string      `json:"detail"`
	SchemaID  string      `json:"schema_id,omitempty"`
	Key       contentJSON `json:"key"`
	Value     contentJSON `json:"value"`
	InLake    []string    `json:"in_lake,omitempty"` // addresses of what is too large for a row
	Rows      []rowJSON   `json:"rows"`              // all that the quarantine has of it, the oldest first
}

type rowJSON struct {
	IngestedAt time.Time `json:"ingested_at"`
	Reason     string    `json:"reason"`
	Detail     string    `json:"detail"`
	BatchID    string    `json:"batch_id"`
}

// contentJSON is bytes: text where they are printable, else hexadecimal; both
// null for none.
type contentJSON struct {
	Bytes int     `json:"bytes"`
	Text  *string `json:"text"`
	Hex   *string `json:"hex"`
}

func contentOf(b []byte) contentJSON {
	c := contentJSON{Bytes: len(b)}
	if b == nil {
		return c
	}
	if text := string(b); printable(text) {
		c.Text = &text
	} else {
		text = hex.EncodeToString(b)
		c.Hex = &text
	}
	return c
}

// printable reports whether a text can be shown as it is: no character of it
// commands a terminal.
func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return !unicode.IsGraphic(r) && r != '\n' && r != '\t' && r != '\r'
	})
}

// add takes in a row, which is not older than those before.
func (r *recordJSON) add(row *quarantine.Row) {
	r.Rows = append(r.Rows, rowJSON{row.IngestedAt.UTC(), row.Reason, row.Detail.StringVal, row.BatchID})
	if row.Reason == string(event.Accepted) {
		r.Accepted = true
		return
	}
	r.Topic, r.TopicID, r.Partition, r.Offset = row.Topic, row.TopicID, row.Partition, row.Offset
	r.Reason, r.Detail, r.SchemaID = row.Reason, row.Detail.StringVal, row.SchemaID.StringVal
	r.Key, r.Value, r.Timestamp, r.InLake = contentOf(row.Key), contentOf(row.Value), nil, nil
	if row.Timestamp.Valid {
		at := row.Timestamp.Timestamp.UTC()
		r.Timestamp = &at
	}
	aside := row.Aside()
	for _, uri := range []string{aside.Value, aside.Key, aside.Headers} {
		if uri != "" {
			r.InLake = append(r.InLake, uri)
		}
	}
}

func (r *recordJSON) print(streams *Streams) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(streams.Out, "%-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	state := "in quarantine: " + r.Reason
	if r.Accepted {
		state = "accepted when it was tried again; it is in staging"
	}
	line("record", "%s/%d/%d of topic id %s", r.Topic, r.Partition, r.Offset, r.TopicID)
	line("state", "%s", state)
	line("detail", "%s", oneLine(r.Detail))
	if r.Timestamp != nil {
		line("written", "%s", r.Timestamp.Format(time.RFC3339Nano))
	}
	if r.SchemaID != "" {
		line("schema", "%s", r.SchemaID)
	}
	for _, uri := range r.InLake {
		line("in lake", "%s", uri)
	}
	line("key", "%v", r.Key)
	line("value", "%v", r.Value)
	for _, row := range r.Rows {
		line("row", "%s  %s  %s  %s", row.IngestedAt.Format(time.RFC3339), row.Reason, row.BatchID, oneLine(row.Detail))
	}
}

func (c contentJSON) String() string {
	switch {
	case c.Text != nil:
		return fmt.Sprintf("(%d bytes) %s", c.Bytes, *c.Text)
	case c.Hex != nil:
		return fmt.Sprintf("(%d bytes, hexadecimal) %s", c.Bytes, *c.Hex)
	}
	return "null"
}
