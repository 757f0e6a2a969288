package run

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"

	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/internal/pause"
)

// One run at a time writes to a dataset, whatever process it is in: it holds
// a lease, the one row of a small table. Each holder has a higher token than
// the one before; the transaction that publishes checks token and holder, so
// that a run that stalled until its lease expired publishes nothing. What it
// still writes elsewhere nobody reads: see beside.go.
//
// The times are the warehouse's own, so clocks need not agree. The row also
// keeps the state that the last run published.

// leaseTable is the lease's table, in the models' dataset.
const leaseTable = "transform_lease"

// A Lease is a run's right to write. Until Acquire has got it, it only reads
// and creates the row.
type Lease struct {
	warehouse *warehouse
	relation  string
	duration  time.Duration

	token  int64
	holder string // "" until it is acquired
	// interrupted: an earlier run ended without saying what it had built, and
	// may write on.
	interrupted bool
}

// mark tells what this run makes from what any other makes.
func (l *Lease) mark() string {
	return fmt.Sprintf("_%d_%s", l.token, strings.ToLower(l.holder[len(l.holder)-holderDigits:]))
}

// holderDigits end a holder's name: two runs may begin at one moment, and a
// table that is dropped counts tokens from 0 again.
const holderDigits = 8

// ErrLeaseLost says that another run has taken over.
var ErrLeaseLost = errors.New("the lease expired and another run has taken over: nothing was published")

// lostMark is the error that a statement of a run without the lease ends with.
const lostMark = "stationflow: the lease is lost"

// A row is the lease's row as it is stored.
type row struct {
	Token       int64
	Holder      string // "" when no run holds it
	ExpiresAt   time.Time
	Interrupted bool // what is published may not be what the state says
	State       string
}

// isSettled reports whether the state says what is published: no run has ended
// without a word, and none is in the middle of publishing.
func (r *row) isSettled() bool {
	return !r.Interrupted && (r.Holder == "" || time.Now().Before(r.ExpiresAt))
}

// read returns the row without a query, which costs nothing; nil when there
// is none yet.
func (l *Lease) read(ctx context.Context) (*row, error) {
	ctx, cancel := context.WithTimeout(ctx, l.warehouse.timeout)
	defer cancel()
	var stored struct {
		Token       bigquery.NullInt64
		Holder      bigquery.NullString
		ExpiresAt   bigquery.NullTimestamp `bigquery:"expires_at"`
		Interrupted bigquery.NullBool
		State       bigquery.NullString
	}
	var rows uint64
	err := l.warehouse.retry(ctx, func() error {
		it := l.warehouse.dataset.Table(leaseTable).Read(ctx)
		err := it.Next(&stored)
		rows = it.TotalRows
		return err
	})
	switch {
	case isNotFound(err):
		return nil, nil
	case err == nil && rows > 1, errors.Is(err, iterator.Done):
		return nil, l.oneRow(int(rows))
	case err != nil:
		return nil, fmt.Errorf("reading the lease: %w", err)
	case !stored.Token.Valid || !stored.Holder.Valid || !stored.ExpiresAt.Valid || !stored.Interrupted.Valid:
		return nil, fmt.Errorf("%s has not every column that it must have, or a NULL in one: drop the table", l.relation)
	}
	return &row{stored.Token.Int64, stored.Holder.StringVal, stored.ExpiresAt.Timestamp, stored.Interrupted.Bool, stored.State.StringVal}, nil
}

func (l *Lease) oneRow(rows int) error {
	return fmt.Errorf("%s has %d rows and must have one: drop the table", l.relation, rows)
}

// create makes the table with its row, in one statement: of two processes
// that do so at once, one makes it. A dataset that is not empty had a lease
// before, and its last run may write on.
func (l *Lease) create(ctx context.Context) error {
	relations, err := l.warehouse.relations(ctx, nil, 1)
	if err != nil {
		return err
	}
	_, err = l.warehouse.query(ctx, fmt.Sprintf(
		"create table %s as\nselect 0 as token, '' as holder, timestamp '2000-01-01 00:00:00+00' as expires_at, %t as interrupted, cast(null as string) as state", l.relation, len(relations) > 0))
	if err != nil && !strings.Contains(strings.ToLower(err.Error()), "already exists") {
		return fmt.Errorf("making the table of the lease: %w", err)
	}
	return nil
}

// Acquire tries to get the lease, with the state that the last run published;
// it returns nil when another run holds it, or is changing its row.
func (l *Lease) Acquire(ctx context.Context, run string) (*state, error) {
	holder := run + "-" + rand.Text()[:holderDigits]
	_, err := l.warehouse.query(ctx, transaction(fmt.Sprintf(`update %s
set token = token + 1, interrupted = interrupted or holder != '', holder = '%s', expires_at = timestamp_add(current_timestamp(), interval %d millisecond)
where holder = '' or expires_at < current_timestamp();`, l.relation, holder, l.duration.Milliseconds())))
	if isConflict(err) {
		return nil, nil
	}
	if isNotFound(err) { // somebody has dropped the table
		if err := l.create(ctx); err != nil {
			return nil, err
		}
		return l.Acquire(ctx, run)
	}
	var now *row
	if err == nil {
		now, err = l.read(ctx) // costs nothing, as a query would
	}
	switch {
	case err != nil:
		if isInterrupted(ctx) { // it may have been taken all the same
			l.giveUp(ctx, holder)
		}
		return nil, fmt.Errorf("taking the lease: %w", err)
	case now == nil || now.Holder != holder:
		return nil, nil
	}
	known, err := parseState(now.State)
	if err != nil {
		return nil, err
	}
	l.token, l.holder, l.interrupted = now.Token, holder, now.Interrupted
	return known, nil
}

