package event

import (
	"bytes"
	"time"
	"unicode/utf8"
)

// This file is a shortcut. A producer writes one event like the other, so that
// all bytes but the values' are those of the event before. Where they are, and
// the values are accepted, the row is filled without looking for names and
// structure. Nothing else is decided here: a record that differs in a byte, or
// breaks a rule, is decoded from its first byte on as decode.go says. Whether a
// record took the shortcut can be told by the time that it took, and by nothing
// else.

// A shape is how a producer writes the events of a topic, values left out.
type shape struct {
	text   []byte // a record of this shape, which the steps are slices of
	steps  []step
	end    []byte // what follows the last value
	absent []int  // the positions in the row that no step fills
}

// A step is a member of the object.
type step struct {
	before              []byte // from the value before, or the record's begin, to the value
	first, middle, last uint64 // the words of before; they overlap
	mask                uint64 // of first, where before is shorter than a word
	index               int    // the field's position in the row, -1 for an unknown one
	field               *field // nil for an unknown one
	name                []byte // of an unknown one, quoted
	optional            bool   // may be left out, with before
}

// A habit is what a decoder knows of the records that it had lately. The zero
// habit is of none.
type habit struct {
	shape         // that most of them had; without steps where there is none
	spare   shape // memory
	credit  int   // how many more accepted records of other shapes it outlasts
	moments moments
}

const (
	newCredit = 8
	maxCredit = 32

	// A record with less bytes than a word has no shape, and a longer one than
	// maxModel is not kept for it.
	minModel = 8
	maxModel = 4096
)

// byHabit is Decode for a value of the shape that is known. It reports whether
// it was one, and accepted; if not, nothing has changed but row, which is
// undefined.
func (d *Decoder) byHabit(row Row, value []byte, reference time.Time) bool {
	if len(d.habit.steps) == 0 || len(value) < minModel {
		return false
	}
	used := len(d.arena)
	d.judge.Begin(row, reference)
	if !d.follow(row, value) {
		d.arena, d.judge.arena = d.arena[:used], d.judge.arena[:d.judge.used]
		return false
	}
	for _, i := range d.habit.absent {
		row[i] = Value{}
	}
	row[len(d.judge.fields)] = d.judge.extra()
	d.judge.used = len(d.judge.arena)
	d.habit.credit = min(d.habit.credit+1, maxCredit)
	return true
}

// follow fills what the shape's steps have of the row.
func (d *Decoder) follow(row Row, data []byte) bool {
	at, known := 0, false // whether all of data is known to be UTF-8
	for i := range d.habit.steps {
		s := &d.habit.steps[i]
		if !s.follows(data, at) {
			if !s.optional {
				return false
			}
			if s.field != nil {
				row[s.index] = Value{}
			}
			continue
		}
		at += len(s.before)
		end := failed
		if s.field != nil {
			end = d.quickValue(&row[s.index], s.field, data, at)
		}
		if end < 0 {
			if known = known || utf8.Valid(data); !known {
				return false
			}
			if end = d.usualValue(s, data, at); end < 0 {
				return false
			}
		}
		at = end
	}
	return string(data[at:]) == string(d.habit.end)
}

// usualValue reads a value as decode.go does. It returns failed if it is
// refused. data is UTF-8.
func (d *Decoder) usualValue(s *step, data []byte, at int) int {
	d.data, d.keys, d.fault = data, d.keys[:0], nil
	if s.field == nil {
		end := d.skip(at, 1)
		if end >= 0 {
			d.judge.Unknown(s.name, data[at:end])
		}
		return end
	}
	end := d.value(s.index, at)
	if d.judge.refused != nil {
		return failed
	}
	return end
}

// follows reports whether the step's bytes are at a position. data has a word
// at least.
func (s *step) follows(data []byte, at int) bool {
	n := len(s.before)
	if n < 8 {
		return wordAt(data, at)&s.mask == s.first
	}
	if at+n > len(data) || wordAt(data, at+n-8) != s.last {
		return false
	}
	switch {
	case n <= 16:
		return wordAt(data, at) == s.first
	case n <= 24:
		return wordAt(data, at) == s.first && wordAt(data, at+8) == s.middle
	}
	return bytes.Equal(data[at:at+n], s.before)
}

// learn is told of a value that was accepted and not of the shape that is known.
// That one goes when more of the records lately were of others.
func (d *Decoder) learn(value []byte) {
	h := &d.habit
	if h.credit--; h.credit >= 0 {
		return
	}
	h.credit = newCredit
	if len(value) >= minModel && len(value) <= maxModel && d.take(&h.spare, value) {
		h.shape, h.spare = h.spare, h.shape
	}
}

// take makes s the shape of an accepted value. It reports false for one that
// may be an envelope.
func (d *Decoder) take(s *shape, value []byte) bool {
	s.text = append(s.text[:0], value...)
	s.steps, s.absent = s.steps[:0], s.absent[:0]
	d.data, d.keys, d.fault = s.text, d.keys[:0], nil
	used, start, seen := len(d.arena), 0, uint64(0)
	if bytes.HasPrefix(s.text, []byte(mark)) {
		start = len(mark)
	}
	at, more := d.open(d.space(start))
	end := 0
	for more {
		index, value := d.name(at, len(s.steps))
		step := newStep(s.text[end:value], index)
		if index < 0 {
			step.name = memberName(s.text[at:value])
		} else {
			seen |= 1 << index
			step.field = &d.judge.fields[index]
		}
		step.optional = len(s.steps) > 0 && (index < 0 || step.field.Nullable)
		s.steps = append(s.steps, step)
		end = d.skip(value, 1)
		at, more = d.next(end)
	}
	s.end = s.text[end:]
	for i := range d.judge.fields {
		if seen&(1<<i) == 0 {
			s.absent = append(s.absent, i)
		}
	}
	d.arena = d.arena[:used]
	return !d.marked()
}

// newStep returns the step to the value of field i that has these bytes before
// it.
func newStep(before []byte, i int) step {
	n := len(before)
	s := step{before: before, index: i, first: wordOf(before)}
	if n < 8 {
		s.mask = 1<<(8*n) - 1
		return s
	}
	s.last = wordOf(before[n-8:])
	if n > 16 {
		s.middle = wordOf(before[8:])
	}
	return s
}
