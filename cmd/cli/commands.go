package cli

// Commands are those that work against a real project.
func Commands() []Command {
	return []Command{
		{Name: "cost", Summary: "say what a deployed system costs in a month", Run: runCost},
		{Name: "dbt", Summary: "run, test, build, compile or ls the dbt project natively", Run: runDbt},
		{Name: "deadletters", Summary: "list the batches that were given up, and send them again", Run: deadLetters{wallClock{}}.run},
		{Name: "schema", Summary: "register the topics' schemas in a schema registry, or check whether they may be", Run: runSchema},
		{Name: "trace", Summary: "say where a record is at each hop, by offset, id or key", Run: runTrace},
		{Name: "transform", Summary: "run the dbt project once against the warehouse", Run: runTransform},
		{Name: "verify", Summary: "prove that every record of a period arrived, or name those that did not", Run: runVerify},
		{Name: "version", Summary: "say which version and commit this program was built from", Run: runVersion},
	}
}
