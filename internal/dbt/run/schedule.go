package run

import (
	"cmp"
	"slices"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

// A task is a model to build or a group of tests to run.
type task struct {
	model *project.Model
	tests *group

	place int     // of tasks that could start at once, the lower starts first
	waits int     // tasks that must end before
	next  []*task // those that wait for this one
}

// schedule makes a graph of the tasks: a model comes after those it reads and
// after the tests that read nothing else than what it builds on; a test comes
// after the models it reads, as soon as it can. What reads a model that may
// have to be built again comes after the question that tells; only views and
// tests do.
func schedule(p *project.Project, models []*project.Model, tests []*group) []*task {
	var tasks []*task
	byID := map[string]*task{}
	byTests := map[*group]*task{}
	add := func(t *task, reads []string) {
		t.place = len(tasks)
		if tasks = append(tasks, t); t.model != nil {
			byID[t.model.ID] = t
		} else {
			byTests[t.tests] = t
		}
		for _, read := range p.Through(reads) {
			t.after(byID[read])
		}
	}
	addTests := func(ready func(*group) bool) {
		for _, test := range tests {
			if byTests[test] == nil && ready(test) {
				add(&task{tests: test}, test.reads)
			}
		}
	}
	waiting := map[string]bool{}
	for _, model := range models {
		waiting[model.ID] = true
	}
	above := map[string]map[string]bool{} // what a model builds on, and itself
	for _, model := range models {
		on := map[string]bool{model.ID: true}
		for _, read := range p.Through(model.Reads) {
			for id := range above[read] {
				on[id] = true
			}
		}
		above[model.ID] = on
		add(&task{model: model}, model.Reads)
		for test, ran := range byTests {
			isBelow := func(id string) bool { return byID[id] == nil || on[id] && id != model.ID }
			if asker(tests, test) == nil && all(p.Through(test.reads), isBelow) {
				byID[model.ID].after(ran)
			}
		}
		delete(waiting, model.ID)
		addTests(func(test *group) bool {
			return !slices.ContainsFunc(p.Through(test.reads), func(id string) bool { return waiting[id] })
		})
	}
	addTests(func(*group) bool { return true })
	for test, t := range byTests {
		if first := asker(tests, test); first != nil && first != test {
			t.after(byTests[first])
		}
	}
	return tasks
}

// asker is the group that asks of a model what the tests of a group read, or
// nil.
func asker(groups []*group, tests *group) *group {
	at := slices.IndexFunc(groups, func(g *group) bool {
		return g.asks != nil && slices.Contains(tests.bases, g.asks.ID)
	})
	if at < 0 {
		return nil
	}
	return groups[at]
}

func all(ids []string, condition func(string) bool) bool {
	return !slices.ContainsFunc(ids, func(id string) bool { return !condition(id) })
}

// after has a task wait for another one, which may be nil.
func (t *task) after(other *task) {
	if other != nil && !slices.Contains(other.next, t) {
		other.next = append(other.next, t)
		t.waits++
	}
}

// runTasks does all tasks, at most threads of them at once, each after those
// it waits for.
func runTasks(tasks []*task, threads int, do func(*task)) {
	var ready []*task
	for _, t := range tasks {
		if t.waits == 0 {
			ready = append(ready, t)
		}
	}
	ended := make(chan *task)
	for left, running := len(tasks), 0; left > 0; left-- {
		slices.SortFunc(ready, func(a, b *task) int { return cmp.Compare(a.place, b.place) })
		for len(ready) > 0 && running < threads {
			first := ready[0]
			ready = ready[1:]
			running++
			go func() {
				do(first)
				ended <- first
			}()
		}
		t := <-ended
		running--
		for _, next := range t.next {
			if next.waits--; next.waits == 0 {
				ready = append(ready, next)
			}
		}
	}
}
