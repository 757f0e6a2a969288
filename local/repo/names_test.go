package repo_test

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// written are files that docs name and no repository holds: programs and
// people write them.
var written = []string{
	"endpoints.json", "manifest.json", "run_results.json", "sources.json", "result.json", "report.json",
	"bin/stationflow", "bin/bridge", "bin/simulator", "bin/functions", "terraform.tfvars", "backend.tf",
}

var (
	fileName = regexp.MustCompile(`^[\w.*-]+(/[\w.*-]+)*\.(go|sql|yml|yaml|tf|sh|md|json|txt|mod|tmpl|js|html|css)$`)
	pathName = regexp.MustCompile(`^[\w.*-]+(/[\w.*-]+)*/?$`)
)

// fileFaults names every file and folder that is not there. A name may leave
// out the folders before it, as pages do that have just named the folder.
func fileFaults(in tree, pages []page) (faults []string) {
	for _, p := range pages {
		names := p.spans
		for _, b := range p.blocks {
			if b.isShell() {
				names = append(names, strings.Fields(b.text)...)
			}
		}
		for _, span := range names {
			span = strings.TrimPrefix(span, "./")
			if isPath(in, span) && !in.ends(span) && !in.has(path.Join(path.Dir(p.name), span)) {
				faults = append(faults, p.name+" names "+span+", which is not there")
			}
		}
	}
	return faults
}

// isPath reports whether what is written as code is a path in the repository:
// a file by its ending, or something below a folder of the top level.
func isPath(in tree, span string) bool {
	if slices.Contains(written, span) {
		return false
	}
	first, _, below := strings.Cut(span, "/")
	return fileName.MatchString(span) || below && pathName.MatchString(span) && in.folders[first]
}

var variable = regexp.MustCompile(`\b[A-Z][A-Z0-9]*(_[A-Z0-9]+)+\b`)

// notOurs are names in capitals that docs use and no program of ours reads, the
// last of them from Looker Studio and BigQuery's SQL.
var notOurs = []string{"ALL_TRAFFIC", "CONFLUENT_CLOUD_API_KEY", "CONFLUENT_CLOUD_API_SECRET", "DS_END_DATE", "DS_START_DATE", "INFORMATION_SCHEMA", "TABLE_OPTIONS"}

// variableFaults names every environment variable that is not in the table of
// settings, which another test holds against the programs.
func variableFaults(settings string, pages []page) (faults []string) {
	for _, p := range pages {
		code := strings.Join(p.spans, "\n")
		for _, b := range p.blocks {
			code += "\n" + b.text
		}
		for _, name := range variable.FindAllString(code, -1) {
			if !strings.Contains(settings, "`"+name+"`") && !slices.Contains(notOurs, name) {
				faults = append(faults, p.name+" names the variable "+name+", which docs/settings.md does not have")
			}
		}
	}
	return faults
}

// peerVariables are those that recipes of peers are given, as the table of
// settings would name them.
func peerVariables(t *testing.T) (names string) {
	for _, m := range regexp.MustCompile(`"(PEER_[A-Z]+)=`).FindAllStringSubmatch(read(t, "local/bench/recipe.go"), -1) {
		names += "`" + m[1] + "`"
	}
	return names
}

var setting = regexp.MustCompile(`^(bridge|ingest|transform|kafka|lake|warehouse)\.(\w+)$`)

// settingFaults names every setting of Terraform, written as object and
// attribute, that is not declared.
func settingFaults(declared string, pages []page) (faults []string) {
	for _, p := range pages {
		for _, span := range p.spans {
			m := setting.FindStringSubmatch(span)
			if m == nil || fileName.MatchString(span) {
				continue
			}
			if !regexp.MustCompile(`(?m)^\s+` + m[2] + `\s+= `).MatchString(declared) {
				faults = append(faults, p.name+" names "+span+", which terraform/variables.tf does not declare")
			}
		}
	}
	return faults
}
