package payload

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	// Files that schemas import although no registry has them.
	_ "google.golang.org/genproto/googleapis/type/date"
	_ "google.golang.org/genproto/googleapis/type/datetime"
	_ "google.golang.org/genproto/googleapis/type/dayofweek"
	_ "google.golang.org/genproto/googleapis/type/decimal"
	_ "google.golang.org/genproto/googleapis/type/interval"
	_ "google.golang.org/genproto/googleapis/type/latlng"
	_ "google.golang.org/genproto/googleapis/type/money"
	_ "google.golang.org/genproto/googleapis/type/timeofday"
)

// parseProtobuf reads a schema as a registry hands it out: the text of a
// .proto file, or base64 of its descriptor. Google's well-known and common
// types need not be among what it imports.
func parseProtobuf(schema string, imports []Import) (file protoreflect.FileDescriptor, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the library failed: %v", r)
		}
	}()
	sources := resolver{}
	for _, other := range imports {
		sources[other.Name] = other.Text
	}
	name := "schema.proto"
	for sources[name] != "" {
		name = "_" + name
	}
	sources[name] = schema
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(sources), MaxParallelism: 1}
	files, err := compiler.Compile(context.Background(), name)
	if err != nil {
		return nil, err
	}
	return files[0], nil
}

// A resolver finds files among the sources, else among those that are linked
// into the program.
type resolver map[string]string

// FindFileByPath implements protocompile.Resolver.
func (r resolver) FindFileByPath(path string) (protocompile.SearchResult, error) {
	text, ok := r[path]
	if !ok {
		known, err := protoregistry.GlobalFiles.FindFileByPath(path)
		if err != nil {
			return protocompile.SearchResult{}, fmt.Errorf("importing %s: %w", path, fs.ErrNotExist)
		}
		return protocompile.SearchResult{Desc: known}, nil
	}
	if described := descriptorOf(text); described != nil {
		described.Name = proto.String(path)
		return protocompile.SearchResult{Proto: described}, nil
	}
	if err := checkBraces(text); err != nil {
		return protocompile.SearchResult{}, err
	}
	return protocompile.SearchResult{Source: io.Reader(bytes.NewReader([]byte(text)))}, nil
}

// descriptorOf returns the descriptor that a text is in base64, or nil.
func descriptorOf(text string) *descriptorpb.FileDescriptorProto {
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(decoded) == 0 {
		return nil
	}
	described := &descriptorpb.FileDescriptorProto{}
	if (proto.UnmarshalOptions{RecursionLimit: maxDepth}).Unmarshal(decoded, described) != nil {
		return nil
	}
	for _, message := range described.GetMessageType() {
		withJSONNames(message)
	}
	return described
}

// withJSONNames fills JSON names in, which generated code leaves out and Python
// leaves empty: the compiler takes an empty one for a name of its own.
func withJSONNames(message *descriptorpb.DescriptorProto) {
	for _, field := range message.GetField() {
		if field.GetJsonName() == "" {
			field.JsonName = proto.String(camel(field.GetName()))
		}
	}
	for _, nested := range message.GetNestedType() {
		withJSONNames(nested)
	}
}

// checkBraces refuses a text that is too deep for the parser. Braces within
// texts and comments count too.
func checkBraces(text string) error {
	depth := 0
	for i := range len(text) {
		switch text[i] {
		case '{', '[', '<', '(':
			if depth++; depth > 4*maxDepth {
				return fmt.Errorf("it is nested deeper than %d levels", 4*maxDepth)
			}
		case '}', ']', '>', ')':
			depth--
		}
	}
	return nil
}

// MessageAt returns the message of a Protobuf schema that indexes say: the first
// is the place of a message in the file, each further one that of a message in
// the one before. No index is the first message.
func (s *Schema) MessageAt(indexes []int) (protoreflect.MessageDescriptor, error) {
	if len(indexes) == 0 {
		indexes = []int{0}
	}
	var message protoreflect.MessageDescriptor
	within := s.file.Messages()
	for _, i := range indexes {
		if i < 0 || i >= within.Len() {
			return nil, errNoMessage
		}
		message = within.Get(i)
		within = message.Messages()
	}
	return message, nil
}

// errNoMessage is made once: framings that are not what they look like meet it.
var errNoMessage = errors.New("finding a Protobuf message: the schema has none at the index")

// MessageNamed returns the message of a Protobuf schema that has the name, with
// or without the package, and within others with theirs.
func (s *Schema) MessageNamed(name string) (protoreflect.MessageDescriptor, error) {
	path := strings.TrimPrefix(name, string(s.file.Package())+".")
	within := s.file.Messages()
	for {
		first, rest, more := strings.Cut(path, ".")
		message := within.ByName(protoreflect.Name(first))
		switch {
		case message == nil:
			return nil, fmt.Errorf("finding a Protobuf message: the schema has none named %s", name)
		case !more:
			return message, nil
		}
		path, within = rest, message.Messages()
	}
}
