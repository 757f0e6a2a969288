package pubsub

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"os"
	"slices"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/proto"
)

// A journal is a file of records, each a header (payload length and CRC-32C, four bytes little endian each) and a
// payload: a kind byte, the message id as uvarint, then
//
//	published  the number of subscriptions, each one's name behind its length (uvarints), and the PubsubMessage
//	done       the name of the subscription that needs the message no longer
//
// Records are appended by one write each time, so the end of the process tears at most the last write, which nobody
// was told of. Reading stops at the first record that is not whole.
const (
	recordPublished byte = 1
	recordDone      byte = 2

	recordHeaderBytes = 8
	minWastefulBytes  = 64 << 20 // a journal below this size is never rewritten
)

// journal appends to the file. Its user serialises the calls.
type journal struct {
	path  string
	file  *os.File
	size  int64
	cut   int64 // bytes that opening cut off
	limit int64 // the next size at which a rewrite may pay
	buf   []byte
	err   error // set when the file may end in half a record: nothing more can be kept
}

// openJournal reads the file, cuts a torn end off and returns the messages that are still needed.
func openJournal(path string) (*journal, map[uint64]*message, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, nil, err
	}
	var live map[uint64]*message
	var size int64
	info, err := file.Stat()
	if err == nil {
		live, size, err = replay(file, info.Size())
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("reading messages in %s: %w", path, err), file.Close())
	}
	j := &journal{path: path, file: file, size: size, limit: minWastefulBytes}
	if j.cut, err = j.rewind(); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("opening %s for messages: %w", path, err), file.Close())
	}
	return j, live, nil
}

// replay returns what the whole records among the next total bytes of r leave pending, and their length.
func replay(r io.Reader, total int64) (live map[uint64]*message, size int64, err error) {
	live = map[uint64]*message{}
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		payload, err := readRecord(in, total-size)
		if err != nil || payload == nil {
			return live, size, err
		}
		if err := apply(live, payload); err != nil {
			return live, size, fmt.Errorf("record at byte %d: %w", size, err)
		}
		size += recordHeaderBytes + int64(len(payload))
	}
}

// readRecord returns the next payload, or nil where the whole records end. At most left bytes follow.
func readRecord(in *bufio.Reader, left int64) ([]byte, error) {
	var header [recordHeaderBytes]byte
	if _, err := io.ReadFull(in, header[:]); err != nil {
		return nil, unlessEnd(err)
	}
	length, sum := binary.LittleEndian.Uint32(header[:]), binary.LittleEndian.Uint32(header[4:])
	if length == 0 || recordHeaderBytes+int64(length) > left {
		return nil, nil
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(in, payload); err != nil {
		return nil, unlessEnd(err)
	}
	if crc32.Checksum(payload, castagnoli()) != sum {
		return nil, nil
	}
	return payload, nil
}

func unlessEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) } // made once by the package

var errMalformed = errors.New("the record is whole but cannot be read; was it written by another version?")

func apply(live map[uint64]*message, payload []byte) error {
	kind, rest := payload[0], payload[1:]
	id, n := binary.Uvarint(rest)
	if n <= 0 {
		return errMalformed
	}
	rest = rest[n:]
	switch kind {
	case recordDone:
		if m := live[id]; m != nil {
			m.pending = slices.DeleteFunc(m.pending, func(name string) bool { return name == string(rest) })
			if len(m.pending) == 0 {
				delete(live, id)
			}
		}
		return nil
	case recordPublished:
		pending, body, ok := readNames(rest)
		pb := new(pubsubpb.PubsubMessage)
		if !ok || proto.Unmarshal(body, pb) != nil {
			return errMalformed
		}
		live[id] = newMessage(id, pb, pending)
		return nil
	}
	return errMalformed
}

func readNames(b []byte) (names []string, rest []byte, ok bool) {
	count, n := binary.Uvarint(b)
	if n <= 0 {
		return nil, nil, false
	}
	b = b[n:]
	for range count {
		length, n := binary.Uvarint(b)
		if n <= 0 || length > uint64(len(b)-n) {
			return nil, nil, false
		}
		names = append(names, string(b[n:n+int(length)]))
		b = b[n+int(length):]
	}
	return names, b, true
}