// poll is how often a waiting run looks whether the lease is free.
const poll = 500 * time.Millisecond

// acquire gets the lease. While another run holds it, it waits, and stops when
// that run has published all that there is.
func (r *run) acquire(ctx context.Context) (idle bool, err error) {
	waitsFor := ""
	for {
		known, err := r.lease.Acquire(ctx, r.id)
		if err != nil {
			return false, err
		}
		if known != nil {
			r.known = known
			break
		}
		for held := true; held; {
			if !time.Now().Before(r.options.Until) {
				return false, ErrBusy
			}
			if err := pause.For(ctx, poll); err != nil {
				return false, err
			}
			now, err := r.lease.read(ctx)
			if err != nil {
				return false, err
			}
			held = now != nil && now.Holder != "" && time.Now().Before(now.ExpiresAt)
			if held && now.Holder != waitsFor && r.options.Waiting != nil {
				waitsFor = now.Holder
				r.options.Waiting(now.ExpiresAt)
			}
		}
	}
	if r.lease.interrupted {
		r.known.Mark = r.lease.mark()
		for name, model := range r.known.Models {
			model.Pending = true // nobody knows what the run before has published
			r.known.Models[name] = model
		}
	}
	r.mark = r.known.Mark
	if idle, err = r.nothingDue(ctx); err != nil || idle {
		release := r.lease.Publish(context.WithoutCancel(ctx), r.known, nil)
		return idle, errors.Join(err, release)
	}
	return false, nil
}

// held is the condition on the row: it fails the statement, and with it the
// transaction, when the lease is another's. It must be part of an UPDATE of
// the row: on BigQuery two transactions that update one table cannot both
// commit.
func (l *Lease) held() string {
	return fmt.Sprintf("if(token = %d and holder = '%s', true, error('%s'))", l.token, l.holder, lostMark)
}

// condition is a statement that fails unless the lease is held. Where it goes
// before one that no transaction takes, it is as near as one can get.
func (l *Lease) condition() string {
	return fmt.Sprintf("select if(exists(select 1 from %s where token = %d and holder = '%s'), true, error('%s'))", l.relation, l.token, l.holder, lostMark)
}

// Renew holds the lease for its full duration from now.
func (l *Lease) Renew(ctx context.Context) error { return l.extend(ctx, "") }

// claim renews, and says in the row that until finish what is published may
// not be what the state says.
func (l *Lease) claim(ctx context.Context) error { return l.extend(ctx, ", interrupted = true") }

func (l *Lease) extend(ctx context.Context, and string) error {
	_, err := l.warehouse.query(ctx, fmt.Sprintf("update %s\nset expires_at = timestamp_add(current_timestamp(), interval %d millisecond)%s\nwhere %s",
		l.relation, l.duration.Milliseconds(), and, l.held()))
	return l.explain(err)
}

// finish is the statement that gives the lease back with a new state. It
// belongs into the transaction that publishes what the state speaks of.
func (l *Lease) finish(published *state) string {
	return fmt.Sprintf("update %s\nset holder = '', interrupted = false, expires_at = current_timestamp(), state = %s\nwhere %s;",
		l.relation, bqconfig.Quoted(published.String()), l.held())
}

// Release gives the lease back after an interrupt, when it is still this run's
// own. The next run takes what this one built for unfinished, as after a crash.
func (l *Lease) Release(ctx context.Context) { l.giveUp(ctx, l.holder) }

// goodbye bounds how long an interrupted run takes to give its lease back;
// when that does not suffice, it expires.
const goodbye = 5 * time.Second

func (l *Lease) giveUp(ctx context.Context, holder string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	_, _ = l.warehouse.query(ctx, fmt.Sprintf("update %s\nset holder = '', interrupted = true, expires_at = current_timestamp()\nwhere holder = '%s'", // a holder is a token's only one
		l.relation, holder))
}

// Publish runs the statements together with finish. When an answer was lost
// and the attempt after it finds the lease given back, the row says whether
// it was this run.
func (l *Lease) Publish(ctx context.Context, published *state, statements []string) error {
	_, err := l.warehouse.query(ctx, transaction(append([]string{l.finish(published)}, statements...)...))
	if err = l.explain(err); !errors.Is(err, ErrLeaseLost) {
		return err
	}
	now, readErr := l.read(ctx)
	if readErr == nil && now != nil {
		if stored, parseErr := parseState(now.State); parseErr == nil && stored.Run == published.Run {
			return nil
		}
	}
	return err
}

// explain tells a lost lease from other errors.
func (l *Lease) explain(err error) error {
	if err != nil && strings.Contains(err.Error(), lostMark) {
		return ErrLeaseLost
	}
	return err
}

// keep renews the lease until stop is closed; it ends the run when the lease
// is lost. A renewal under way is completed unless ctx ends: it changes the
// row that the transaction of publish changes next, and BigQuery would cancel
// one of the two.
func (l *Lease) keep(ctx context.Context, stop <-chan struct{}, end context.CancelCauseFunc) {
	defer func() {
		if fault := recover(); fault != nil {
			end(fmt.Errorf("renewing the lease panicked: %v", fault))
		}
	}()
	ticker := time.NewTicker(l.duration / 3)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-stop:
			return
		case <-ticker.C:
		}
		if err := l.Renew(ctx); errors.Is(err, ErrLeaseLost) {
			end(ErrLeaseLost)
			return
		}
	}
}
