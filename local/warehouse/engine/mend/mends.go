package mend

import "strings"

// mends are the functions of the emulator that are not BigQuery's, by name.
func mends() map[string]better {
	return map[string]better{
		"add":                      withInterval(1, checked(add)),
		"subtract":                 withInterval(-1, checked(subtract)),
		"multiply":                 checked(multiply),
		"divide":                   checked(nil),
		"div":                      divide,
		"abs":                      strict(absolute),
		"safe_add":                 safely(add),
		"safe_subtract":            safely(subtract),
		"safe_multiply":            safely(multiply),
		"safe_negate":              strict(safeMinus),
		"mod":                      strict(modulo),
		"strpos":                   strict(position),
		"substr":                   strict(part),
		"instr":                    strict(occurrence),
		"regexp_instr":             strict(regexpPosition),
		"bitwise_right_shift":      shifted(false, shiftRight),
		"bitwise_left_shift":       shifted(true, func([]any) (any, bool, error) { return nil, false, nil }),
		"bitwise_and":              bytewise(func(a, b byte) byte { return a & b }),
		"bitwise_or":               bytewise(func(a, b byte) byte { return a | b }),
		"bitwise_xor":              bytewise(func(a, b byte) byte { return a ^ b }),
		"bitwise_not":              strict(invert),
		"array_concat":             nullIfAny,
		"array_reverse":            nullIfAny,
		"split":                    nullIfAny,
		"array_to_string":          strict(joined),
		"array_at_ordinal":         strict(only),
		"format":                   printf,
		"nullif":                   nullUnlessEqual,
		"range":                    unlessNull(forward),
		"in_array":                 isInArray,
		"between":                  isBetween,
		"is_true":                  isTruth,
		"is_false":                 isTruth,
		"equal":                    structsEqual(true),
		"not_equal":                structsEqual(false),
		"last_day":                 strict(lastDay),
		"generate_date_array":      strict(dateSteps),
		"parse_date":               parseWith(asDate),
		"parse_datetime":           parseWith(asDatetime),
		"parse_time":               parseWith(asClock),
		"parse_timestamp":          parseWith(asTimestamp),
		"trim":                     trimmed(strings.Trim),
		"ltrim":                    trimmed(strings.TrimLeft),
		"rtrim":                    trimmed(strings.TrimRight),
		"chr":                      strict(character),
		"code_points_to_string":    strict(characters),
		"regexp_extract_all":       strict(regexpExtractAll),
		"parse_json":               strict(parseJSON),
		"int64":                    strict(wholeOfJSON),
		"json_query":               queryable,
		"round":                    strict(round),
		"trunc":                    strict(truncate),
		"log":                      strict(logarithm),
		"in":                       isIn,
		"cast":                     cast,
		"make_struct":              fieldsNamed,
		"date":                     strict(newDate),
		"datetime":                 strict(newDatetime),
		"time":                     strict(newTime),
		"timestamp":                strict(newTimestamp),
		"string":                   strict(timestampString),
		"date_diff":                strict(difference),
		"datetime_diff":            strict(difference),
		"time_diff":                strict(difference),
		"timestamp_diff":           strict(elapsed),
		"date_sub":                 quarters,
		"datetime_sub":             quarters,
		"date_trunc":               strict(truncateTime),
		"datetime_trunc":           strict(truncateTime),
		"time_trunc":               strict(truncateTime),
		"extract":                  strict(extract),
		"extract_date":             extractAs("DATE"),
		"format_date":              strict(formatTime),
		"format_datetime":          strict(formatTime),
		"format_time":              strict(formatTime),
		"format_timestamp":         strict(formatTime),
		"generate_timestamp_array": strict(between),
		"like":                     strict(matches),
		"regexp_contains":          strict(regexpContains),
		"regexp_extract":           strict(regexpExtract),
		"regexp_replace":           strict(regexpReplace),
		"replace":                  strict(replaceNothing),
		"contains_substr":          strict(containsText),
		"parse_numeric":            strict(parseNumeric),
		"json_value":               func(f scalar) scalar { return queryable(strict(jsonScalar)(f)) },
		"json_extract_scalar":      func(f scalar) scalar { return queryable(strict(jsonScalar)(f)) },
		"to_json_string":           jsonString,
		"to_json":                  toJSON,
		"json_object":              sortedObject,
		"generate_array":           strict(steps),
	}
}

// added are functions that the emulator translates to and does not have.
func added() map[string]better {
	return map[string]better{
		"unary_minus":      strict(minus),
		"extract_time":     extractAs("TIME"),
		"extract_datetime": extractAs("DATETIME"),
	}
}

// isIn is NULL where nothing is equal and something is NULL.
func isIn(original scalar) scalar {
	return func(args ...any) (any, error) {
		if found, sure := among(args[0], args[1:]); sure {
			return encode(found), nil
		}
		result, err := original(args...)
		if (result == int64(0) || result == false) && err == nil && anyNull(args) {
			return nil, nil
		}
		return result, err
	}
}
