package meter

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/stationflow/stationflow/internal/cloudlog"
)

// requestLogBytes is what Cloud Run itself writes for each call, about: the
// line cannot be had here. Those of calls of ingest that succeeded are not kept.
const requestLogBytes = 600

// Handler counts what the functions write to their logs, as long as it is in
// the form of the cloud, and reads from it how long their calls took. Every
// line goes on to next.
func (m *Meter) Handler(next slog.Handler) slog.Handler {
	return &handler{meter: m, next: next,
		form: cloudlog.New(counter{&m.logged}).Handler(), taken: cloudlog.New(counter{&m.loggedTaken}).Handler()}
}

type handler struct {
	meter *Meter
	next  slog.Handler
	form  slog.Handler
	taken slog.Handler // form, for lines about batches that ingest took
}

// A counter counts the bytes of logs.
type counter struct{ bytes *atomic.Int64 }

func (c counter) Write(line []byte) (int, error) {
	c.bytes.Add(int64(len(line)))
	return io.Discard.Write(line)
}

// Enabled is true for what the cloud is sent: every level from INFO on, and
// whatever next wants.
func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo || h.next.Enabled(ctx, level)
}

// Handle counts a line and passes it on.
func (h *handler) Handle(ctx context.Context, line slog.Record) error {
	if line.Level >= slog.LevelInfo {
		form := h.form
		if h.meter.call(line) {
			form = h.taken
		}
		_ = form.Handle(ctx, line) // a counter takes every line
	}
	if !h.next.Enabled(ctx, line.Level) {
		return nil
	}
	return h.next.Handle(ctx, line)
}

// call counts the call of a function that a line tells the end of, and reports
// whether that is a batch that ingest took.
func (m *Meter) call(line slog.Record) (taken bool) {
	var function *instances
	switch line.Message {
	case "batch ingested", "batch archived", "batch passed over":
		function, taken = &m.ingest, true
	case "batch failed":
		function = &m.ingest
	case "transform finished":
		function = &m.transform
	default:
		return false
	}
	line.Attrs(func(a slog.Attr) bool {
		if a.Key != "took_ms" {
			return true
		}
		function.ended(m.now(), time.Duration(a.Value.Resolve().Int64())*time.Millisecond)
		if !taken {
			m.logged.Add(requestLogBytes)
		}
		return false
	})
	return taken
}

// WithAttrs returns a handler whose lines carry the attributes.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.meter, h.next.WithAttrs(attrs), h.form.WithAttrs(attrs), h.taken.WithAttrs(attrs)}
}

// WithGroup returns a handler whose lines are in the group.
func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.meter, h.next.WithGroup(name), h.form.WithGroup(name), h.taken.WithGroup(name)}
}
