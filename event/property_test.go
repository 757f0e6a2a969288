package event

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// An event that encoding/json writes from its struct decodes to the struct's
// values: every topic, optional fields there, null and absent, members in any
// order and with any white space.
func TestDecode_ReadsWhatEncodingJSONWrites(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	for _, topic := range Topics() {
		schema, _ := SchemaOf(topic)
		decoder, row := newDecoder(t, topic, time.UTC)
		for range 3000 {
			of := reflect.New(reflect.TypeOf(schema.Event)).Elem()
			for i := range of.NumField() {
				fill(random, of.Field(i), &decoder.judge.fields[i])
			}
			value, err := json.Marshal(of.Interface())
			if err != nil {
				t.Fatal(err)
			}
			value = rewrite(t, random, value, of)
			if rejection := decoder.Decode(row, value, reference); rejection != nil {
				t.Fatalf("%s\nrefused: %v", value, *rejection)
			}
			for i := range of.NumField() {
				if got, want := goValue(&row[i]), indirect(of.Field(i)); got != want {
					t.Fatalf("%s\n%s is %v, want %v", value, decoder.judge.fields[i].Name, got, want)
				}
			}
			if extra := row[of.NumField()]; !extra.Null() {
				t.Fatalf("%s\nextra is %s", value, extra.Text())
			}
			decoder.Reset()
		}
	}
}

// fill puts a random value that the field's rules allow into v; an optional
// one stays nil at times.
func fill(random *rand.Rand, v reflect.Value, f *field) {
	if v.Kind() == reflect.Pointer {
		if random.IntN(3) == 0 {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch f.Type {
	case Timestamp:
		zone := time.FixedZone("", (random.IntN(24*4)-12*4)*15*60)
		span := reference.UnixMicro() - earliest
		v.Set(reflect.ValueOf(time.UnixMicro(earliest + random.Int64N(span)).In(zone)))
	case Int64:
		v.SetInt(random.Int64() >> random.IntN(63))
		if least := math.Max(f.min, f.over+1); !math.IsInf(f.max, 1) && !math.IsInf(least, -1) {
			v.SetInt(int64(least) + random.Int64N(int64(f.max-least)+1))
		} else if float64(v.Int()) < least {
			v.SetInt(int64(least))
		}
	case Float64:
		least := math.Max(f.min, f.over)
		if math.IsInf(least, -1) {
			least = math.Min(0, f.max)
		}
		v.SetFloat(least + math.Abs(math.Ldexp(1-random.Float64(), random.IntN(2000)-1000)))
		if !math.IsInf(f.max, 1) {
			v.SetFloat(least + (f.max-least)*(1-random.Float64()))
		}
	case String:
		v.SetString(randomText(random))
		if f.OneOf != nil {
			v.SetString(f.OneOf[random.IntN(len(f.OneOf))])
		}
	}
}

// randomText returns up to 40 characters of all kinds, at least one.
func randomText(random *rand.Rand) string {
	var b strings.Builder
	for range 1 + random.IntN(40) {
		switch random.IntN(6) {
		case 0:
			b.WriteRune(rune(random.IntN(0x80)))
		case 1:
			b.WriteString([]string{`"`, `\`, "<", "&", "\u2028", "😀", "\x00"}[random.IntN(7)])
		case 2:
			b.WriteRune(rune(0x10000 + random.IntN(0x100000)))
		default:
			b.WriteRune('a' + rune(random.IntN(26)))
		}
	}
	return b.String()
}

// rewrite puts the members of an event in another order, at times, and drops
// some that are null.
func rewrite(t *testing.T, random *rand.Rand, value []byte, of reflect.Value) []byte {
	t.Helper()
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(value, &raw); err != nil {
		t.Fatal(err)
	}
	space := func() string { return []string{"", "", " ", "\r\n\t "}[random.IntN(4)] }
	order := make([]int, of.NumField())
	for i := range order {
		order[i] = i
	}
	if random.IntN(2) == 0 {
		random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	var members []string
	for _, i := range order {
		name := of.Type().Field(i).Tag.Get("json")
		if string(raw[name]) == "null" && random.IntN(2) == 0 {
			continue
		}
		members = append(members, fmt.Sprintf(`%s"%s"%s:%s%s%s`, space(), name, space(), space(), raw[name], space()))
	}
	return []byte(space() + "{" + strings.Join(members, ",") + "}" + space())
}

func goValue(v *Value) any {
	switch v.Type {
	case String:
		return string(v.Text())
	case Int64:
		return v.Int()
	case Float64:
		return v.Float()
	case Timestamp:
		return v.Int()
	}
	return nil
}

func indirect(v reflect.Value) any {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	if at, ok := v.Interface().(time.Time); ok {
		return at.UnixMicro()
	}
	return v.Interface()
}
