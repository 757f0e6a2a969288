package project

import "github.com/stationflow/stationflow/internal/dbt/jinja"

// A RunResult is what became of a model or test, as on-run-end is told.
type RunResult struct {
	ID, Status, Message string  // the status in dbt's words
	Seconds             float64 // that it took
	Failures            *int64  // of a test
}

// resultList is dbt's variable results.
func (p *Project) resultList(results []RunResult) jinja.Value {
	list := jinja.NewList()
	for _, one := range results {
		node := p.nodeOf(one.ID)
		if node == nil {
			continue
		}
		entries := map[string]jinja.Value{
			"node": node, "unique_id": one.ID, "status": one.Status, "execution_time": one.Seconds, "message": nil, "failures": nil,
		}
		if one.Message != "" {
			entries["message"] = one.Message
		}
		if one.Failures != nil {
			entries["failures"] = *one.Failures
		}
		list.Items = append(list.Items, &refuser{"results", entries})
	}
	return list
}

// nodeOf is what a result says of its model or test; nil for another id.
func (p *Project) nodeOf(id string) jinja.Value {
	if model := p.ByID(id); model != nil {
		node := (&rendering{project: p, in: model.in, model: model}).modelObject().(*refuser)
		node.entries["relation_name"] = p.Relation(model)
		return node
	}
	for _, r := range p.Resources() {
		if r.ID == id {
			return &refuser{"model", map[string]jinja.Value{
				"name": r.Name, "unique_id": r.ID, "resource_type": r.Type, "package_name": r.Package, "original_file_path": r.Within(),
				"fqn": jinja.ValueOf(r.FQN), "tags": jinja.ValueOf(r.Tags),
			}}
		}
	}
	return nil
}
