package warehouse

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// script runs the statements of a query one after the other, as BigQuery does: each for itself, the ones of a
// transaction together. Nothing of it but what it has written is left at its end: the variables are the gateway's, and a
// transaction that was not committed is rolled back. Its result is the last one that has columns.
type script struct {
	runner    *runner
	project   string
	query     query
	variables variables
	last      *outcome
}

// script runs a query of several statements, or of one that is only meant for scripts.
func (r *runner) script(ctx context.Context, project string, q query, statements []statement) (*outcome, *apiError) {
	s := &script{runner: r, project: project, query: q, variables: variables{}, last: &outcome{}}
	if slices.ContainsFunc(statements, func(one statement) bool { return one.temp }) {
		return s.withTemporary(ctx, statements)
	}
	for i := 0; i < len(statements); i++ {
		if statements[i].kind == "BEGIN_TRANSACTION" {
			length, fault := s.transaction(ctx, statements[i:])
			if fault != nil {
				return nil, fault
			}
			i += length - 1
			continue
		}
		if fault := s.statement(ctx, statements[i]); fault != nil {
			return nil, fault
		}
	}
	return s.last, nil
}

// statement runs one statement outside of a transaction.
func (s *script) statement(ctx context.Context, one statement) *apiError {
	tokens := lex(one.text)
	switch one.kind {
	case "DECLARE":
		return s.declare(ctx, one.text, tokens[1:])
	case "SET":
		return s.assign(ctx, one.text, tokens[1:])
	case "ASSERT":
		return s.assert(ctx, one.text, tokens[1:])
	case "COMMIT_TRANSACTION", "ROLLBACK_TRANSACTION":
		return &apiError{http.StatusBadRequest, "invalidQuery", "Cannot commit or roll back: there is no transaction in progress"}
	}
	result, fault := s.send(one.text, func(q query) (*outcome, *apiError) {
		return s.runner.run(ctx, s.project, q, parseStatement(q.SQL))
	})
	return s.keep(result, fault)
}

// keep remembers a result that has columns.
func (s *script) keep(result *outcome, fault *apiError) *apiError {
	if fault == nil && result.Schema != nil && len(result.Schema.Fields) > 0 {
		s.last = result
	}
	return fault
}

// transaction runs the statements up to COMMIT as one request, which the emulator commits as a whole. Up to ROLLBACK, or
// to the end, it runs them too, for their result and their faults, and has them rolled back.
func (s *script) transaction(ctx context.Context, statements []statement) (length int, fault *apiError) {
	end := slices.IndexFunc(statements, func(one statement) bool {
		return one.kind == "COMMIT_TRANSACTION" || one.kind == "ROLLBACK_TRANSACTION"
	})
	commit := end >= 0 && statements[end].kind == "COMMIT_TRANSACTION"
	inside := statements[1:]
	if length = len(statements); end >= 0 {
		inside, length = statements[1:end], end+1
	}
	var texts []string
	for _, one := range inside {
		switch {
		case one.ddl() || one.kind == "DECLARE" || one.kind == "SET" || one.kind == "ASSERT":
			return 0, refused(strings.ReplaceAll(one.kind, "_", " ") + " inside of a transaction")
		case one.kind == "BEGIN_TRANSACTION":
			return 0, &apiError{http.StatusBadRequest, "invalidQuery", "Transaction is already in progress"}
		}
		texts = append(texts, one.text)
	}
	if len(texts) == 0 {
		return length, nil
	}
	result, fault := s.send(strings.Join(texts, ";\n"), func(q query) (*outcome, *apiError) {
		return s.runner.send(ctx, s.project, q, !commit)
	})
	return length, s.keep(result, fault)
}

// withTemporary runs a script with temporary objects as one request: the emulator removes them at its end, and where it
// fails, the gateway.
func (s *script) withTemporary(ctx context.Context, statements []statement) (*outcome, *apiError) {
	var made, texts []string
	for _, one := range statements {
		switch {
		case one.temp:
			object := "TABLE"
			if strings.HasSuffix(one.kind, "FUNCTION") {
				object = "FUNCTION"
			}
			made = append(made, "DROP "+object+" IF EXISTS `"+strings.Join(one.path, ".")+"`")
		case one.kind == "ROLLBACK_TRANSACTION" || one.kind == "DECLARE" || one.kind == "SET" || one.kind == "ASSERT":
			return nil, refused(strings.ReplaceAll(one.kind, "_", " ") + " in a script with temporary tables or functions")
		}
		texts = append(texts, one.text)
	}
	if howMany(statements, "BEGIN_TRANSACTION") != howMany(statements, "COMMIT_TRANSACTION") {
		return nil, refused("a transaction without COMMIT in a script with temporary tables or functions")
	}
	q := s.query
	q.SQL = strings.Join(texts, ";\n")
	result, fault := s.runner.send(ctx, s.project, q, false)
	if fault != nil {
		for _, drop := range made {
			_, _ = s.runner.sql(context.WithoutCancel(ctx), s.project, s.query, drop) // what was not made cannot be dropped
		}
	}
	return result, fault
}

func howMany(statements []statement, kind string) (n int) {
	for _, one := range statements {
		if one.kind == kind {
			n++
		}
	}
	return n
}

// assert fails unless an expression is true.
func (s *script) assert(ctx context.Context, text string, tokens []token) *apiError {
	if len(tokens) == 0 {
		return &apiError{http.StatusBadRequest, "invalidQuery", "Syntax error: ASSERT without an expression"}
	}
	expression, description := text[tokens[0].start:], ""
	if n := len(tokens); n > 2 && tokens[n-2].keyword() == "AS" && tokens[n-1].kind == literal {
		expression, description = text[tokens[0].start:tokens[n-2].start], strings.Trim(tokens[n-1].text, `'"`)
	}
	value, fault := s.evaluate(ctx, "IFNULL(("+expression+"), FALSE)")
	if fault != nil {
		return fault
	}
	if value != "TRUE" {
		return &apiError{http.StatusBadRequest, "invalidQuery", fmt.Sprintf("Assertion failed: %s", description)}
	}
	return nil
}
