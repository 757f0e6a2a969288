package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/event/payload"
	"github.com/stationflow/stationflow/event/schemas"
	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/internal/registry"
)

const schemaHelp = `usage: stationflow schema register|check [FLAGS] [TOPIC…]

register puts the schemas of the topics' values into a schema registry, as
subjects TOPIC-value; without a TOPIC those of all. check says of each whether
the registry would take it, changes nothing, and ends with 1 if one is refused.
With --file it is a schema of yours, for the subject that --subject names.

SCHEMA_REGISTRY_URL says where the registry is, SCHEMA_REGISTRY_USERNAME and
SCHEMA_REGISTRY_PASSWORD who asks.

Examples:
  stationflow schema check
  stationflow schema register --compatibility FULL incidents
  stationflow schema check --json | jq -r '.schemas[] | select(.refused) | .subject'

`

// A schemaCommand is what the command line asks for.
type schemaCommand struct {
	api           *registry.API
	out           io.Writer
	asJSON        bool
	told          []schemaJSON
	check         bool
	format        sr.SchemaType
	compatibility sr.CompatibilityLevel // 0 leaves it as it is
}

// A schemaJSON is what is told of a schema, as --json prints it; fields may be
// added.
type schemaJSON struct {
	Subject string `json:"subject"`
	Refused bool   `json:"refused"`
	Said    string `json:"said"`
	Version int    `json:"version,omitempty"` // of one that was registered, with ID
	ID      int    `json:"id,omitempty"`
}

// tell tells of a schema, at once for a person.
func (c *schemaCommand) tell(of schemaJSON) {
	if c.told = append(c.told, of); !c.asJSON {
		fmt.Fprintf(c.out, "%-26s %s\n", of.Subject, of.Said)
	}
}

// A wanted schema is one to register or check.
type wanted struct {
	subject string
	schema  sr.Schema
}

func runSchema(ctx context.Context, args []string, streams Streams) error {
	flags := flag.NewFlagSet("stationflow schema", flag.ContinueOnError)
	format := flags.String("format", "avro", "`format` of the schemas: avro, protobuf or json")
	level := flags.String("compatibility", "", "`level` that the subjects must have, which register sets: BACKWARD, FORWARD, FULL or NONE")
	file := flags.String("file", "", "a schema of yours, instead of a topic's")
	subject := flags.String("subject", "", "with --file: its `subject`")
	asJSON := flags.Bool("json", false, "print JSON")
	verb := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		verb, args = args[0], args[1:]
	}
	if err := streams.parse(flags, args, schemaHelp); err != nil {
		return err
	}
	c := schemaCommand{out: streams.Out, check: verb == "check", asJSON: *asJSON}
	if verb != "register" && verb != "check" {
		return program.Mistakef("%q is not what schema does: say register or check, for example stationflow schema check", verb)
	}
	if err := c.read(*format, *level); err != nil {
		return program.AsMistake(err)
	}
	all, err := c.wanted(flags.Args(), *file, *subject)
	if err != nil {
		return program.AsMistake(err)
	}
	r := env.NewReader(streams.Getenv)
	config := registry.FromEnv(r)
	if config == nil && r.Err() == nil {
		r.Fault("SCHEMA_REGISTRY_URL", "is not set: set it to the registry's address, http://host:port or https://host")
	}
	if err := r.Err(); err != nil {
		return err
	}
	if c.api, err = registry.NewAPI(*config); err != nil {
		return err
	}
	return streams.during("asking the registry", func() error { return c.run(ctx, all) })
}

// read reads the texts of flags.
func (c *schemaCommand) read(format, level string) error {
	if err := c.format.UnmarshalText([]byte(format)); err != nil || format == "" {
		return fmt.Errorf("--format is %q: set it to avro, protobuf or json", format)
	}
	if level == "" {
		return nil
	}
	if err := c.compatibility.UnmarshalText([]byte(level)); err != nil {
		return fmt.Errorf("--compatibility is %q: set it to BACKWARD, FORWARD, FULL or NONE", level)
	}
	return nil
}

