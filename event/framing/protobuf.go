package framing

import (
	"bytes"
	"encoding/binary"

	"google.golang.org/protobuf/encoding/protowire"
)

// A Framer is whose way of framing Protobuf was followed.
type Framer string

// The framers, in the order in which they are preferred.
const (
	Confluent Framer = "Confluent"
	Apicurio  Framer = "Apicurio"
	KafkaJS   Framer = "KafkaJS"
)

// A Message is one way to read a Protobuf body: which message of the schema it
// is, and its bytes.
type Message struct {
	By    Framer
	Which []byte // the message, as Named says; empty for the file's first
	Named bool   // Which is its name, and not its indexes
	Body  []byte
}

// Indexes returns those of a message that is not named, from the outermost on.
func (m *Message) Indexes() (indexes []int) {
	for rest := m.Which; len(rest) > 0; {
		index, size := binary.Varint(rest)
		indexes, rest = append(indexes, int(index)), rest[size:]
	}
	return indexes
}

// maxIndexes bounds how deep a message may lie within others.
const maxIndexes = 32

// Messages appends to dst each way in which the body can be read as Protobuf, by
// preference. After the id all of these begin alike: indexes (Confluent), a
// message that has the name (Apicurio), or nothing (KafkaJS). So the first is
// right whose message is in the schema and whose body fits it.
func (f *Framed) Messages(dst []Message) []Message {
	if f.Form == Header {
		if indexes, rest, ok := readIndexes(f.indexes); ok && len(rest) == 0 {
			dst = append(dst, Message{By: Confluent, Which: indexes, Body: f.Body})
		} else if len(f.indexes) == 0 {
			dst = append(dst, Message{By: Confluent, Body: f.Body})
		}
		return dst
	}
	if len(f.message) > 0 {
		if name, rest, ok := readRef(f.Body); ok && bytes.Equal(name, f.message) { // it is in front too, unless turned off
			dst = append(dst, Message{By: Apicurio, Which: name, Named: true, Body: rest})
		}
		return append(dst, Message{By: Apicurio, Which: f.message, Named: true, Body: f.Body})
	}
	if f.Form != ApicurioHeader {
		if indexes, rest, ok := readIndexes(f.Body); ok {
			dst = append(dst, Message{By: Confluent, Which: indexes, Body: rest})
		}
	}
	if name, rest, ok := readRef(f.Body); ok {
		dst = append(dst, Message{By: Apicurio, Which: name, Named: true, Body: rest})
	}
	by := KafkaJS
	if f.Form == ApicurioHeader {
		by = Apicurio
	}
	return append(dst, Message{By: by, Body: f.Body})
}

// readIndexes finds Confluent's indexes: how many, and then each, as zigzag
// varints. 0 stands for the first message. It returns them without their number.
func readIndexes(data []byte) (indexes, rest []byte, ok bool) {
	if len(data) > 0 && data[0] == 0 {
		return nil, data[1:], true
	}
	count, size := binary.Varint(data)
	if size <= 0 || count < 0 || count > maxIndexes {
		return nil, nil, false
	}
	data = data[size:]
	for rest = data; count > 0; count-- {
		index, size := binary.Varint(rest)
		if size <= 0 || index < 0 || index > 1<<20 {
			return nil, nil, false
		}
		rest = rest[size:]
	}
	return data[:len(data)-len(rest)], rest, true
}

// readRef reads Apicurio's message Ref, which has the name in field 1 and its
// length before it.
func readRef(data []byte) (name, rest []byte, ok bool) {
	ref, size := protowire.ConsumeBytes(data)
	if size < 0 {
		return nil, nil, false
	}
	number, kind, tag := protowire.ConsumeTag(ref)
	if tag < 0 || number != 1 || kind != protowire.BytesType {
		return nil, nil, false
	}
	name, length := protowire.ConsumeBytes(ref[tag:])
	if length != len(ref)-tag || len(name) == 0 {
		return nil, nil, false
	}
	for _, c := range name {
		if !inName(c) {
			return nil, nil, false
		}
	}
	return name, data[size:], true
}

func inName(c byte) bool {
	return c == '_' || c == '.' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}
