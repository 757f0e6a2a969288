// Package framing reads what serializers of schema registries put around a
// record's value: which schema it was written with, and where its own bytes
// begin. docs/registry.md lists the forms. Keys may be framed in the same forms,
// which nothing reads: a key is kept as it came.
package framing

import (
	"encoding/binary"
	"fmt"
	"strconv"
)

// A Form is how a serializer says which schema it used.
type Form uint8

// The forms.
const (
	Plain          Form = iota // not at all
	Prefix                     // 00 and the id in 4 bytes, before the body
	LongPrefix                 // 00 and the id in 8 bytes: Apicurio's Legacy8ByteIdHandler
	Header                     // Confluent's header, which has a GUID or an id
	ApicurioHeader             // Apicurio's header, which has an id
)

// A Framed is a value whose framing was read. It shares the memory of what it
// was read from.
type Framed struct {
	Form Form
	ID   int64  // of the schema, unless it has a GUID
	GUID []byte // of the schema, 16 bytes; nil without one
	Body []byte // behind the prefix; of Protobuf it may begin with what names the message

	// Fault says what is wrong with the framing itself, for a person; "" else.
	Fault string

	indexes []byte // of the message, as Confluent's header has them
	message []byte // the message's name, as Apicurio's headers have it
}

// SchemaID is how the record names its schema: a number, or a GUID as 8-4-4-4-12
// lower-case hex digits; "" for none.
func (f *Framed) SchemaID() string {
	switch {
	case f.GUID != nil:
		return fmt.Sprintf("%x-%x-%x-%x-%x", f.GUID[:4], f.GUID[4:6], f.GUID[6:8], f.GUID[8:10], f.GUID[10:16])
	case f.ID > 0:
		return strconv.FormatInt(f.ID, 10)
	}
	return ""
}

// The headers of values; keys have headers of their own.
const (
	confluentID      = "__value_schema_id"
	apicurioContent  = "apicurio.value.contentId"
	apicurioGlobal   = "apicurio.value.globalId"
	apicurioProtobuf = "apicurio.protobuf.type"
)

// Of reads the framing of a value. header returns the value of a record's
// header, nil for none.
//
// Headers come first, as in Confluent's own deserializers. A value that begins
// with 00 is framed unless it is JSON in UTF-16 or UTF-32, which begin so too.
func Of(data []byte, header func(name string) []byte) Framed {
	if id := header(confluentID); id != nil {
		return confluent(data, id)
	}
	if f, ok := apicurio(data, header); ok {
		return f
	}
	return Prefixed(data)
}

// confluent reads Confluent's header: 01 and a GUID, or 00 and an id, and for
// Protobuf the message's indexes behind it.
func confluent(data, id []byte) Framed {
	f := Framed{Form: Header, Body: data}
	switch {
	case len(id) >= 17 && id[0] == 1:
		f.GUID, f.indexes = id[1:17], id[17:]
	case len(id) >= 5 && id[0] == 0:
		f.ID, f.indexes = int64(binary.BigEndian.Uint32(id[1:])), id[5:]
	}
	if f.GUID == nil && f.ID == 0 {
		f.Fault = "the header " + confluentID + " has no schema's id"
	}
	return f
}

// apicurio reads the headers of Apicurio's serializers.
func apicurio(data []byte, header func(string) []byte) (Framed, bool) {
	id := header(apicurioContent)
	if id == nil {
		if header(apicurioGlobal) == nil {
			return Framed{}, false
		}
		return Framed{Form: ApicurioHeader, Body: data,
			Fault: "the header " + apicurioGlobal + " has an id that only Apicurio's own API knows: have the serializer write contentId"}, true
	}
	f := Framed{Form: ApicurioHeader, Body: data, message: header(apicurioProtobuf)}
	switch len(id) {
	case 8:
		f.ID = int64(binary.BigEndian.Uint64(id))
	case 4:
		f.ID = int64(binary.BigEndian.Uint32(id))
	}
	if f.ID <= 0 {
		f.Fault = "the header " + apicurioContent + " has no schema's id"
	}
	return f, true
}

// Begins reports whether a value without headers may be framed: its first byte
// is that of a prefix.
func Begins(data []byte) bool { return len(data) >= 5 && data[0] == 0 }

// Prefixed is Of for a value of a record without headers. No registry gives the id 0:
// four bytes of zeros are the first half of a long id.
func Prefixed(data []byte) Framed {
	if !Begins(data) || isWide(data) {
		return Framed{Body: data}
	}
	if id := binary.BigEndian.Uint32(data[1:]); id != 0 {
		return Framed{Form: Prefix, ID: int64(id), Body: data[5:]}
	}
	if len(data) >= 9 {
		if id := int64(binary.BigEndian.Uint64(data[1:])); id > 0 {
			return Framed{Form: LongPrefix, ID: id, Body: data[9:]}
		}
	}
	return Framed{Form: Prefix, Body: data[5:], Fault: "the schema's id is 0"}
}

// isWide reports whether data that begins with 00 is JSON in UTF-16 or UTF-32:
// an object or an array, which goes on with ASCII.
func isWide(data []byte) bool {
	opens := func(c byte) bool { return c == '{' || c == '[' }
	ascii := func(c byte) bool { return c >= '\t' && c < 0x7f }
	if opens(data[1]) && data[2] == 0 && ascii(data[3]) {
		return true // as an id it would be above 1.5 billion
	}
	if len(data)%4 != 0 || data[1] != 0 || data[2] != 0 || !opens(data[3]) {
		return false
	}
	for i := 0; i < len(data); i += 4 {
		if data[i] != 0 || data[i+1] > 0x10 {
			return false
		}
	}
	return true
}