// wanted returns the schemas that the command is about.
func (c *schemaCommand) wanted(topics []string, file, subject string) ([]wanted, error) {
	if (file == "") != (subject == "") {
		return nil, errors.New("--file and --subject go together: name both, or neither for the topics' own schemas")
	}
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("--file: %w", err)
		}
		return []wanted{{subject, sr.Schema{Type: c.format, Schema: string(text)}}}, nil
	}
	if len(topics) == 0 {
		topics = event.Topics()
	}
	var all []wanted
	for _, topic := range topics {
		if err := event.CheckTopic(topic); err != nil {
			return nil, err
		}
		text, err := schemas.Of(topic, payload.Format(c.format.String()))
		if err != nil {
			return nil, err
		}
		all = append(all, wanted{schemas.Subject(topic), sr.Schema{Type: c.format, Schema: text}})
	}
	return all, nil
}

// run does each, and tells of each in one line.
func (c *schemaCommand) run(ctx context.Context, all []wanted) error {
	refused := 0
	for _, w := range all {
		do := c.register
		if c.check {
			do = c.may
		}
		fault, err := do(ctx, w)
		if err != nil {
			return err
		}
		if fault != "" {
			refused++
			c.tell(schemaJSON{Subject: w.subject, Refused: true, Said: "refused: " + fault})
		}
	}
	if c.asJSON {
		if err := printJSON(c.out, map[string]any{"schemas": c.told}); err != nil {
			return err
		}
	}
	if refused > 0 {
		return fmt.Errorf("the registry refuses %d of %d schemas", refused, len(all))
	}
	return nil
}

// register returns why the registry refuses the schema, "" when it took it.
func (c *schemaCommand) register(ctx context.Context, w wanted) (fault string, err error) {
	if c.compatibility != 0 {
		for _, set := range c.api.SetCompatibility(ctx, sr.SetCompatibility{Level: c.compatibility}, w.subject) {
			if set.Err != nil {
				return "", c.api.Explain(ctx, set.Err, "the compatibility of "+w.subject)
			}
		}
	}
	got, err := c.api.CreateSchema(ctx, w.subject, w.schema)
	if fault = verdict(err); fault != "" {
		return fault, nil
	}
	if err != nil {
		return "", c.api.Explain(ctx, err, w.subject)
	}
	c.tell(schemaJSON{Subject: w.subject, Said: fmt.Sprintf("version %d, id %d", got.Version, got.ID), Version: got.Version, ID: got.ID})
	return "", nil
}

// may returns why the registry would refuse the schema.
func (c *schemaCommand) may(ctx context.Context, w wanted) (fault string, err error) {
	latest, err := c.api.SchemaByVersion(ctx, w.subject, -1)
	if code(err) == sr.ErrSubjectNotFound.Code {
		c.tell(schemaJSON{Subject: w.subject, Said: "is not there yet"})
		return "", nil
	}
	if err != nil {
		return "", c.api.Explain(ctx, err, w.subject)
	}
	level := c.api.Compatibility(sr.WithParams(ctx, sr.DefaultToGlobal), w.subject)[0]
	if level.Err != nil {
		return "", c.api.Explain(ctx, level.Err, "the compatibility of "+w.subject)
	}
	if c.compatibility != 0 && level.Level != c.compatibility {
		return fmt.Sprintf("its compatibility is %s, not %s: set it by stationflow schema register --compatibility %s", level.Level, c.compatibility, c.compatibility), nil
	}
	got, err := c.api.CheckCompatibility(sr.WithParams(ctx, sr.Verbose), w.subject, -1, w.schema)
	if fault = verdict(err); fault != "" {
		return fault, nil
	}
	if err != nil {
		return "", c.api.Explain(ctx, err, w.subject)
	}
	if !got.Is {
		return fmt.Sprintf("it is not %s compatible with version %d: %s", level.Level, latest.Version, strings.Join(got.Messages, "; ")), nil
	}
	c.tell(schemaJSON{Subject: w.subject, Said: fmt.Sprintf("is %s compatible with version %d", level.Level, latest.Version)})
	return "", nil
}

// verdict returns what an answer says against the schema; "" for one that says
// nothing of it.
func verdict(err error) string {
	if status := code(err); status == 409 || status/100 == 409 || status/100 == 422 {
		return strings.Join(strings.Fields(err.Error()), " ")
	}
	return ""
}

// code is the registry's own of an error, 0 for others.
func code(err error) int {
	var answer *sr.ResponseError
	if errors.As(err, &answer) {
		return answer.ErrorCode
	}
	return 0
}
