package repo_test

import (
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// A page is one Markdown file of the repository.
type page struct {
	name    string
	anchors map[string]bool
	links   []string // and images, as they are written
	spans   []string // code within a line
	blocks  []block
}

// A block is code with lines of its own.
type block struct {
	language string // "" where it is only indented
	fenced   bool
	text     string
}

// isShell reports whether a reader would paste it into a shell.
func (b block) isShell() bool {
	return b.language == "sh" || b.language == "bash" || !b.fenced
}

// pages reads every Markdown file.
func pages(t *testing.T) (all []page) {
	t.Helper()
	for _, name := range listed(t).files {
		if path.Ext(name) == ".md" && !strings.Contains(name, "/testdata/") {
			all = append(all, parse(name, []byte(read(t, name))))
		}
	}
	return all
}

func parse(name string, source []byte) page {
	p := page{name: name, anchors: map[string]bool{}}
	document := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	_ = ast.Walk(document, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			p.anchors[slug(plain(n, source))] = true
		case *ast.Link:
			p.links = append(p.links, string(n.Destination))
		case *ast.Image:
			p.links = append(p.links, string(n.Destination))
		case *ast.CodeSpan:
			p.spans = append(p.spans, plain(n, source))
		case *ast.FencedCodeBlock:
			p.blocks = append(p.blocks, block{string(n.Language(source)), true, string(n.Lines().Value(source))})
		case *ast.CodeBlock:
			p.blocks = append(p.blocks, block{"", false, string(n.Lines().Value(source))})
		}
		return ast.WalkContinue, nil
	})
	return p
}

// plain is the text of a node without its marks.
func plain(n ast.Node, source []byte) string {
	var out strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := n.(*ast.Text); ok && entering {
			out.Write(t.Segment.Value(source))
			if t.SoftLineBreak() {
				out.WriteByte(' ')
			}
		}
		return ast.WalkContinue, nil
	})
	return out.String()
}

var notInSlugs = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)

// slug is the anchor that GitHub gives a heading.
func slug(heading string) string {
	return strings.ReplaceAll(notInSlugs.ReplaceAllString(strings.ToLower(heading), ""), " ", "-")
}

// linkFaults names every link that leads nowhere.
func linkFaults(in tree, pages []page) (faults []string) {
	all := map[string]page{}
	for _, p := range pages {
		all[p.name] = p
	}
	for _, p := range pages {
		for _, link := range p.links {
			if strings.Contains(link, "://") {
				continue
			}
			target, anchor, _ := strings.Cut(link, "#")
			name := p.name
			if target != "" {
				name = path.Join(path.Dir(p.name), target)
			}
			if _, isPage := all[name]; !isPage && !in.has(name) {
				faults = append(faults, p.name+" links to "+link+", which is not there")
			} else if anchor != "" && !all[name].anchors[anchor] {
				faults = append(faults, p.name+" links to "+link+", and "+name+" has no such heading")
			}
		}
	}
	return faults
}
