package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/stationflow/stationflow/internal/deadletter/mailbox"
)

// sayf prints for a person, unless JSON is printed.
func (c *deadLettersCall) sayf(format string, args ...any) {
	if !c.asJSON {
		fmt.Fprintf(c.streams.Out, format, args...)
	}
}

// printJSON prints an object with the dead letters under the name, if JSON is
// asked for.
func (c *deadLettersCall) printJSON(name string, letters any) error {
	if !c.asJSON {
		return nil
	}
	return printJSON(c.streams.Out, map[string]any{name: letters})
}

// A letterJSON is a dead letter as --json prints it; fields may be added.
type letterJSON struct {
	Message  string     `json:"message"` // Pub/Sub's id
	Event    string     `json:"event"`   // the CloudEvent's id; "" where it is none
	From     string     `json:"from"`    // topic, and the ranges of partitions and offsets
	Records  int        `json:"records"`
	Buried   time.Time  `json:"buried"`
	Attempts int        `json:"attempts"` // 0 where that is not known
	Since    *time.Time `json:"since"`    // of the first attempt; null where that is not known
	Source   string     `json:"source"`   // who gave it up
	Why      string     `json:"why"`
}

func jsonOf(l *mailbox.Letter) letterJSON {
	j := letterJSON{Message: l.ID, Event: l.Event(), From: l.From(), Records: l.Records(), Buried: l.Published.UTC(),
		Attempts: l.Cause.Attempts, Source: l.Cause.Source, Why: l.Why()}
	if !l.Cause.Since.IsZero() {
		since := l.Cause.Since.UTC()
		j.Since = &since
	}
	return j
}

// list prints a line for each dead letter.
func (c *deadLettersCall) list(ctx context.Context, box *mailbox.Mailbox) error {
	table := tabwriter.NewWriter(c.streams.Out, 0, 0, 2, ' ', 0)
	all, records := []letterJSON{}, 0
	err := box.Each(ctx, 10, func(l *mailbox.Letter) (bool, error) {
		if len(all) == 0 && !c.asJSON {
			fmt.Fprintln(table, "MESSAGE\tEVENT\tFROM\tRECORDS\tBURIED\tATTEMPTS\tWHY")
		}
		all = append(all, jsonOf(l))
		records += l.Records()
		if !c.asJSON {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.ID, cmp.Or(l.Event(), "no CloudEvent"), cmp.Or(l.From(), "-"),
				numberOrDash(l.Records()), l.Published.UTC().Format(time.RFC3339), numberOrDash(l.Cause.Attempts), l.Why())
		}
		return false, nil
	})
	if err := errors.Join(err, table.Flush()); err != nil {
		return err
	}
	if len(all) == 0 {
		c.sayf("no dead letters\n")
	} else {
		c.sayf("\n%s with %s\n", counted(len(all), "dead letter"), counted(records, "record"))
	}
	return c.printJSON("dead_letters", all)
}

func numberOrDash(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// errFound ends the search for one dead letter.
var errFound = errors.New("found")

// show prints one dead letter.
func (c *deadLettersCall) show(ctx context.Context, box *mailbox.Mailbox) error {
	chosen := c.choice()
	var found *mailbox.Letter
	err := box.Each(ctx, 10, func(l *mailbox.Letter) (bool, error) {
		if !chosen.has(l) {
			return false, nil
		}
		found = l
		return false, errFound
	})
	if found == nil {
		return errors.Join(err, chosen.unmet())
	}
	if c.asJSON {
		return c.printJSON("dead_letter", struct {
			letterJSON
			Attributes map[string]string  `json:"attributes"`
			Bytes      int                `json:"bytes"`
			Held       []letterRecordJSON `json:"records_held"`
			Body       *contentJSON       `json:"body"` // how that begins which is not a batch; null for a batch
		}{jsonOf(found), found.Attributes, len(found.Data), heldBy(found), bodyOf(found)})
	}
	c.print(found)
	return nil
}

// A letterRecordJSON is one record of a dead letter.
type letterRecordJSON struct {
	Partition int32       `json:"partition"`
	Offset    int64       `json:"offset"`
	Key       contentJSON `json:"key"`
	Bytes     int         `json:"value_bytes"`
}

// held are the records of the dead letter; none where it is not a batch.
func heldBy(l *mailbox.Letter) []letterRecordJSON {
	all := []letterRecordJSON{}
	b, err := l.Batch()
	if err != nil {
		return all
	}
	for _, r := range b.Records {
		all = append(all, letterRecordJSON{r.Partition, r.Offset, contentOf(r.Key), len(r.Value)})
	}
	return all
}

// shownBody is how many bytes are shown of what is not a batch.
const shownBody = 200

// bodyOf is how a message begins that is not a batch; nil for a batch.
func bodyOf(l *mailbox.Letter) *contentJSON {
	if _, err := l.Batch(); err == nil {
		return nil
	}
	c := contentOf(l.Data[:min(shownBody, len(l.Data))])
	c.Bytes = len(l.Data)
	return &c
}

// shownRecords is how many records of a dead letter are printed.
const shownRecords = 20

func (c *deadLettersCall) print(l *mailbox.Letter) {
	of := jsonOf(l)
	c.sayf("message   %s\nevent     %s\nfrom      %s\nburied    %s\nattempts  %s\nwhy       %s\n", of.Message, cmp.Or(of.Event, "no CloudEvent"),
		cmp.Or(of.From, "-"), of.Buried.Format(time.RFC3339), numberOrDash(of.Attempts), of.Why)
	if of.Since != nil {
		c.sayf("since     %s\n", of.Since.Format(time.RFC3339))
	}
	for _, name := range slices.Sorted(maps.Keys(l.Attributes)) {
		c.sayf("          %s: %s\n", name, oneLine(l.Attributes[name]))
	}
	if of := bodyOf(l); of != nil {
		more := ""
		if len(l.Data) > shownBody {
			more = fmt.Sprintf(" and %d more", len(l.Data)-shownBody)
		}
		c.sayf("body      %q%s\n", l.Data[:min(shownBody, len(l.Data))], more)
	}
	held := heldBy(l)
	for i, r := range held {
		if i == shownRecords {
			c.sayf("record    and %d more: --json has all\n", len(held)-i)
			break
		}
		c.sayf("record    partition %d, offset %d, key %v, value of %d bytes\n", r.Partition, r.Offset, r.Key, r.Bytes)
	}
}
