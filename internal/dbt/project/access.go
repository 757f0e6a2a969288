package project

import (
	"fmt"
	"slices"
)

// Who may refer to a model: dbt's access and group.
const (
	private   = "private"
	protected = "protected"
)

// Access is private, protected or public.
func (m *Model) Access() string {
	if text, ok := m.Config.All["access"].(string); ok {
		return text
	}
	return protected
}

func groupOf(config map[string]any) string {
	text, _ := config["group"].(string)
	return text
}

// checkAccess refuses a group that no yml file names, and a reference to a
// private model from outside of its group.
func (l *loader) checkAccess() error {
	var groups []string
	for _, of := range l.documents {
		items, err := of.items(of.field(of.root, "groups"))
		if err != nil {
			return err
		}
		for _, item := range items {
			groups = append(groups, of.text(item, "name"))
		}
	}
	check := func(of *Resource, group string) error {
		if group != "" && !slices.Contains(groups, group) {
			return fmt.Errorf("%s: %s is in the group %q, which no yml file has: add it under groups", of.Path, of.Name, group)
		}
		for _, id := range of.Reads {
			if read := l.ByID(id); read != nil && read.Access() == private && (group == "" || group != groupOf(read.Config.All)) {
				return fmt.Errorf("%s: ref: the model %s is private to its group, and %s is not in it: give both the same group, or another access", of.Path, read.Name, of.Name)
			}
		}
		return nil
	}
	for _, model := range l.Models {
		if model.Config.Materialized == Ephemeral && model.Access() == "public" {
			return fmt.Errorf("%s: an ephemeral model cannot be public: leave access out", model.Path)
		}
		if err := check(&model.Resource, groupOf(model.Config.All)); err != nil {
			return err
		}
	}
	for _, test := range l.Tests {
		if err := check(&test.Resource, l.groupOfTest(test)); err != nil {
			return err
		}
	}
	return nil
}

// groupOfTest is that of the model that a generic test is declared at.
func (l *loader) groupOfTest(test *Test) string {
	if test.attached != nil {
		return groupOf(test.attached.Config.All)
	}
	return groupOf(test.Config)
}
