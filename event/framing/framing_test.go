package framing

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
)

func bytesOf(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// headers are written as name=hex, and read as batch.Record reads them.
func headers(t testing.TB, all []string) func(string) []byte {
	return func(name string) []byte {
		for _, h := range all {
			if n, value, _ := strings.Cut(h, "="); n == name {
				return bytesOf(t, value)
			}
		}
		return nil
	}
}

func show(f Framed) string {
	s := fmt.Sprintf("%d %q %x", f.Form, f.SchemaID(), f.Body)
	if f.Fault != "" {
		s += " fault: " + f.Fault
	}
	return s
}

func TestOf(t *testing.T) {
	const guid = "1ed0fc5c2a7b4c3d8e9f001122334455"
	for _, c := range []struct {
		name, data string
		headers    []string
		want       string
	}{
		{"JSON", "7b7d", nil, `0 "" 7b7d`},
		{"nothing", "", nil, `0 "" `},
		{"four zeros", "00000000", nil, `0 "" 00000000`},
		{"an id", "00 00000007 0a", nil, `1 "7" 0a`},
		{"an id that looks like UTF-32", "00 00000100 0a", nil, `1 "256" 0a`},
		{"the largest of these", "00 0000ffff 0a", nil, `1 "65535" 0a`},
		{"an id alone", "00 00000007", nil, `1 "7" `},
		{"an id of eight bytes", "00 0000000000000007 0a", nil, `2 "7" 0a`},
		{"the id 0", "00 00000000 0a", nil, `1 "" 0a fault: the schema's id is 0`},
		{"the id 0 in eight bytes", "00 0000000000000000 0a", nil, `1 "" 000000000a fault: the schema's id is 0`},
		{"a GUID", "0a01", []string{"__value_schema_id=01" + guid}, `3 "1ed0fc5c-2a7b-4c3d-8e9f-001122334455" 0a01`},
		{"a GUID before what looks like an id", "00 00000007 0a", []string{"__value_schema_id=01" + guid}, `3 "1ed0fc5c-2a7b-4c3d-8e9f-001122334455" 00000000070a`},
		{"an id in the header", "0a01", []string{"__value_schema_id=0000000007"}, `3 "7" 0a01`},
		{"the key's headers", "7b7d", []string{"__key_schema_id=01" + guid, "apicurio.key.contentId=0000000000000007"}, `0 "" 7b7d`},
		{"the key's header beside the value's", "7b7d", []string{"__key_schema_id=0000000008", "__value_schema_id=0000000007"}, `3 "7" 7b7d`},
		{"half a GUID", "0a01", []string{"__value_schema_id=011ed0"}, `3 "" 0a01 fault: the header __value_schema_id has no schema's id`},
		{"Apicurio's header", "0a01", []string{"apicurio.value.contentId=0000000000000007", "apicurio.value.encoding=42494e415259"}, `4 "7" 0a01`},
		{"Apicurio's global id", "0a01", []string{"apicurio.value.globalId=0000000000000007"},
			`4 "" 0a01 fault: the header apicurio.value.globalId has an id that only Apicurio's own API knows: have the serializer write contentId`},
		{"Apicurio's header without an id", "0a01", []string{"apicurio.value.contentId="}, `4 "" 0a01 fault: the header apicurio.value.contentId has no schema's id`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := show(Of(bytesOf(t, c.data), headers(t, c.headers))); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// JSON that begins with 00 because of its encoding is not framed.
func TestOf_WideJSON(t *testing.T) {
	for _, text := range []string{`{"id":"x"}`, "{ }", "[1]", "{\n\"é😀\":1}"} {
		var utf16be, utf32be []byte
		for _, unit := range utf16.Encode([]rune(text)) {
			utf16be = append(utf16be, byte(unit>>8), byte(unit))
		}
		for _, r := range text {
			utf32be = append(utf32be, 0, byte(r>>16), byte(r>>8), byte(r))
		}
		for _, data := range [][]byte{utf16be, utf32be} {
			if f := Of(data, headers(t, nil)); f.Form != Plain {
				t.Errorf("%q as %x is framed: %s", text, data, show(f))
			}
		}
	}
}

func TestMessages(t *testing.T) {
	const guid = "1ed0fc5c2a7b4c3d8e9f001122334455"
	for _, c := range []struct {
		name, data string
		headers    []string
		want       string
	}{
		{"Confluent's first message", "00 00000007 00 0a0178", nil, `Confluent [] 0a0178; KafkaJS [] 000a0178`},
		{"its second", "00 00000007 0202 0a0178", nil, `Confluent [1] 0a0178; KafkaJS [] 02020a0178`},
		{"one in the first", "00 00000007 040002 0a0178", nil, `Confluent [0 1] 0a0178; KafkaJS [] 0400020a0178`},
		{"Apicurio's", "00 00000007 0b 0a09 54696d657374616d70 0a0178", nil, `Apicurio Timestamp 0a0178; KafkaJS [] 0b0a0954696d657374616d700a0178`},
		{"KafkaJS's", "00 00000007 0a0178 1203616263", nil, `KafkaJS [] 0a01781203616263`},
		{"nothing at all", "00 00000007", nil, `KafkaJS [] `},
		{"indexes in the header", "0a0178", []string{"__value_schema_id=01" + guid + "0202"}, `Confluent [1] 0a0178`},
		{"a header without indexes", "0a0178", []string{"__value_schema_id=01" + guid}, `Confluent [] 0a0178`},
		{"a header with too much", "0a0178", []string{"__value_schema_id=01" + guid + "020203"}, ``},
		{"Apicurio's headers", "0a0178", []string{"apicurio.value.contentId=0000000000000007", "apicurio.protobuf.type=4576656e74"}, `Apicurio Event 0a0178`},
		{"Apicurio's headers, and its name in front all the same", "0b 0a09 54696d657374616d70 0a0178",
			[]string{"apicurio.value.contentId=0000000000000007", "apicurio.protobuf.type=54696d657374616d70"},
			`Apicurio Timestamp 0a0178; Apicurio Timestamp 0b0a0954696d657374616d700a0178`},
		{"another name in front than Apicurio's header has", "0b 0a09 54696d657374616d70 0a0178",
			[]string{"apicurio.value.contentId=0000000000000007", "apicurio.protobuf.type=4576656e74"}, `Apicurio Event 0b0a0954696d657374616d700a0178`},
		{"Apicurio's id alone", "0a0178", []string{"apicurio.value.contentId=0000000000000007"}, `Apicurio [] 0a0178`},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := Of(bytesOf(t, c.data), headers(t, c.headers))
			var got []string
			for _, m := range f.Messages(nil) {
				which := string(m.Which)
				if !m.Named {
					which = fmt.Sprint(m.Indexes())
				}
				got = append(got, fmt.Sprintf("%s %s %x", m.By, which, m.Body))
			}
			if text := strings.Join(got, "; "); text != c.want {
				t.Errorf("got  %s\nwant %s", text, c.want)
			}
		})
	}
}

// Whatever the bytes, reading them ends, and what is left is a part of them.
func FuzzOf(f *testing.F) {
	for _, seed := range []string{"", "00", "0000000007", "000000000700", "00000000070a0801", "0000000000000000070b0a0954696d65"} {
		f.Add(bytesOf(f, seed), []byte{1}, []byte(nil))
	}
	f.Fuzz(func(t *testing.T, data, id, content []byte) {
		framed := Of(data, func(name string) []byte {
			switch name {
			case "__value_schema_id":
				return id
			case "apicurio.value.contentId":
				return content
			}
			return nil
		})
		if framed.Form != Plain && framed.Fault == "" && framed.SchemaID() == "" {
			t.Errorf("framed without an id: %+v", framed)
		}
		if !strings.HasSuffix(string(data), string(framed.Body)) {
			t.Errorf("%x is not the end of %x", framed.Body, data)
		}
		for _, m := range framed.Messages(nil) {
			if !strings.HasSuffix(string(framed.Body), string(m.Body)) || !m.Named && len(m.Indexes()) > maxIndexes {
				t.Errorf("%+v of %x", m, framed.Body)
			}
		}
	})
}
