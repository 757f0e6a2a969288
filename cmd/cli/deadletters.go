package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stationflow/stationflow/bridge/outlet"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/deadletter/mailbox"
	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/terraform"
)

const deadLettersUsage = `usage: stationflow deadletters list [FLAGS]
       stationflow deadletters show [FLAGS] ID
       stationflow deadletters resend [FLAGS] --all | ID ...
       stationflow deadletters discard [FLAGS] --reason TEXT --all | ID ...

list shows the batches that were given up and wait in the dead letter
subscription, show one of them with its attributes and records; neither takes
any away. resend sends them on their way again, all of them or those named by
message or event id, and takes away what has arrived: a person who interrupts it
loses nothing, and a batch sent twice counts once. What is not a batch stays, for
ingest never takes it; --force sends it all the same. discard takes them away for
ever, and writes a line of JSON about each, with the reason, for a log.
GOOGLE_CLOUD_PROJECT names the project.

Examples:
  stationflow deadletters list
  stationflow deadletters resend --all
  stationflow deadletters list --json | jq -r '.dead_letters[].why'
`

// deadLetters is the command for dead letters, with the clock that it waits by.
type deadLetters struct{ clock mailbox.Clock }

// A deadLettersCall is one call of it.
type deadLettersCall struct {
	streams      Streams
	verb         string
	subscription string
	wait         time.Duration
	all          bool
	force        bool // resend what ingest cannot take, too
	url          string
	reason       string
	asJSON       bool
	ids          []string
}

// deadLettersVerbs are what may be done, each with what its ids are for.
var deadLettersVerbs = map[string]string{"list": "", "show": "to show", "resend": "to send again", "discard": "to discard"}

func (d deadLetters) run(ctx context.Context, args []string, streams Streams) error {
	deployment, err := terraform.ReadDeployment()
	if err != nil {
		return err
	}
	c := deadLettersCall{streams: streams}
	if len(args) > 0 {
		c.verb = args[0]
	}
	if isHelp(c.verb) {
		fmt.Fprint(streams.Out, deadLettersUsage, "\nlist, show, resend and discard each list their flags with --help.\n")
		return flag.ErrHelp
	}
	if _, known := deadLettersVerbs[c.verb]; !known {
		return program.Mistakef("say list, show, resend or discard: stationflow deadletters --help explains them")
	}
	if err := c.parse(args[1:], deployment); err != nil {
		return err
	}
	streams = c.streams // with where the system is
	r := env.NewReader(streams.Getenv)
	to := outlet.FromEnv(r, deployment, c.url)
	if err := r.Err(); err != nil {
		return streams.advise(err)
	}
	if err := to.Check(); c.verb == "resend" && err != nil {
		return err
	}
	box, err := openMailbox(ctx, to.Project, c.subscription, c.wait, d.clock)
	if err != nil {
		return err
	}
	defer func() { _ = box.Close() }()
	fmt.Fprintf(streams.Err, "looking for dead letters until none came for %v\n", c.wait)
	switch c.verb {
	case "list":
		return c.list(ctx, box)
	case "show":
		return c.show(ctx, box)
	case "discard":
		return c.discard(ctx, box)
	}
	send, err := newSender(ctx, box, to, deployment.AckDeadline())
	if err != nil {
		return err
	}
	return c.resend(ctx, box, send)
}

