package project

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// A Test is a query that finds what must not be: generic, declared in a yml
// file, or singular, a file of tests/.
type Test struct {
	Resource
	Kind          string // singular, or the name of the generic test
	Namespace     string // package that a yml file names before the generic test; "" for none
	Column        string // of a generic test; "" for none
	Alias         string // of the table of its failures
	Short         string // its name, short enough for a file
	Warn          bool   // severity warn: failures are reported and fail nothing
	WarnIf        string // condition on the number of failures, such as "> 10"
	ErrorIf       string
	Limit         *int64 // rows looked at; nil for all
	FailCalc      string // what counts the failures
	StoreFailures bool   // keep the rows in a table named as the test
	// OfChanges (meta.looks_at is "changes"): what it finds is found in the
	// partitions that have it, so those that do not change need no look.
	OfChanges bool
	Config    map[string]any // as it was written

	// Code is the file's, or what dbt makes of a generic test's entry; Kwargs
	// are the arguments of its macro, as they are written.
	Code   string
	File   string // of a singular test, as it is
	Kwargs map[string]any

	in        *pkg
	attached  *Model // that a generic test is declared at; nil for others
	asWritten writtenConfig
	compile   func(*rendering) (Text, error)
}

// Singular is the kind of the tests in tests/.
const Singular = "singular"

// readTests makes the tests of all yml files and of tests/.
func (l *loader) readTests() error {
	for _, model := range l.Models {
		for _, c := range model.checks {
			if err := l.addGeneric(l.subjectOfModel(model), c); err != nil {
				return err
			}
		}
	}
	for _, source := range l.Sources {
		for _, c := range source.checks {
			if err := l.addGeneric(subjectOf(source), c); err != nil {
				return err
			}
		}
	}
	for _, of := range l.packages {
		if err := l.readTestFiles(of); err != nil {
			return err
		}
	}
	return l.checkNames()
}

// subjectOf is what the tests of a source look at.
func subjectOf(source *Source) subject {
	reference := "source('" + source.SourceName + "', '" + source.Name + "')"
	return subject{name: source.SourceName + "_" + source.Name, prefix: "source_", reference: reference, tags: source.own, relation: func(r *rendering) (jinja.Value, error) {
		return r.source(texts(source.SourceName, source.Name))
	}}
}

