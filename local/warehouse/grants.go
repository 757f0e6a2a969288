package warehouse

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// grants are what GRANT has given, as INFORMATION_SCHEMA.OBJECT_PRIVILEGES shows it: nobody is refused anything here. They are
// forgotten when the warehouse ends. The gate guards them.
type grants []grant

type grant struct{ project, dataset, object, kind, role, grantee string }

// dcl runs GRANT and REVOKE on a table, view or schema. done is false for another statement.
func (r *runner) dcl(ctx context.Context, project string, q query, s statement) (fault *apiError, done bool) {
	tokens := lex(s.text)
	walk := reader{sql: s.text, tokens: tokens}
	verb := walk.next()
	if verb != "GRANT" && verb != "REVOKE" {
		return nil, false
	}
	syntax := &apiError{http.StatusBadRequest, "invalidQuery", "Syntax error: " + verb + " wants roles, ON TABLE, VIEW or SCHEMA and a name, then grantees as strings"}
	roles, rest := cutClause(tokens[1:], "ON")
	walk = reader{sql: s.text, tokens: rest}
	kind := walk.next()
	path := walk.path()
	if !slices.Contains([]string{"TABLE", "VIEW", "SCHEMA"}, kind) || len(roles) == 0 || len(path) == 0 {
		return syntax, true
	}
	if kind == "SCHEMA" {
		path = append(path, "")
	}
	ref, ok := locate(project, q, path)
	preposition := map[string]string{"GRANT": "TO", "REVOKE": "FROM"}[verb]
	if !ok || walk.next() != preposition || walk.at == len(rest) {
		return syntax, true
	}
	if ref.TableId != "" && !r.exists(ctx, project, q, statement{path: path}) {
		return &apiError{http.StatusNotFound, "notFound", fmt.Sprintf("Not found: Table %s:%s.%s", ref.ProjectId, ref.DatasetId, ref.TableId)}, true
	}
	for _, role := range splitAt(roles, ",") {
		for _, grantee := range splitAt(rest[walk.at:], ",") {
			if len(grantee) != 1 || grantee[0].kind != literal {
				return syntax, true
			}
			g := grant{ref.ProjectId, ref.DatasetId, ref.TableId, kind, strings.Trim(textOf(role), "`"), contentOf(grantee[0].text)}
			r.grants = slices.DeleteFunc(r.grants, func(other grant) bool { return other == g })
			if verb == "GRANT" {
				r.grants = append(r.grants, g)
			}
		}
	}
	return nil, true
}

// shown replaces the view OBJECT_PRIVILEGES by its rows.
func (g grants) shown(sql string) string {
	tokens := lex(sql)
	for i := range tokens {
		walk := reader{tokens: tokens, at: i}
		path := walk.path()
		n := len(path)
		if n < 2 || !strings.EqualFold(path[n-2], "INFORMATION_SCHEMA") || !strings.EqualFold(path[n-1], "OBJECT_PRIVILEGES") {
			continue
		}
		rows := make([]string, len(g))
		for j, one := range g {
			rows[j] = "(" + strings.Join([]string{quote(one.project), quote(one.dataset), quote(one.object), quote(one.kind), quote(one.role), quote(one.grantee)}, ", ") + ")"
		}
		return sql[:tokens[i].start] + "(SELECT * FROM UNNEST(ARRAY<STRUCT<object_catalog STRING, object_schema STRING, object_name STRING, " +
			"object_type STRING, privilege_type STRING, grantee STRING>>[" + strings.Join(rows, ", ") + "]))" + g.shown(sql[tokens[walk.at-1].end:])
	}
	return sql
}