func (c *deadLettersCall) parse(args []string, deployment terraform.Deployment) error {
	flags := flag.NewFlagSet("stationflow deadletters "+c.verb, flag.ContinueOnError)
	flags.StringVar(&c.subscription, "subscription", deployment.DeadLetterSubscription, "`NAME` of the dead letter subscription")
	flags.DurationVar(&c.wait, "wait", 5*time.Second, "`DURATION` in which no further dead letter must come before there are no more")
	flags.BoolVar(&c.asJSON, "json", false, "print JSON")
	switch c.verb {
	case "discard":
		flags.StringVar(&c.reason, "reason", "", "why they are not needed, as `TEXT` for the log")
		fallthrough
	case "resend":
		flags.BoolVar(&c.all, "all", false, "every dead letter")
	}
	if c.verb == "resend" {
		flags.StringVar(&c.url, "url", "", urlUsage)
		flags.BoolVar(&c.force, "force", false, "send again, too, what is not a batch and comes back")
	}
	if err := c.streams.parse(flags, args, deadLettersUsage+"\n"); err != nil {
		return err
	}
	c.ids = flags.Args()
	switch many := c.verb == "resend" || c.verb == "discard"; {
	case c.verb == "list" && len(c.ids) > 0:
		return program.Mistakef("list takes no ids, it shows all that wait")
	case c.verb == "show" && len(c.ids) != 1:
		return program.Mistakef("show needs the id of one; to see the ids: stationflow deadletters list")
	case many && c.all == (len(c.ids) > 0):
		return program.Mistakef("%s needs either --all or the ids of those %s; to see them: stationflow deadletters list", c.verb, deadLettersVerbs[c.verb])
	case c.verb == "discard" && strings.TrimSpace(c.reason) == "":
		return program.Mistakef("discard needs --reason: say why the records are not needed")
	}
	return nil
}

// A choice are the dead letters that were named: which of the names are still to be
// dealt with, and which there was one for.
type choice struct {
	ids     []string
	missing map[string]bool
	met     map[string]bool
}

func (c *deadLettersCall) choice() choice {
	chosen := choice{c.ids, make(map[string]bool, len(c.ids)), map[string]bool{}}
	for _, id := range c.ids {
		chosen.missing[id] = true
	}
	return chosen
}

// has reports whether the dead letter is one of them: all are where none was
// named.
func (c *choice) has(l *mailbox.Letter) bool {
	c.met[l.ID], c.met[l.Event()] = true, true
	return len(c.ids) == 0 || c.missing[l.ID] || c.missing[l.Event()]
}

// done notes that one was dealt with. The event's id stays: the same batch may
// be buried twice.
func (c *choice) done(l *mailbox.Letter) { delete(c.missing, l.ID) }

// unmet is the error where a name was given that no dead letter has.
func (c *choice) unmet() error {
	unknown := slices.DeleteFunc(slices.Clone(c.ids), func(id string) bool { return c.met[id] })
	if len(unknown) == 0 {
		return nil
	}
	return fmt.Errorf("none of the dead letters is %s; to see those that wait: stationflow deadletters list", strings.Join(unknown, ", "))
}

// resend sends the chosen dead letters, and takes each away once it was sent.
// One that is refused for what it is does not keep back the others; an outage
// ends the work.
func (c *deadLettersCall) resend(ctx context.Context, box *mailbox.Mailbox, send sender) error {
	chosen := c.choice()
	sent := []letterJSON{}
	var refused []error
	err := box.Each(ctx, send.atOnce, func(l *mailbox.Letter) (bool, error) {
		if !chosen.has(l) {
			return false, nil
		}
		if why, err := neverTaken(l); err != nil && !c.force {
			refused = append(refused, fmt.Errorf("dead letter %s stays where it is, because ingest never takes it: %w (--force sends it all the same). "+
				"Take it away, which keeps it in the lake: stationflow deadletters discard --reason \"%[3]s\" %[1]s", l.ID, err, why))
			return false, nil
		}
		if err := send.send(ctx, l); err != nil {
			err = fmt.Errorf("sending dead letter %s again, which stays where it is: %w", l.ID, err)
			if hopeless(err) {
				refused = append(refused, err)
				return false, nil
			}
			return false, err
		}
		sent = append(sent, jsonOf(l))
		chosen.done(l)
		c.sayf("sent again: %s  %s  %s\n", l.ID, l.Event(), l.From())
		return true, nil
	})
	c.sayf("%s sent again\n", counted(len(sent), "dead letter"))
	err = errors.Join(append(refused, err, c.printJSON("sent", sent))...)
	if err != nil {
		return err
	}
	return chosen.unmet()
}

// neverTaken says why ingest refuses a dead letter however often it comes, in
// short and in full; nil where it may take it.
func neverTaken(l *mailbox.Letter) (short string, err error) {
	b, err := l.Batch()
	if err != nil {
		return "not a batch", err
	}
	if b.Topic == event.CanaryTopic {
		return "", nil
	}
	return "no such topic", event.CheckTopic(b.Topic)
}