// publish writes messages. After an error none of them is in the file, or else every later call fails too.
func (j *journal) publish(msgs []*message) error {
	j.buf = j.buf[:0]
	for _, m := range msgs {
		var err error
		if j.buf, err = appendPublished(j.buf, m); err != nil {
			return err
		}
	}
	return j.write()
}

// appendDone writes that a subscription needs a message no longer; errors are as append's.
func (j *journal) appendDone(id uint64, subscription string) error {
	b, start := beginRecord(j.buf[:0], recordDone, id)
	j.buf = endRecord(append(b, subscription...), start)
	return j.write()
}

func (j *journal) write() error {
	if j.err != nil {
		return j.err
	}
	if _, err := j.file.Write(j.buf); err != nil {
		if _, cutErr := j.rewind(); cutErr != nil {
			j.err = fmt.Errorf("%s may end in half a record: %w", j.path, cutErr)
		}
		return err
	}
	j.size += int64(len(j.buf))
	return nil
}

// rewind cuts off what an unfinished write left behind the last whole record and returns its length.
func (j *journal) rewind() (int64, error) {
	end, err := j.file.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	if err := j.file.Truncate(j.size); err != nil {
		return 0, err
	}
	_, err = j.file.Seek(j.size, io.SeekStart)
	return end - j.size, err
}

// wasteful reports whether the file has outgrown the bytes it keeps so far that a rewrite pays.
func (j *journal) wasteful(used int64) bool { return j.size > j.limit && j.size > 4*used }

// rewrite replaces the file by one that holds only live messages. The end of the process leaves the old file or the
// new one, never a mixture; after an error the old one is still in use.
func (j *journal) rewrite(live iter.Seq[*message]) error {
	j.limit = 2 * j.size // a failure is not tried again at once
	file, size, err := writeFile(j.path+".new", live)
	if err != nil {
		return fmt.Errorf("rewriting %s: %w", j.path, err)
	}
	if err := os.Rename(file.Name(), j.path); err != nil {
		return errors.Join(fmt.Errorf("rewriting %s: %w", j.path, err), file.Close())
	}
	old := j.file
	j.file, j.size, j.limit, j.err = file, size, max(minWastefulBytes, 2*size), nil
	return old.Close()
}

func writeFile(path string, live iter.Seq[*message]) (*os.File, int64, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, 0, err
	}
	var size int64
	var buf []byte
	for m := range live {
		if buf, err = appendPublished(buf[:0], m); err == nil {
			_, err = file.Write(buf)
		}
		if err != nil {
			return nil, 0, errors.Join(err, file.Close())
		}
		size += int64(len(buf))
	}
	return file, size, nil
}

func (j *journal) end() error { return j.file.Close() }

func appendPublished(b []byte, m *message) ([]byte, error) {
	b, start := beginRecord(b, recordPublished, m.id)
	b = binary.AppendUvarint(b, uint64(len(m.pending)))
	for _, name := range m.pending {
		b = binary.AppendUvarint(b, uint64(len(name)))
		b = append(b, name...)
	}
	b, err := proto.MarshalOptions{}.MarshalAppend(b, m.pb)
	if err != nil {
		return b, fmt.Errorf("encoding message %d: %w", m.id, err)
	}
	return endRecord(b, start), nil
}

// beginRecord leaves room for the header at start; endRecord fills it.
func beginRecord(b []byte, kind byte, id uint64) (record []byte, start int) {
	start = len(b)
	b = append(b, make([]byte, recordHeaderBytes)...)
	return binary.AppendUvarint(append(b, kind), id), start
}

func endRecord(b []byte, start int) []byte {
	payload := b[start+recordHeaderBytes:]
	binary.LittleEndian.PutUint32(b[start:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(b[start+4:], crc32.Checksum(payload, castagnoli()))
	return b
}
