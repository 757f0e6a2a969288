package jinja

// Expressions.
type (
	expression interface{ place() int }

	node struct{ line int }

	constant struct {
		node
		value Value
	}
	name struct {
		node
		name string
	}
	attribute struct {
		node
		of   expression
		name string
	}
	subscript struct {
		node
		of, at expression
	}
	slice struct {
		node
		from, to, step expression // nil where not given
	}
	call struct {
		node
		of        expression
		arguments arguments
	}
	filter struct {
		node
		of        expression // nil in a filter block
		name      string
		arguments arguments
	}
	check struct {
		node
		of        expression
		name      string
		arguments arguments
	}
	operation struct {
		node
		operator string
		a, b     expression
	}
	concatenation struct {
		node
		parts []expression
	}
	sign struct {
		node
		operator string // - + not
		of       expression
	}
	comparison struct {
		node
		first     expression
		operators []string
		others    []expression
	}
	logic struct {
		node
		operator string // and or
		a, b     expression
	}
	choice struct {
		node
		condition, yes, no expression // no may be nil
	}
	tuple struct {
		node
		items []expression
	}
	list struct {
		node
		items []expression
	}
	dict struct {
		node
		keys, values []expression
	}
)

func (n node) place() int { return n.line }

// arguments are those written in a call.
type arguments struct {
	positional []expression
	names      []string
	named      []expression
	star       expression // *args
	stars      expression // **kwargs
}

// Statements.
type (
	statement interface{ place() int }

	text struct {
		node
		text string
	}
	output struct {
		node
		of expression
	}
	loop struct {
		node
		target       expression
		over         expression
		condition    expression // nil for none
		body, orElse []statement
	}
	branch struct {
		node
		conditions []expression
		bodies     [][]statement
		orElse     []statement
	}
	assignment struct {
		node
		target expression
		value  expression
	}
	block struct { // {% set x %}…{% endset %}
		node
		target  expression
		filters *filter
		body    []statement
	}
	filtered struct { // {% filter x %}…{% endfilter %}
		node
		filters *filter
		body    []statement
	}
	with struct {
		node
		targets, values []expression
		body            []statement
	}
	do struct {
		node
		of expression
	}
	callBlock struct {
		node
		call  *call
		macro *definition
	}
	jump struct { // break or continue
		node
		word string
	}
	definition struct {
		node
		kind     string // macro, test, materialization, docs or snapshot
		name     string
		names    []string // of the parameters
		defaults []expression
		uses     map[string]bool // caller, varargs, kwargs
		body     []statement
		source   string // the whole of it, as it is written
	}
)
