// Package dbt embeds the dbt project, so that the transform function carries
// the SQL it runs.
package dbt

import "embed"

// Files is the project as it lies in this folder. Without "all:" go:embed
// would drop the yml files, whose names begin with an underscore.
//
//go:embed dbt_project.yml all:models all:macros all:tests
var Files embed.FS
