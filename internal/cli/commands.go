package cli

// Commands are those that work against a real project.
func Commands() []Command {
	return []Command{
		{Name: "dbt", Summary: "run, test, build, compile or ls the dbt project natively", Run: runDbt},
		{Name: "transform", Summary: "run the dbt project once against the warehouse", Run: runTransform},
	}
}
