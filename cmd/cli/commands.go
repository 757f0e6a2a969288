package cli

import "github.com/stationflow/stationflow/internal/deadletter/mailbox"

// Commands are those that work against a real project.
func Commands() []Command {
	return []Command{
		{Name: "compact", Summary: "merge the files of the lake's closed hours", Run: runCompact},
		{Name: "cost", Summary: "say what a deployed system costs in a month", Run: runCost},
		{Name: "dbt", Summary: "run, test, build, compile or ls the dbt project natively", Run: runDbt},
		{Name: "deadletters", Summary: "list the batches that were given up, show one, send them again or discard them", Run: deadLetters{mailbox.WallClock{}}.run},
		{Name: "quarantine", Summary: "list what was refused, show a record of it, and have it tried again", Run: quarantineTool{mailbox.WallClock{}}.run},
		{Name: "replay", Summary: "send again what Kafka, the lake or the dead letters have", Run: replayTool{mailbox.WallClock{}}.run},
		{Name: "schema", Summary: "register the topics' schemas in a schema registry, or check whether they may be", Run: runSchema},
		{Name: "trace", Summary: "say where a record is at each hop, by offset, id or key", Run: runTrace},
		{Name: "transform", Summary: "run the dbt project once against the warehouse", Run: runTransform},
		{Name: "verify", Summary: "prove that every record of a period arrived, or name those that did not", Run: runVerify},
		{Name: "version", Summary: "say which version and commit this program was built from", Run: runVersion},
	}
}
