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
	By      Framer
	Indexes []int  // of the message, from the outermost on; none stands for the first
	Name    string // of the message, instead of indexes
	Body    []byte
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
			dst = append(dst, Message{By: Confluent, Indexes: indexes, Body: f.Body})
		} else if len(f.indexes) == 0 {
			dst = append(dst, Message{By: Confluent, Body: f.Body})
		}
		return dst
	}
	if f.message != "" {
		return append(dst, Message{By: Apicurio, Name: f.message, Body: f.Body})
	}
	if f.Form != ApicurioHeader {
		if indexes, rest, ok := readIndexes(f.Body); ok {
			dst = append(dst, Message{By: Confluent, Indexes: indexes, Body: rest})
		}
	}
	if name, rest, ok := readRef(f.Body); ok {
		dst = append(dst, Message{By: Apicurio, Name: name, Body: rest})
	}
	by := KafkaJS
	if f.Form == ApicurioHeader {
		by = Apicurio
	}
	return append(dst, Message{By: by, Body: f.Body})
}

// readIndexes reads Confluent's indexes: how many, and then each, as zigzag
// varints. 0 stands for the first message.
func readIndexes(data []byte) (indexes []int, rest []byte, ok bool) {
	if len(data) > 0 && data[0] == 0 {
		return nil, data[1:], true
	}
	count, size := binary.Varint(data)
	if size <= 0 || count < 0 || count > maxIndexes {
		return nil, nil, false
	}
	for rest = data[size:]; count > 0; count-- {
		index, size := binary.Varint(rest)
		if size <= 0 || index < 0 || index > 1<<20 {
			return nil, nil, false
		}
		indexes, rest = append(indexes, int(index)), rest[size:]
	}
	return indexes, rest, true
}

// readRef reads Apicurio's message Ref, which has the name in field 1 and its
// length before it.
func readRef(data []byte) (name string, rest []byte, ok bool) {
	ref, size := protowire.ConsumeBytes(data)
	if size < 0 {
		return "", nil, false
	}
	number, kind, tag := protowire.ConsumeTag(ref)
	if tag < 0 || number != 1 || kind != protowire.BytesType {
		return "", nil, false
	}
	text, length := protowire.ConsumeBytes(ref[tag:])
	if length != len(ref)-tag || len(text) == 0 || bytes.ContainsFunc(text, isNoName) {
		return "", nil, false
	}
	return string(text), data[size:], true
}

func isNoName(r rune) bool {
	return !(r == '_' || r == '.' || r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z')
}
