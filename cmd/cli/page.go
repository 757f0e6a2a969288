package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/stationflow/stationflow/internal/status"
)

// pageTimeout is plenty for a page that answers from memory.
const pageTimeout = 10 * time.Second

// askPage asks the page of the local system how it does.
func (s *Streams) askPage(ctx context.Context) (now status.Status, raw []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	url := s.system.Page + "/api/pipeline"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return now, nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return now, nil, fmt.Errorf("asking the page: %w", err)
	}
	defer response.Body.Close()
	if raw, err = io.ReadAll(response.Body); err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("it answered %s", response.Status)
	}
	if err == nil {
		err = json.Unmarshal(raw, &now)
	}
	if err != nil {
		return status.Status{}, nil, fmt.Errorf("asking the page at %s: %w", url, err)
	}
	return now, raw, nil
}

// isSimulated reports whether the stations of the local system are simulated, as
// far as its page says so.
func (s *Streams) isSimulated(ctx context.Context) bool {
	if s.system == nil {
		return false
	}
	now, _, err := s.askPage(ctx)
	return err == nil && now.Simulation != nil
}
