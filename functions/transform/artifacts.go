package transform

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"cloud.google.com/go/storage"
)

// A shelf is where a run's manifest.json and run_results.json are kept for
// dbt's other tools. Each run replaces those of the run before.
type shelf struct {
	client *storage.Client
	bucket string
	folder string
}

// newShelf opens gs://bucket/folder; nil when the address is "".
func newShelf(ctx context.Context, address string) (*shelf, error) {
	if address == "" {
		return nil, nil
	}
	bucket, folder, err := parseShelf(address)
	if err != nil {
		return nil, err
	}
	client, err := storage.NewClient(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting to Cloud Storage: %w", err)
	}
	return &shelf{client, bucket, folder}, nil
}

func parseShelf(address string) (bucket, folder string, err error) {
	rest, ok := strings.CutPrefix(address, "gs://")
	bucket, folder, _ = strings.Cut(rest, "/")
	if !ok || bucket == "" {
		return "", "", fmt.Errorf("%q is no address: write gs://bucket/folder", address)
	}
	return bucket, strings.Trim(folder, "/"), nil
}

// put writes the objects. A run does not fail when it cannot.
func (s *shelf) put(ctx context.Context, contents map[string][]byte) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for name, content := range contents {
		w := s.client.Bucket(s.bucket).Object(path.Join(s.folder, name)).NewWriter(ctx)
		w.ContentType, w.ChunkSize = "application/json", 0 // in one request: some hundred kilobytes
		_, err := w.Write(content)
		if closing := w.Close(); err == nil {
			err = closing
		}
		if err != nil {
			return fmt.Errorf("writing gs://%s/%s: %w", s.bucket, path.Join(s.folder, name), err)
		}
	}
	return nil
}
