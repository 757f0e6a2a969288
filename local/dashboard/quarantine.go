package dashboard

import (
	"fmt"
	"strings"
	"time"
)

// Refused is what ingest has lately refused, topic by topic. The zero value
// means that little was.
type Refused struct {
	Window time.Duration // how far back it looks
	Topics []Refusals    // those of which a person is told, the largest share first
}

// Refusals are the records of one topic within the window.
type Refusals struct {
	Topic   string
	Refused int64
	Records int64  // the refused and the accepted
	Reason  string // the most frequent
}

// Share is how much of the topic was refused, 0..1.
func (r Refusals) Share() float64 {
	if r.Records == 0 {
		return 0
	}
	return float64(r.Refused) / float64(r.Records)
}

// note says which topics are refused, and why; "" while little is.
func (r *Refused) note() string {
	var said []string
	for i, topic := range r.Topics {
		if i == 2 && len(r.Topics) > 3 {
			said = append(said, plural(int64(len(r.Topics)-i), "other topic", "other topics")+" too")
			break
		}
		said = append(said, topic.sentence())
	}
	if len(said) == 0 {
		return ""
	}
	return fmt.Sprintf("Refused within %s: %s.", seconds(r.Window), strings.Join(said, "; "))
}

func (r Refusals) sentence() string {
	s := fmt.Sprintf("%s of %s of %s (%.1f %%)", grouped(r.Refused), plural(r.Records, "record", "records"), r.Topic, 100*r.Share())
	if r.Reason != "" {
		s += ", most often for " + r.Reason
	}
	return s
}

// remedy says where the refused records are.
func (r *Refused) remedy() string {
	if len(r.Topics) == 0 {
		return ""
	}
	of := ""
	for _, topic := range r.Topics {
		of += " --topic " + topic.Topic
	}
	return fmt.Sprintf("Each is kept with its reason: stationflow quarantine list%s --from %.0fm", of, r.Window.Minutes())
}

func (r *Refused) status() RefusedStatus {
	s := RefusedStatus{Window: r.Window.Seconds(), Note: r.note(), Remedy: r.remedy(), Topics: []RefusalsStatus{}}
	for _, topic := range r.Topics {
		s.Topics = append(s.Topics, RefusalsStatus{Topic: topic.Topic, Refused: topic.Refused, Records: topic.Records, Share: topic.Share(), Reason: topic.Reason})
	}
	return s
}
