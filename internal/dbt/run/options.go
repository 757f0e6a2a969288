package run

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

// What dbt gives to a relation when it makes it: labels, an end, descriptions and
// grants. The runner makes a published relation seldom, so it gives them when it
// publishes.

// optionsDigest tells a model's options from others; "" for none.
func optionsDigest(model *project.Model) string {
	o := model.Config.Options
	parts := []any{o}
	if o.DescribesRelation {
		parts = append(parts, model.Description)
	}
	if o.DescribesColumns {
		parts = append(parts, model.Columns)
	}
	if project.Digest(parts...) == project.Digest(project.Options{}) {
		return ""
	}
	return project.Digest(parts...)
}

// endOf is when a relation that is made now expires; zero for never.
func (r *run) endOf(model *project.Model) time.Time {
	if model.Config.Options.Hours == 0 {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(model.Config.Options.Hours) * time.Hour)
}

// basics are the options that both a published relation and the next contents
// have: those that decide what a statement may do, and how long rows stay.
func basics(model *project.Model, ends time.Time) (update bigquery.TableMetadataToUpdate) {
	o := model.Config.Options
	if !ends.IsZero() {
		update.ExpirationTime = ends
	}
	if !model.Stored() {
		return update
	}
	if o.RequireFilter {
		update.RequirePartitionFilter = true
	}
	if by := model.Config.PartitionBy; o.PartitionDays > 0 && by != nil && by.DataType != "int64" {
		update.TimePartitioning = &bigquery.TimePartitioning{
			Type: bigquery.TimePartitioningType(strings.ToUpper(by.Granularity)), Field: by.Field,
			Expiration: time.Duration(o.PartitionDays * 24 * float64(time.Hour)),
		}
	}
	return update
}

// dress gives a published relation its options, where dbt would have: to what it
// makes again all of them, to an incremental model's table its descriptions. One
// that was only made in another form keeps those that it had.
func (r *run) dress(ctx context.Context, model *project.Model, done building, isRemade bool, before stored) error {
	o, digest := model.Config.Options, optionsDigest(model)
	isMade := !model.KeepsRows() || done.status == created
	isOther := digest != r.known.Models[model.Name].Options
	if !isMade && !isRemade && !o.DescribesRelation && !o.DescribesColumns {
		return nil
	}
	if !isOther && !(isRemade && (digest != "" || !isMade && before.isDressed())) && !(isMade && done.changed() && o.Hours > 0) {
		return nil
	}
	metadata, err := r.warehouse.metadata(ctx, model.Table())
	if err != nil {
		return fmt.Errorf("reading the options of %s: %w", model.Table(), err)
	}
	var update bigquery.TableMetadataToUpdate
	labels := o.Labels
	switch {
	case isMade:
		update = basics(model, r.endOf(model))
		if update.ExpirationTime.IsZero() && !metadata.ExpirationTime.IsZero() {
			update.ExpirationTime = bigquery.NeverExpire
		}
		if !o.RequireFilter && metadata.RequirePartitionFilter {
			update.RequirePartitionFilter = false
		}
		update.Description = ""
	case isRemade:
		update, labels = basics(model, before.ends), before.labels
		update.Description = before.description
	default:
		labels = metadata.Labels
	}
	for name := range metadata.Labels {
		if _, stays := labels[name]; !stays && name != definitionLabel {
			update.DeleteLabel(name)
		}
	}
	for name, value := range labels {
		if name != definitionLabel {
			update.SetLabel(name, value)
		}
	}
	if o.DescribesRelation {
		update.Description = model.Description
	}
	if o.DescribesColumns {
		update.Schema = described(metadata.Schema, "", model.Columns)
	}
	return r.warehouse.update(ctx, model.Table(), update)
}

// described is a schema with the descriptions that a model's yml entry gives,
// also to fields, as record.field.
func described(schema bigquery.Schema, within string, columns []project.Column) bigquery.Schema {
	out := make(bigquery.Schema, len(schema))
	for i, field := range schema {
		other := *field
		for _, column := range columns {
			if column.Name == within+field.Name { // dbt minds the case here
				other.Description = column.Description
			}
		}
		other.Schema = described(field.Schema, within+field.Name+".", columns)
		out[i] = &other
	}
	return out
}

// grant makes the grants of a published relation those of the model's config, as
// dbt does: where it was there before, others' are revoked, but not those of the
// one who runs this.
func (r *run) grant(ctx context.Context, model *project.Model, wasThere bool) error {
	wanted, current := model.Config.Options.Grants, map[string][]string{}
	if len(wanted) == 0 {
		return nil
	}
	if wasThere {
		statement, err := r.warehouse.privileges(ctx, r.project.Target(), model.Table())
		if err != nil {
			return err
		}
		rows, err := r.warehouse.query(ctx, statement)
		if err != nil {
			return fmt.Errorf("reading who may use %s: %w", model.Table(), err)
		}
		for _, row := range rows {
			role, _ := row["privilege_type"].(string)
			grantee, _ := row["grantee"].(string)
			current[role] = append(current[role], grantee)
		}
	}
	kind := "table"
	if !model.Stored() {
		kind = "view"
	}
	relation := r.project.Relation(model)
	statements := slices.Concat(dcl("revoke", "from", kind, relation, excess(current, wanted)), dcl("grant", "to", kind, relation, excess(wanted, current)))
	if len(statements) == 0 {
		return nil
	}
	if err := r.send(ctx, strings.Join(statements, ";\n")); err != nil {
		return fmt.Errorf("granting the use of %s: %w", model.Table(), err)
	}
	return nil
}

// privileges asks who may use a table, besides the one who asks.
func (w *warehouse) privileges(ctx context.Context, target project.Target, table string) (string, error) {
	location, err := w.where(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("select privilege_type, grantee\nfrom `%s`.`region-%s`.INFORMATION_SCHEMA.OBJECT_PRIVILEGES\n"+
		"where object_schema = '%s' and object_name = '%s' and split(grantee, ':')[offset(1)] != session_user()",
		target.Project, strings.ToLower(location), target.Dataset, table), nil
}

// excess are the grantees of each role that others do not have.
func excess(of, others map[string][]string) map[string][]string {
	out := map[string][]string{}
	for role, grantees := range of {
		for _, grantee := range grantees {
			isThere := false
			for other, list := range others {
				isThere = isThere || strings.EqualFold(other, role) && slices.ContainsFunc(list, func(g string) bool { return strings.EqualFold(g, grantee) })
			}
			if !isThere {
				out[role] = append(out[role], grantee)
			}
		}
	}
	return out
}

func dcl(verb, preposition, kind, relation string, of map[string][]string) (statements []string) {
	for _, role := range slices.Sorted(maps.Keys(of)) {
		statements = append(statements, fmt.Sprintf("%s `%s` on %s %s %s \"%s\"", verb, role, kind, relation, preposition, strings.Join(of[role], `", "`)))
	}
	return statements
}
