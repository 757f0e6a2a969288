package cli

import (
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/deadletter/mailbox"
)

// Commands are those that work against a real project, by name.
func Commands() []Command {
	return []Command{
		{Name: "alerts", Group: ToSee, Summary: "say who was told of what, and who was not", Run: runAlerts},
		{Name: "compact", Group: ToWork, Summary: "merge the files of the lake's closed hours", Run: runCompact},
		{Name: "completion", Group: ToWork, Summary: "print what completes commands and flags in bash, zsh or fish", Run: runCompletion, Verbs: shells},
		{Name: "cost", Group: ToSee, Summary: "say what a deployed system costs in a month", Run: runCost},
		{Name: "dbt", Group: ToWork, Summary: "run, test, build, show or ls the dbt project natively", Run: runDbt, Verbs: dbtVerbs()},
		{Name: "deadletters", Group: ToRepair, Summary: "list the batches that were given up, show, resend or discard them",
			Run: deadLetters{mailbox.WallClock{}}.run, Verbs: []string{"list", "show", "resend", "discard"}},
		{Name: "doctor", Group: ToSee, Summary: "say what this machine lacks, and where to get it", Run: runDoctor},
		{Name: "logs", Group: ToSee, Summary: "show the log of the local system, or how to read the cloud's", Run: runLogs},
		{Name: "peek", Group: ToSee, Summary: "show the newest records of a topic, and what ingest thinks of them", Run: runPeek, Verbs: event.Topics()},
		{Name: "quarantine", Group: ToRepair, Summary: "list what was refused, show a record of it, and have it tried again",
			Run: quarantineTool{mailbox.WallClock{}}.run, Verbs: []string{"list", "show", "retry"}},
		{Name: "query", Group: ToSee, Summary: "ask the warehouse in SQL, and say first how much that reads", Run: runQuery},
		{Name: "replay", Group: ToRepair, Summary: "send again what Kafka, the lake or the dead letters have",
			Run: replayTool{mailbox.WallClock{}}.run, Verbs: []string{"kafka", "lake", "deadletters"}},
		{Name: "schema", Group: ToWork, Summary: "register or check the topics' schemas in a schema registry", Run: runSchema, Verbs: []string{"register", "check"}},
		{Name: "status", Group: ToSee, Summary: "say how each hop does, what waits, and what is going on", Run: runStatus},
		{Name: "trace", Group: ToSee, Summary: "say where a record is at each hop, by offset, id or key", Run: runTrace},
		{Name: "transform", Group: ToWork, Summary: "run the dbt project once against the warehouse", Run: runTransform},
		{Name: "verify", Group: ToSee, Summary: "prove that every record arrived, or name those that did not", Run: runVerify},
		{Name: "version", Group: ToWork, Summary: "say which version and commit this program was built from", Run: runVersion},
	}
}
