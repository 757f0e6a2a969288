package cli

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/terraform"
)

const deadLettersUsage = `usage: stationflow deadletters list [FLAGS]
       stationflow deadletters resend [FLAGS] --all | ID ...

list shows the batches that were given up and wait in the dead letter
subscription; it takes none away. resend sends them on their way again, all of
them or those named by message or event id, and takes away what has arrived:
a person who interrupts it loses nothing, and a batch sent twice counts once.
GOOGLE_CLOUD_PROJECT names the project; PUBSUB_EMULATOR_HOST, the local system.
`

// deadLetters is the command that lists dead letters or sends them again.
type deadLetters struct{ clock clock }

func (d deadLetters) run(ctx context.Context, args []string, streams Streams) error {
	deployment, err := terraform.ReadDeployment()
	if err != nil {
		return err
	}
	verb := ""
	if len(args) > 0 {
		verb = args[0]
	}
	switch {
	case isHelp(verb):
		fmt.Fprint(streams.Out, deadLettersUsage, "\nstationflow deadletters list --help and resend --help list the flags.\n")
		return flag.ErrHelp
	case verb != "list" && verb != "resend":
		return program.Mistakef("say list or resend: stationflow deadletters --help explains both")
	}
	flags := flag.NewFlagSet("stationflow deadletters "+verb, flag.ContinueOnError)
	subscription := flags.String("subscription", deployment.DeadLetterSubscription, "`NAME` of the dead letter subscription")
	wait := flags.Duration("wait", 5*time.Second, "`DURATION` in which no further dead letter must come before there are no more")
	all, url := new(bool), new(string)
	if verb == "resend" {
		all = flags.Bool("all", false, "every dead letter")
		url = flags.String("url", "", "post to the ingest function at `URL` instead of publishing to the records topic; the audience of the identity token is BRIDGE_HTTP_AUDIENCE, or the URL")
	}
	if err := program.Parse(flags, args[1:], streams.Out, deadLettersUsage+"\n"); err != nil {
		return err
	}
	ids := flags.Args()
	if err := checkDeadLetters(verb, *all, ids); err != nil {
		return err
	}
	r := env.NewReader(streams.Getenv)
	project := r.Required("GOOGLE_CLOUD_PROJECT", "set it to the id of the Google Cloud project")
	topic := r.String("BRIDGE_PUBSUB_TOPIC", deployment.RecordsTopic)
	audience := r.String("BRIDGE_HTTP_AUDIENCE", *url)
	transport := r.OneOf("BRIDGE_TRANSPORT", "pubsub", "http")
	if err := r.Err(); err != nil {
		return localAdvice(streams.Getenv, err)
	}
	if verb == "resend" && *url == "" && transport == "http" {
		return errors.New("with BRIDGE_TRANSPORT=http nothing need be subscribed to the records topic: name the ingest function with --url")
	}
	box, err := openMailbox(ctx, project, *subscription, *wait, d.clock)
	if err != nil {
		return err
	}
	defer func() { _ = box.Close() }()
	fmt.Fprintf(streams.Err, "looking for dead letters until none came for %v\n", *wait)
	if verb == "list" {
		return list(ctx, box, streams.Out)
	}
	send, err := newSender(ctx, box, function{*url, audience}, topic, deployment.AckDeadline())
	if err != nil {
		return err
	}
	return resend(ctx, box, send, ids, streams.Out)
}

func checkDeadLetters(verb string, all bool, ids []string) error {
	switch {
	case verb == "list" && len(ids) > 0:
		return program.Mistakef("list takes no ids, it shows all that wait")
	case verb == "resend" && all == (len(ids) > 0):
		return program.Mistakef("resend needs either --all or the ids of those to send again (flags come first); stationflow deadletters list shows them")
	}
	return nil
}

// list prints a line for each dead letter.
func list(ctx context.Context, box *mailbox, out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	count, records := 0, 0
	err := box.each(ctx, 10, func(l *letter) (bool, error) {
		if count == 0 {
			fmt.Fprintln(table, "MESSAGE\tEVENT\tFROM\tRECORDS\tBURIED\tATTEMPTS\tWHY")
		}
		count++
		records += l.records()
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.id, cmp.Or(l.event(), "no CloudEvent"), cmp.Or(l.from(), "-"),
			numberOrDash(l.records()), l.published.UTC().Format(time.RFC3339), numberOrDash(l.cause.Attempts), l.why())
		return false, nil
	})
	if err := errors.Join(err, table.Flush()); err != nil {
		return err
	}
	if count == 0 {
		fmt.Fprintln(out, "no dead letters")
		return nil
	}
	fmt.Fprintf(out, "\n%d dead letters with %d records\n", count, records)
	return nil
}

func numberOrDash(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// resend sends the dead letters with these message or event ids, or all
// without ids, and takes each away once it was sent. One that is refused for
// what it is does not keep back the others; an outage ends the work.
func resend(ctx context.Context, box *mailbox, send sender, ids []string, out io.Writer) error {
	missing := make(map[string]bool, len(ids))
	for _, id := range ids {
		missing[id] = true
	}
	sent := 0
	var refused []error
	err := box.each(ctx, send.atOnce, func(l *letter) (bool, error) {
		if len(ids) > 0 && !missing[l.id] && !missing[l.event()] {
			return false, nil
		}
		if err := send.send(ctx, l); err != nil {
			err = fmt.Errorf("sending dead letter %s again, which stays where it is: %w", l.id, err)
			if hopeless(err) {
				refused = append(refused, err)
				return false, nil
			}
			return false, err
		}
		sent++
		delete(missing, l.id) // the event's id stays: the same batch may be buried twice
		fmt.Fprintf(out, "sent again: %s  %s  %s\n", l.id, l.event(), l.from())
		return true, nil
	})
	fmt.Fprintf(out, "%d dead letters sent again\n", sent)
	if err = errors.Join(append(refused, err)...); err != nil {
		return err
	}
	if len(ids) > 0 && sent == 0 {
		return fmt.Errorf("none of the dead letters is %s: stationflow deadletters list shows those that wait", strings.Join(ids, ", "))
	}
	return nil
}
