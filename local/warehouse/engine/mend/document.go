package mend

import (
	stdjson "encoding/json"
	"errors"
	"math/big"
	"strings"
)

// parseJSON is PARSE_JSON: of fields with one name it keeps the first.
func parseJSON(args []any) (any, bool, error) {
	text, ok := args[0].(string)
	if !ok {
		return nil, false, nil
	}
	if mode, _ := last(args).(string); len(args) > 1 && mode == "round" {
		return nil, true, refuse("PARSE_JSON with wide_number_mode => 'round'")
	}
	if !stdjson.Valid([]byte(text)) {
		return nil, true, errors.New("Invalid input to PARSE_JSON: syntax error while parsing value")
	}
	decoder := stdjson.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	value, err := firstFields(decoder)
	return document(value), true, err
}

func last(args []any) any { return args[len(args)-1] }

// firstFields writes the next value again, without the fields whose names came before.
func firstFields(decoder *stdjson.Decoder) (string, error) {
	token, err := decoder.Token()
	if err != nil {
		return "", err
	}
	open, ok := token.(stdjson.Delim)
	if !ok {
		if text, isText := token.(string); isText {
			return quoted(text), nil
		}
		raw, err := stdjson.Marshal(token)
		return string(raw), err
	}
	var parts []string
	seen := map[string]bool{}
	for decoder.More() {
		prefix, again := "", false
		if open == '{' {
			name, err := decoder.Token()
			if err != nil {
				return "", err
			}
			text, _ := name.(string)
			prefix, again = quoted(text)+":", seen[text]
			seen[text] = true
		}
		value, err := firstFields(decoder)
		if err != nil {
			return "", err
		}
		if !again {
			parts = append(parts, prefix+value)
		}
	}
	end, err := decoder.Token()
	if err != nil {
		return "", err
	}
	return open.String() + strings.Join(parts, ",") + end.(stdjson.Delim).String(), nil
}

// textOfJSON is STRING of a JSON string; others are no strings.
func textOfJSON(v document) (any, bool, error) {
	var text string
	if strings.TrimSpace(string(v)) == "null" {
		return nil, true, nil
	}
	if stdjson.Unmarshal([]byte(v), &text) != nil {
		return nil, true, errors.New("The provided JSON input is not a string")
	}
	return text, true, nil
}

// wholeOfJSON is INT64 of a JSON number that is whole, however it is written.
func wholeOfJSON(args []any) (any, bool, error) {
	v, ok := args[0].(document)
	text := strings.TrimSpace(string(v))
	if !ok || text == "null" {
		return nil, ok, nil
	}
	number, valid := new(big.Rat).SetString(text)
	if !valid || strings.Contains(text, "/") || !number.IsInt() || !number.Num().IsInt64() {
		return nil, true, errors.New("The provided JSON number cannot be converted to an INT64")
	}
	return number.Num().Int64(), true, nil
}

// queryable gives functions over JSON as a text NULL where the text is no JSON.
func queryable(original scalar) scalar {
	return func(args ...any) (any, error) {
		if text, ok := decode(args[0]).(string); ok && !stdjson.Valid([]byte(text)) {
			return nil, nil
		}
		return original(args...)
	}
}
