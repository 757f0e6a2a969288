package warehouse

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// typeNames are BigQuery's, by what clients call them.
var typeNames = map[string]string{
	"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "DECIMAL": "NUMERIC", "BIGDECIMAL": "BIGNUMERIC", "RECORD": "STRUCT",
}

func (t parameterType) kind() string {
	kind := strings.ToUpper(t.Type)
	if name := typeNames[kind]; name != "" {
		return name
	}
	return kind
}

// sql writes the type in GoogleSQL, or fails when BigQuery has none such.
func (t parameterType) sql() (string, error) {
	switch kind := t.kind(); kind {
	case "INT64", "FLOAT64", "BOOL", "STRING", "BYTES", "NUMERIC", "BIGNUMERIC", "DATE", "TIME", "DATETIME", "TIMESTAMP", "JSON", "INTERVAL":
		return kind, nil
	case "GEOGRAPHY", "RANGE":
		return "", fmt.Errorf("the local warehouse takes no parameters of type %s: write the value into the query", kind)
	case "ARRAY":
		if t.Array == nil || t.Array.kind() == "ARRAY" {
			return "", errors.New("invalid type: an ARRAY needs an arrayType that is no ARRAY")
		}
		element, err := t.Array.sql()
		return "ARRAY<" + element + ">", err
	case "STRUCT":
		fields := make([]string, len(t.Struct))
		for i, f := range t.Struct {
			of, err := f.Type.sql()
			if err != nil {
				return "", err
			}
			if f.Name != "" {
				of = "`" + strings.ReplaceAll(f.Name, "`", "\\`") + "` " + of
			}
			fields[i] = of
		}
		return "STRUCT<" + strings.Join(fields, ", ") + ">", nil
	default:
		return "", fmt.Errorf("invalid type: %s", t.Type)
	}
}

// literal writes the value as an expression of the type.
func (v parameterValue) literal(t parameterType) (string, error) {
	of, err := t.sql()
	if err != nil {
		return "", err
	}
	null := "CAST(NULL AS " + of + ")"
	switch t.kind() {
	case "ARRAY":
		if isNull(v.Value) || isNull(v.Array) {
			return null, nil
		}
		var items []parameterValue
		if v.Array != nil {
			if err := json.Unmarshal(v.Array, &items); err != nil {
				return "", fmt.Errorf("reading arrayValues: %w", err)
			}
		}
		literals := make([]string, len(items))
		for i, item := range items {
			if literals[i], err = item.literal(*t.Array); err != nil {
				return "", fmt.Errorf("element %d: %w", i+1, err)
			}
		}
		return "(" + of + "[" + strings.Join(literals, ", ") + "])", nil
	case "STRUCT":
		if v.Struct == nil {
			return null, nil
		}
		literals := make([]string, len(t.Struct))
		for i, f := range t.Struct {
			if literals[i], err = v.Struct[f.Name].literal(f.Type); err != nil {
				return "", fmt.Errorf("field %s: %w", f.Name, err)
			}
		}
		return "(" + of + "(" + strings.Join(literals, ", ") + "))", nil
	}
	if v.Value == nil || isNull(v.Value) {
		return null, nil
	}
	text := string(v.Value)
	if text[0] == '"' {
		if err := json.Unmarshal(v.Value, &text); err != nil {
			return "", err
		}
	}
	literal, err := exactLiteral(of, text)
	if err != nil {
		return "", fmt.Errorf("invalid value for type %s: %s: %w", of, text, err)
	}
	return literal, nil
}

func isNull(raw json.RawMessage) bool { return string(bytes.TrimSpace(raw)) == "null" }

var errInvalid = errors.New("not in the canonical format, or out of range")

// exactLiteral writes a scalar's text in GoogleSQL.
func exactLiteral(kind, text string) (string, error) {
	switch kind {
	case "STRING":
		return quote(text), nil
	case "INT64":
		n, ok := new(big.Rat).SetString(text)
		if !ok || !n.IsInt() || !n.Num().IsInt64() {
			return "", errInvalid
		}
		return "(" + n.Num().String() + ")", nil
	case "FLOAT64":
		return floatLiteral(text)
	case "BOOL":
		switch strings.ToLower(text) {
		case "true", "false":
			return strings.ToUpper(text), nil
		}
		return "", errInvalid
	case "BYTES":
		content, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			content, err = base64.URLEncoding.DecodeString(text)
		}
		var out strings.Builder
		for _, b := range content {
			fmt.Fprintf(&out, `\x%02x`, b)
		}
		return `b"` + out.String() + `"`, err
	case "NUMERIC", "BIGNUMERIC":
		if _, ok := new(big.Rat).SetString(text); !ok || strings.Contains(text, "/") {
			return "", errInvalid
		}
		return kind + " " + quote(text), nil
	case "JSON":
		if !json.Valid([]byte(text)) {
			return "", errInvalid
		}
		return "JSON " + quote(text), nil
	case "INTERVAL":
		return "CAST(" + quote(text) + " AS INTERVAL)", nil
	}
	return momentLiteral(kind, text)
}

