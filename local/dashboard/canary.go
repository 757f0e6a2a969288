package dashboard

import (
	"fmt"
	"strings"
	"time"
)

// A Canary is the last one that has arrived at a hop.
type Canary struct {
	Hop  string // staging, lake or marts
	At   time.Time
	Took time.Duration // from when it was sent
}

// A CanaryStatus is a canary as the page shows it.
type CanaryStatus struct {
	Hop  string  `json:"hop"`
	Age  float64 `json:"age_seconds"`  // since it was sent
	Took float64 `json:"took_seconds"` // of these, until it had arrived
}

func canaryStatus(canaries []Canary, now time.Time) []CanaryStatus {
	list := []CanaryStatus{}
	for _, c := range canaries {
		list = append(list, CanaryStatus{c.Hop, max(0, now.Sub(c.At.Add(-c.Took)).Seconds()), c.Took.Seconds()})
	}
	return list
}

// canaryNote says it in a sentence; "" where there are none.
func canaryNote(canaries []Canary, now time.Time) string {
	if len(canaries) == 0 {
		return ""
	}
	var said []string
	for _, c := range canaries {
		said = append(said, fmt.Sprintf("%s %v after it was sent, %v ago", c.Hop, c.Took.Round(100*time.Millisecond), max(0, now.Sub(c.At)).Round(time.Second)))
	}
	return "The last canaries arrived: " + strings.Join(said, "; ") + "."
}