// checkNames refuses two tests of one name, those of what is disabled, too.
func (l *loader) checkNames() error {
	names := map[string]string{}
	note := func(test *Test) error {
		if other, twice := names[test.ID]; twice {
			return fmt.Errorf("%s: %s already has a test named %s: give one of them a name", test.Path, other, test.Name)
		}
		names[test.ID] = test.Path
		return nil
	}
	for _, test := range l.Tests {
		if err := note(test); err != nil {
			return err
		}
	}
	noteAll := func(of subject, checks []check) error {
		for _, c := range checks {
			if at := c.config["enabled"]; at != nil && at.String() == "false" {
				continue
			}
			named := of
			test, err := l.newGeneric(&named, c)
			if err == nil {
				err = note(test)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(l.sources)) {
		if source := l.sources[key]; !source.enabled {
			if err := noteAll(subjectOf(source), source.checks); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.models)) {
		if model := l.models[name]; !model.Config.Enabled {
			if err := noteAll(l.subjectOfModel(model), model.checks); err != nil {
				return err
			}
		}
	}
	return nil
}

// subjectOfModel is what the tests of a model look at.
func (l *loader) subjectOfModel(model *Model) subject {
	return subject{name: model.Name, model: model, reference: "ref('" + model.Name + "')", relation: func(r *rendering) (jinja.Value, error) {
		return r.ref(texts(model.Name))
	}}
}

func (l *loader) readTestFiles(of *pkg) error {
	for _, folder := range of.settings.testPaths {
		for _, file := range filesUnder(l.files, folder, ".sql") {
			if strings.HasPrefix(file, folder+"/generic/") || strings.HasPrefix(file, folder+"/fixtures/") {
				continue
			}
			if err := l.addSingular(of, folder, file); err != nil {
				return err
			}
		}
	}
	for name := range of.testPatches {
		l.Warnings = append(l.Warnings, fmt.Sprintf("a yml file has an entry for the test %s, and there is none: dbt reads past the entry", name))
	}
	return nil
}

func (l *loader) addSingular(of *pkg, folder, file string) error {
	content, err := fs.ReadFile(l.files, file)
	if err != nil {
		return err
	}
	parsed, err := parseTemplate(file, string(content))
	if err != nil {
		return err
	}
	name := strings.TrimSuffix(file[strings.LastIndex(file, "/")+1:], ".sql")
	if !of.isRoot() {
		parsed = parsed.Lenient()
	}
	test := &Test{Kind: Singular, Short: name, in: of, Resource: of.resource(TypeTest, name, file, of.fqn(folder, file, name))}
	test.compile = func(r *rendering) (Text, error) { return r.render(parsed) }
	test.Code, test.File = strings.TrimSpace(string(content)), asText(content)
	test.asWritten = l.writtenOf(of, test.FQN, testTree)
	test.asWritten.source = test.Code
	patched := of.testPatches[name]
	delete(of.testPatches, name)
	test.asWritten.doc, test.asWritten.entry = patched.doc, patched.entry
	return l.addTest(test, patched.config)
}

func testTree(s *settings) *configTree { return s.tests }

// A testPatch is what a yml file says of a test in a file.
type testPatch struct {
	doc    *document
	entry  ast.Node
	config map[string]any
}

// addTestPatch reads what a yml file says of a test in a file.
func (l *loader) addTestPatch(doc *document, node ast.Node) error {
	name, err := doc.named(node)
	if err != nil {
		return err
	}
	config := doc.field(node, "config")
	if err := doc.check("test config", config); err != nil {
		return err
	}
	if _, twice := doc.in.testPatches[name]; twice {
		return doc.fail(node, "there is another entry for the test %s", name)
	}
	patch := testPatch{doc, node, map[string]any{}}
	if config != nil {
		value, err := rendered(doc, config, l.context(doc))
		if err != nil {
			return err
		}
		if fields, ok := value.(map[string]any); ok {
			patch.config = fields
		}
	}
	doc.in.testPatches[name] = patch
	return nil
}

func texts(of ...string) *jinja.Arguments {
	a := &jinja.Arguments{Named: jinja.NewDict()}
	for _, text := range of {
		a.Positional = append(a.Positional, text)
	}
	return a
}

// addTest compiles a test once to learn what it reads and how it is
// configured.
func (l *loader) addTest(test *Test, declared map[string]any) error {
	config, over := l.settingsOf(test.in, test.FQN, testTree)
	if test.Kind != Singular && declared["enabled"] == false { // nothing wins over it
		return (&Test{Resource: test.Resource}).configureAll(declared)
	}
	apply := func() {
		for key, value := range declared {
			configure(config, key, value)
		}
	}
	if test.Kind == Singular { // its own config() wins over the yml entry
		disabled := config["enabled"] == false
		apply()
		if disabled { // in dbt_project.yml: a yml entry does not enable it again
			config["enabled"] = false
		}
	}
	r := &rendering{project: l.Project, in: test.in, config: config, file: test.Path, ofTest: true}
	switch _, err := test.compile(r); {
	case errors.Is(err, errDisabled):
		l.Warnings = append(l.Warnings, fmt.Sprintf("%s: the test %s reads what is disabled: it does not run", test.Path, test.Name))
		return nil
	case err != nil:
		return placed(test.Path, err)
	}
	if test.Kind != Singular { // the yml entry wins over the config() of the test's definition
		apply()
	}
	for key, value := range over {
		configure(config, key, value)
	}
	test.Reads, test.Macros = r.reads, r.macros
	if test.asWritten.called == nil {
		test.asWritten.called = r.called
	}
	if err := applies(r.config); err != nil {
		return err
	}
	test.Config = r.config
	if err := test.configureAll(r.config); err != nil || r.config["enabled"] == false {
		return err
	}
	l.Tests = append(l.Tests, test)
	custom, _ := r.config["alias"].(string)
	if custom == "" && test.Short != test.Name {
		custom = test.Short // of a long name
		r.config["alias"] = custom
	}
	return l.nameTest(test, custom)
}

// configureAll takes settings.
func (t *Test) configureAll(config map[string]any) error {
	for key, value := range config {
		if _, unread := value.(unsupported); unread {
			continue // the test is disabled
		}
		if err := checkType("test config", key, value); err != nil {
			return fmt.Errorf("%s: the test %s: config %w", t.Path, t.Name, err)
		}
		if value == nil || key == "enabled" {
			continue
		}
		if err := t.configure(key, value); err != nil {
			return fmt.Errorf("%s: the test %s: %w", t.Path, t.Name, err)
		}
	}
	return nil
}

func (t *Test) configure(key string, value any) error {
	ok := true
	switch key {
	case "severity":
		text, _ := value.(string)
		t.Warn = strings.EqualFold(text, "warn")
		if !t.Warn && !strings.EqualFold(text, "error") {
			return fmt.Errorf("severity is %v: it is warn or error", value)
		}
	case "warn_if", "error_if":
		text, _ := value.(string)
		if !threshold.MatchString(text) {
			return fmt.Errorf("%s is %q: write a comparison with a number, such as \"> 10\"", key, text)
		}
		if key == "warn_if" {
			t.WarnIf = text
		} else {
			t.ErrorIf = text
		}
	case "limit":
		number, err := strconv.ParseInt(fmt.Sprint(value), 10, 64)
		t.Limit, ok = &number, err == nil
	case "fail_calc":
		t.FailCalc, _ = value.(string)
		ok = t.FailCalc != ""
	case "store_failures":
		t.StoreFailures, ok = value.(bool)
	case "tags":
		t.Tags, ok = stringList(addTags(anyList(t.Tags), value))
	case "meta":
		fields, _ := value.(map[string]any)
		t.OfChanges = fields["looks_at"] == "changes"
	case "alias", "group": // read when the test is named, and when all models are known
	case "where": // belongs to generic tests, which read it themselves
	default:
		return supported("test config", key)
	}
	if !ok {
		return fmt.Errorf("config %s has a value of the wrong type: %v", key, value)
	}
	return nil
}

var threshold = regexp.MustCompile(`^\s*(=|==|!=|<>|<|<=|>|>=)\s*(\d+)\s*$`)

// Verdicts of a test.
const (
	Pass = "pass"
	Warn = "warn"
	Fail = "fail"
)

// Verdict says what a number of failures means: dbt's rule is that a test of
// severity error fails when error_if holds, and warns when warn_if holds.
func (t *Test) Verdict(failures int64) string {
	switch {
	case !t.Warn && holds(t.ErrorIf, failures):
		return Fail
	case holds(t.WarnIf, failures):
		return Warn
	}
	return Pass
}

func holds(condition string, n int64) bool {
	parts := threshold.FindStringSubmatch(condition)
	if parts == nil {
		return n != 0
	}
	limit, _ := strconv.ParseInt(parts[2], 10, 64)
	switch parts[1] {
	case "=", "==":
		return n == limit
	case "!=", "<>":
		return n != limit
	case "<":
		return n < limit
	case "<=":
		return n <= limit
	case ">":
		return n > limit
	}
	return n >= limit
}
