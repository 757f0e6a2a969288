package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/functions/ingest/fault"
	"github.com/stationflow/stationflow/functions/ingest/rows"
	"github.com/stationflow/stationflow/internal/lake"
)

// An object exists under the name of a batch, and is not what this delivery
// would write. There are two reasons why that does no harm:
//
//   - The earlier delivery decided otherwise about some records, because of
//     the time of receipt, or as another version of this program.
//   - Kafka has compacted a partition since, and the batch has fewer records
//     between the same first and last offsets.
//
// What the object lacks then goes into further objects, and what else it holds
// stays. There is a conflict only where the object holds another record under
// the same partition and offset; all partitions but such go on.

// complete makes durable what the object of the batch lacks of the rows. With
// a conflict it compares the records first; where they differ it returns the
// conflict, which then names the partitions, once the others are durable. Each
// run of records that all are missing is treated as a batch of its own, so that
// name and digest are those that such a batch would have.
func (s *Sink) complete(ctx context.Context, to target, b *batch.Batch, some rows.Set, conflict *lake.Conflict) error {
	held, err := s.archived(ctx, to.name(b), b)
	if err != nil {
		return err
	}
	var differ error
	if conflict != nil {
		if differ, err = compare(ctx, to, b, held, conflict); err != nil {
			return err
		}
	}
	missing := func(at coordinates) bool {
		return !held.has(at) && (differ == nil || !slices.Contains(conflict.Partitions, at.partition))
	}
	wanted := make([]coordinates, 0, len(some.Rows)) // in the order of the batch's records
	for partition, offset := range to.Coordinates(some) {
		wanted = append(wanted, coordinates{partition, offset})
	}
	var runs errgroup.Group // the failure of one does not stop the others
	runs.SetLimit(parallel(0))
	first, firstRow, row := 0, 0, 0 // of the run, and the row of the next record
	for i := range len(b.Records) + 1 {
		is := i < len(b.Records) && row < len(wanted) && wanted[row] == coordinatesOf(&b.Records[i])
		if is && missing(wanted[row]) {
			row++
			continue
		}
		if i > first {
			run := *b
			run.Records = b.Records[first:i]
			own := some.Only(some.Rows[firstRow:row])
			runs.Go(func() error {
				return fault.Guard(func() error { return s.archiveRun(ctx, to, b, &run, own) })
			})
		}
		if is {
			row++
		}
		first, firstRow = i+1, row
	}
	return errors.Join(runs.Wait(), differ)
}

// archiveRun makes a run of records of the batch durable, each of which has a
// row. A run that is the whole batch becomes two parts: its name is taken.
func (s *Sink) archiveRun(ctx context.Context, to target, b, run *batch.Batch, own rows.Set) error {
	n := len(run.Records)
	parts := []int{0, n}
	if n == len(b.Records) {
		if n == 1 {
			return fmt.Errorf("looking there for %v, after which it is named: %w", coordinatesOf(&b.Records[0]), &lake.Conflict{Name: to.name(b), Partitions: []int32{b.Records[0].Partition}})
		}
		parts = []int{0, n / 2, n}
	}
	for i, end := range parts[1:] {
		part, begin := *run, parts[i]
		part.Records = run.Records[begin:end]
		if _, err := s.archive(ctx, to, &part, lake.Digest(&part), own.Only(own.Rows[begin:end])); err != nil {
			return err
		}
	}
	return nil
}

// compare returns, as the first error, the conflict where the object holds
// another record under the coordinates of one of the batch's. The conflict then
// names the partitions of all such records.
func compare(ctx context.Context, to target, b *batch.Batch, held *contents, conflict *lake.Conflict) (differ, err error) {
	all, err := to.all(ctx, b)
	if err != nil {
		return nil, err
	}
	var file bytes.Buffer
	if err := to.Encode(&file, all, 0); err != nil {
		return nil, err
	}
	ours, err := readContents(file.Bytes())
	if err != nil {
		return nil, fmt.Errorf("comparing the records of object %s: %w", conflict.Name, err)
	}
	for i := range b.Records {
		at := coordinatesOf(&b.Records[i])
		if !held.has(at) || held.sameRecord(ours, at) {
			continue
		}
		if differ == nil {
			differ = fmt.Errorf("comparing the record at %v with the one there: %w", at, conflict)
		}
		if !slices.Contains(conflict.Partitions, at.partition) {
			conflict.Partitions = append(conflict.Partitions, at.partition)
		}
	}
	return differ, nil
}

// archived returns what the Parquet object of the batch holds. One that cannot
// be read was not written by this program: a conflict with every partition.
func (s *Sink) archived(ctx context.Context, name string, b *batch.Batch) (*contents, error) {
	data, err := s.bucket.read(ctx, name)
	if err != nil {
		return nil, err
	}
	held, err := readContents(data)
	if err != nil {
		conflict := &lake.Conflict{Name: name}
		for _, r := range b.Ranges() {
			conflict.Partitions = append(conflict.Partitions, r.Partition)
		}
		return nil, fmt.Errorf("%w (%v)", conflict, err)
	}
	return held, nil
}
