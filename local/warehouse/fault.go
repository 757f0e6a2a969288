package warehouse

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	bigquery "google.golang.org/api/bigquery/v2"
)

// apiError is an error as BigQuery's REST API answers it.
type apiError struct {
	code    int
	reason  string
	message string
}

func (e *apiError) Error() string { return e.message }

// proto is the error as a job reports it.
func (e *apiError) proto() *bigquery.ErrorProto {
	return &bigquery.ErrorProto{Reason: e.reason, Location: "query", Message: e.message}
}

// write answers a request with the error.
func (e *apiError) write(w http.ResponseWriter) {
	type item struct {
		Domain  string `json:"domain"`
		Reason  string `json:"reason"`
		Message string `json:"message"`
	}
	var body struct {
		Error struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
			Errors  []item `json:"errors"`
		} `json:"error"`
	}
	body.Error.Code, body.Error.Message = e.code, e.message
	body.Error.Errors = []item{{Domain: "global", Reason: e.reason, Message: e.message}}
	writeJSON(w, e.code, body)
}

// Refusal begins the message of what BigQuery does and the local one cannot. It never answers something else instead.
const Refusal = "The local BigQuery does not have "

// refused is the error for what the local BigQuery does not have.
func refused(what string) *apiError {
	return &apiError{http.StatusBadRequest, "notImplemented", Refusal + what}
}

// limits are what the emulator's messages say of what it does not have and BigQuery does, with the sentence for it.
var limits = []struct{ text, what string }{
	{"unsupported value: +Inf", "infinite numbers inside of an ARRAY or STRUCT"},
	{"unsupported value: -Inf", "infinite numbers inside of an ARRAY or STRUCT"},
	{"for function :CONTAINS_SUBSTR", "CONTAINS_SUBSTR of anything but a STRING"},
	{"unimplemented", "this element of a time's format"},
	{"no formatter registered", "a part of this statement"},
	{"operator for interval value", "this operator of an INTERVAL"},
	{"nil pointer dereference", "this function of these values"},
	{"reflect: call of", "this function of these values"},
	{"unsupported mul operator", "multiplication of an INTERVAL"},
	{"unsupported div operator", "division of an INTERVAL"},
	{"no such function: googlesqlite_", "this function"},
	{"SAFE is not supported for function", "SAFE with this function"},
	{"unsupported stmt", "this statement"},
	{"unsupported cast", "this cast"},
	{"invalid number of arguments: got", "this function with so many arguments"},
	{"Cannot use array subquery with column of type ARRAY", "a subquery of type ARRAY as a value, unless it is LIMIT 1"},
	{"frame starting offset must be", "RANGE with an offset that is NUMERIC, or negative"},
	{"frame ending offset must be", "RANGE with an offset that is NUMERIC, or negative"},
	{"PRECEDING/FOLLOWING requires one ORDER BY", "RANGE with an offset and NULLS FIRST or NULLS LAST"},
	{"ARRAY_AGG: input value must be not null", "ARRAY_AGG of NULL without OVER: say IGNORE NULLS"},
	{"MERGE: source must be", "MERGE from a query: make a table of it first"},
}

// unsupported is what the analyzer says of what is switched off in it.
var unsupported = regexp.MustCompile(`failed to analyze: (.*?) (?:is |are )?not supported \[at`)

// reasons are BigQuery's, by what the emulator's messages contain, most telling first.
var reasons = []struct {
	text, reason string
	code         int
}{
	{"already created", "duplicate", http.StatusConflict},
	{"already exists", "duplicate", http.StatusConflict},
	{"Already Exists: ", "duplicate", http.StatusConflict},
	{"Not found: Table ", "notFound", http.StatusNotFound},
	{"Not found: Dataset ", "notFound", http.StatusNotFound},
	{"Table not found", "notFound", http.StatusNotFound},
	{"is not found", "notFound", http.StatusNotFound},
	{"no such table", "notFound", http.StatusNotFound},
	{"no such view", "notFound", http.StatusNotFound},
	{"unexpected request path", "notFound", http.StatusNotFound},
}

// faultOf turns the emulator's answer into the error that BigQuery would give. The emulator calls most faults of the
// caller an internal error (500), which clients retry for minutes, and has no failures that pass by themselves.
func faultOf(code int, body []byte, reason string) *apiError {
	var answer struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	message := strings.TrimSpace(string(body))
	if err := json.Unmarshal(body, &answer); err == nil && answer.Error.Message != "" {
		message = answer.Error.Message
	}
	if at := strings.Index(message, Refusal); at >= 0 {
		return &apiError{http.StatusBadRequest, "notImplemented", message[at:]}
	}
	for _, limit := range limits {
		if strings.Contains(message, limit.text) {
			return refused(limit.what)
		}
	}
	if m := unsupported.FindStringSubmatch(message); m != nil {
		return refused(m[1])
	}
	if m := nullFailure.FindStringSubmatch(message); m != nil {
		return &apiError{code: http.StatusBadRequest, reason: reason, message: "Required field " + m[1] + " cannot be null"}
	}
	for _, known := range reasons {
		if strings.Contains(message, known.text) {
			return &apiError{code: known.code, reason: known.reason, message: message}
		}
	}
	if code >= http.StatusInternalServerError {
		code = http.StatusBadRequest
	}
	return &apiError{code: code, reason: reason, message: message}
}

func writeJSON(w http.ResponseWriter, code int, body any) {
	encoded, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(code)
	_, _ = w.Write(encoded) // the client is gone
}