func floatLiteral(text string) (string, error) {
	switch strings.ToLower(strings.TrimPrefix(text, "+")) {
	case "nan":
		return "", errors.New("the local warehouse has no NaN") // the emulator takes it for NULL
	case "inf", "infinity":
		return "IEEE_DIVIDE(1, 0)", nil
	case "-inf", "-infinity":
		return "IEEE_DIVIDE(-1, 0)", nil
	}
	x, err := strconv.ParseFloat(text, 64)
	return "(" + strconv.FormatFloat(x, 'e', -1, 64) + ")", err
}

// moment is the text of a DATE, TIME, DATETIME or TIMESTAMP, as BigQuery's canonical formats allow.
var moment = regexp.MustCompile(`^(?:(\d{4})-(\d{1,2})-(\d{1,2}))?[ Tt]?(?:(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{0,6})0*)?)?(.*)$`)

func momentLiteral(kind, text string) (string, error) {
	m := moment.FindStringSubmatch(text)
	if m == nil {
		return "", errInvalid
	}
	hasDate, hasTime, zone := m[1] != "", m[4] != "", strings.TrimSpace(m[8])
	if hasDate != (kind != "TIME") || kind == "DATE" && hasTime || kind == "TIME" && !hasTime || kind != "TIMESTAMP" && zone != "" {
		return "", errInvalid
	}
	number := func(digits string) int { n, _ := strconv.Atoi(digits); return n }
	fraction := (m[7] + "000000")[:6]
	clock := fmt.Sprintf("%02d:%02d:%02d.%s", number(m[4]), number(m[5]), number(m[6]), fraction)
	day := fmt.Sprintf("%04d-%02d-%02d", number(m[1]), number(m[2]), number(m[3]))
	if !hasDate {
		day = "2000-01-01"
	}
	in, err := zoneOf(zone)
	if err != nil {
		return "", err
	}
	at, err := time.ParseInLocation("2006-01-02 15:04:05.000000", day+" "+clock, in)
	if err != nil || number(m[1]) == 0 && hasDate {
		return "", errInvalid
	}
	switch kind {
	case "DATE":
		return "DATE '" + day + "'", nil
	case "TIME":
		return "TIME '" + clock + "'", nil
	case "DATETIME":
		return "DATETIME '" + day + " " + clock + "'", nil
	}
	if micros := at.UnixMicro(); micros < minInstant || micros > maxInstant {
		return "", errInvalid
	}
	return "TIMESTAMP '" + at.UTC().Format("2006-01-02 15:04:05.000000") + "+00'", nil
}

var offset = regexp.MustCompile(`^(?:UTC)?([+-])(\d{1,2})(?::?(\d{2}))?$`)

// zoneOf reads a time zone as BigQuery writes it: nothing and Z are UTC, else an offset or a name.
func zoneOf(text string) (*time.Location, error) {
	if text == "" || text == "Z" || text == "z" {
		return time.UTC, nil
	}
	if m := offset.FindStringSubmatch(text); m != nil {
		hours, _ := strconv.Atoi(m[2])
		minutes, _ := strconv.Atoi(m[3])
		seconds := (hours*60 + minutes) * 60
		if hours > 14 || minutes > 59 {
			return nil, errInvalid
		}
		if m[1] == "-" {
			seconds = -seconds
		}
		return time.FixedZone(text, seconds), nil
	}
	return time.LoadLocation(text)
}

// quote writes text as a string of GoogleSQL.
func quote(text string) string {
	var out strings.Builder
	out.WriteByte('"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			out.WriteByte('\\')
			out.WriteRune(c)
		case c < 0x20 || c == 0x7f:
			fmt.Fprintf(&out, `\u%04x`, c)
		default:
			out.WriteRune(c)
		}
	}
	out.WriteByte('"')
	return out.String()
}
